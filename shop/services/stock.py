"""Stock by conditional updates only: never read, decide, write (Domain rule 9)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, ColumnElement, bindparam, insert, select, update

from kernel.db import changed_rows, db, run
from kernel.errors import Problem
from shop.models import Offer, Sku, Stock, StockHold
from shop.services.catalogue import touch_products

HELD, SOLD, RELEASED = "held", "sold", "released"

_OFFER = bindparam("the_offer", type_=BigInteger)
_UNITS = bindparam("units", type_=BigInteger)


class OutOfStock(Problem):
    code = "out_of_stock"
    status = 409
    title = "库存不足"


def hold_stock(*, order_id: str, quantities: Mapping[int, int]) -> None:
    """Keep units (``offer id → units``) for an order, all or none.

    Offers are taken in id order, so that two orders never wait for each other in a circle.
    Raises :class:`OutOfStock` naming the first offer that has too few.
    """
    for offer_id in sorted(quantities):
        units = quantities[offer_id]
        taken = changed_rows(
            update(Stock)
            .where(Stock.offer_id == offer_id, Stock.on_hand - Stock.held >= units)
            .values(held=Stock.held + units)
        )
        if taken == 0:
            public = db.session.scalar(select(Offer.public_id).where(Offer.id == offer_id))
            raise OutOfStock("有商品库存不足，没有扣款", extra={"offer_id": public})
    run(
        insert(StockHold),
        [
            {"order_id": order_id, "offer_id": o, "quantity": q, "state": HELD}
            for o, q in sorted(quantities.items())
        ],
    )
    _tell_if_sold_out(list(quantities))


def _holds(order_id: str) -> list[tuple[int, int]]:
    return list(
        db.session.execute(
            select(StockHold.offer_id, StockHold.quantity)
            .where(StockHold.order_id == order_id, StockHold.state == HELD)
            .order_by(StockHold.offer_id)
        ).tuples()
    )


def _move_holds(order_id: str, state: str) -> None:
    run(
        update(StockHold)
        .where(StockHold.order_id == order_id, StockHold.state == HELD)
        .values(state=state)
    )


def capture_stock(*, order_id: str) -> None:
    """What was held is sold. A second call changes nothing."""
    _change(
        dict(_holds(order_id)),
        on_hand=Stock.on_hand - _UNITS,
        held=Stock.held - _UNITS,
        sold=Stock.sold + _UNITS,
    )
    _move_holds(order_id, SOLD)


def release_stock(*, order_id: str) -> None:
    """What was held can be sold again. A second call changes nothing."""
    quantities = dict(_holds(order_id))
    _change(quantities, held=Stock.held - _UNITS)
    _move_holds(order_id, RELEASED)
    _tell_if_back(quantities)


def return_stock(*, quantities: Mapping[int, int]) -> None:
    """Returned units (``offer id → units``) come back to the shelf."""
    _change(quantities, on_hand=Stock.on_hand + _UNITS, sold=Stock.sold - _UNITS)
    _tell_if_back(quantities)


def _change(quantities: Mapping[int, int], **values: ColumnElement[int]) -> None:
    """One prepared statement over all offers, in id order."""
    if not quantities:
        return
    run(
        update(Stock).where(Stock.offer_id == _OFFER).values(values),
        [{"the_offer": o, "units": q} for o, q in sorted(quantities.items())],
    )


def set_available(*, offer_id: int, units: int) -> None:
    """A merchant says how many can be sold now: ``on_hand := units + held`` (Domain rule 33)."""
    run(update(Stock).where(Stock.offer_id == offer_id).values(on_hand=Stock.held + units))


def _tell_if_sold_out(offer_ids: list[int]) -> None:
    """Search hears of stock only when it crosses zero: a sale alone is no news (rule 32)."""
    rows = db.session.execute(
        select(Sku.product_id)
        .join(Offer, Offer.sku_id == Sku.id)
        .join(Stock, Stock.offer_id == Offer.id)
        .where(Offer.id.in_(offer_ids), Stock.on_hand - Stock.held <= 0)
        .distinct()
    )
    touch_products([row.product_id for row in rows])


def _tell_if_back(quantities: Mapping[int, int]) -> None:
    rows = db.session.execute(
        select(Sku.product_id, Stock.offer_id, (Stock.on_hand - Stock.held).label("available"))
        .join(Offer, Offer.sku_id == Sku.id)
        .join(Stock, Stock.offer_id == Offer.id)
        .where(Offer.id.in_(list(quantities)))
    )
    back = {r.product_id for r in rows if 0 < r.available <= quantities[r.offer_id]}
    touch_products(sorted(back))


def verify_stock() -> list[str]:
    """Held units equal the sum of open holds, for every offer; what is wrong, in words."""
    held = _held_by_offer()
    faults = []
    for row in db.session.execute(
        select(Stock.offer_id, Offer.public_id, Stock.on_hand, Stock.held)
        .join(Offer, Offer.id == Stock.offer_id)
        .where((Stock.held != 0) | (Stock.on_hand < 0))
    ):
        expected = held.pop(row.offer_id, 0)
        if row.held != expected or row.on_hand < row.held:
            faults.append(
                f"stock of {row.public_id}: {row.held} held, {expected} in holds, "
                f"{row.on_hand} on hand"
            )
    faults += [f"offer {offer_id}: {units} in holds, none held" for offer_id, units in held.items()]
    return faults


def _held_by_offer() -> dict[int, int]:
    found: dict[int, int] = {}
    for offer_id, quantity in db.session.execute(
        select(StockHold.offer_id, StockHold.quantity).where(StockHold.state == HELD)
    ):
        found[offer_id] = found.get(offer_id, 0) + quantity
    return found
