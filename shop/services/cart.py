"""The cart: one for each membership, over all merchants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, func, insert, select, update

from kernel import clock
from kernel.db import changed_rows, db, run
from kernel.errors import Problem
from shop.models import CartItem
from shop.services.catalogue import OfferView, UnknownOffer, find_offers, offers_of_ids

MAX_ITEMS = 100
MAX_QUANTITY = 9_999

# Made once: building a statement costs more than running it.
_OFFERS: BindParameter[Any] = bindparam("the_offers", expanding=True)
_REMOVE = delete(CartItem).where(
    CartItem.membership_id == bindparam("the_owner"), CartItem.offer_id.in_(_OFFERS)
)


class CartFull(Problem):
    code = "cart_full"
    status = 409
    title = "购物车已满，请先结算或清理"


@dataclass(frozen=True, slots=True)
class CartLine:
    offer: OfferView
    quantity: int
    chosen: bool


def list_cart(*, membership_id: int, chosen_only: bool = False) -> list[CartLine]:
    """Lines in the order in which they were added."""
    statement = (
        select(CartItem.offer_id, CartItem.quantity, CartItem.chosen)
        .where(CartItem.membership_id == membership_id)
        .order_by(CartItem.added_at, CartItem.offer_id)
        .limit(MAX_ITEMS)
    )
    if chosen_only:
        statement = statement.where(CartItem.chosen.is_(True))
    rows = db.session.execute(statement).all()
    offers = offers_of_ids(row.offer_id for row in rows)
    return [
        CartLine(offers[row.offer_id], row.quantity, row.chosen)
        for row in rows
        if row.offer_id in offers
    ]


def put_in_cart(
    *, membership_id: int, offer_id: str, quantity: int, chosen: bool | None = None
) -> None:
    """Set the quantity of an offer in the cart. Raises :class:`UnknownOffer`, :class:`CartFull`."""
    offer = find_offers([offer_id]).get(offer_id)
    if offer is None or not offer.for_sale:
        raise UnknownOffer
    values: dict[str, object] = {"quantity": quantity}
    if chosen is not None:
        values["chosen"] = chosen
    changed = changed_rows(
        update(CartItem)
        .where(CartItem.membership_id == membership_id, CartItem.offer_id == offer.id)
        .values(**values)
    )
    if changed:
        return
    count = db.session.scalar(select(func.count()).where(CartItem.membership_id == membership_id))
    if (count or 0) >= MAX_ITEMS:
        raise CartFull
    run(
        insert(CartItem).values(
            membership_id=membership_id,
            offer_id=offer.id,
            quantity=quantity,
            chosen=True if chosen is None else chosen,
            added_at=clock.now(),
        )
    )


def take_out_of_cart(*, membership_id: int, offer_id: str) -> None:
    """Remove an offer; one that is not there is no error."""
    offer = find_offers([offer_id]).get(offer_id)
    if offer is not None:
        remove_bought(membership_id=membership_id, offer_ids=[offer.id])


def remove_bought(*, membership_id: int, offer_ids: list[int]) -> None:
    """What an order took leaves the cart."""
    run(_REMOVE, [{"the_owner": membership_id, "the_offers": offer_ids}])
