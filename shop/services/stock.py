"""Stock by conditional updates only: never read, decide, write (Domain rule 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import BigInteger, BindParameter, Table, Update, bindparam, insert, select, update

from kernel.db import changed_rows, db, run
from kernel.errors import Problem
from shop.models import Offer, Sku, Stock, StockHold
from shop.services.catalogue import touch_products

HELD, SOLD, RELEASED = "held", "sold", "released"

_OFFER = bindparam("the_offer", type_=BigInteger)
_UNITS = bindparam("units", type_=BigInteger)
_OFFERS: BindParameter[Any] = bindparam("the_offers", expanding=True)
_ORDER: BindParameter[Any] = bindparam("the_order")
_STOCK = cast("Table", Stock.__table__)
_HOLD = cast("Table", StockHold.__table__)

# Statements of the hot path are made once: building one costs more than running it.
_TAKE = (
    update(_STOCK)
    .where(_STOCK.c.offer_id == _OFFER, _STOCK.c.on_hand - _STOCK.c.held >= _UNITS)
    .values(held=_STOCK.c.held + _UNITS)
)
_SELL = (
    update(_STOCK)
    .where(_STOCK.c.offer_id == _OFFER)
    .values(
        on_hand=_STOCK.c.on_hand - _UNITS,
        held=_STOCK.c.held - _UNITS,
        sold=_STOCK.c.sold + _UNITS,
    )
)
_RELEASE = update(_STOCK).where(_STOCK.c.offer_id == _OFFER).values(held=_STOCK.c.held - _UNITS)
_RETURN = (
    update(_STOCK)
    .where(_STOCK.c.offer_id == _OFFER)
    .values(on_hand=_STOCK.c.on_hand + _UNITS, sold=_STOCK.c.sold - _UNITS)
)
_INSERT_HOLDS = insert(_HOLD)
# Locked where the database locks rows: of two that close one order, the second finds none left.
_HOLDS = (
    select(_HOLD.c.offer_id, _HOLD.c.quantity)
    .where(_HOLD.c.order_id == _ORDER, _HOLD.c.state == HELD)
    .order_by(_HOLD.c.offer_id)
    .with_for_update()
)
_MOVE_HOLDS = (
    update(_HOLD)
    .where(_HOLD.c.order_id == _ORDER, _HOLD.c.state == HELD)
    .values(state=bindparam("new_state"))
)
_SOLD_OUT = (
    select(Sku.product_id)
    .join(Offer, Offer.sku_id == Sku.id)
    .join(Stock, Stock.offer_id == Offer.id)
    .where(Offer.id.in_(_OFFERS), Stock.on_hand - Stock.held <= 0)
    .distinct()
)


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
        taken = changed_rows(_TAKE, [{"the_offer": offer_id, "units": quantities[offer_id]}])
        if taken == 0:
            public = db.session.scalar(select(Offer.public_id).where(Offer.id == offer_id))
            raise OutOfStock("有商品库存不足，没有扣款", extra={"offer_id": public})
    run(
        _INSERT_HOLDS,
        [
            {"order_id": order_id, "offer_id": o, "quantity": q, "state": HELD}
            for o, q in sorted(quantities.items())
        ],
    )
    _tell_if_sold_out(list(quantities))


def _holds(order_id: str) -> dict[int, int]:
    """Units by offer that an order still holds."""
    return {row.offer_id: row.quantity for row in run(_HOLDS, [{"the_order": order_id}])}


def _move_holds(order_id: str, state: str) -> None:
    run(_MOVE_HOLDS, [{"the_order": order_id, "new_state": state}])


def capture_stock(*, order_id: str) -> None:
    """What was held is sold. A second call changes nothing."""
    _change(_SELL, _holds(order_id))
    _move_holds(order_id, SOLD)


def release_stock(*, order_id: str) -> None:
    """What was held can be sold again. A second call changes nothing."""
    quantities = _holds(order_id)
    _change(_RELEASE, quantities)
    _move_holds(order_id, RELEASED)
    _tell_if_back(quantities)


def return_stock(*, quantities: Mapping[int, int]) -> None:
    """Returned units (``offer id → units``) come back to the shelf."""
    _change(_RETURN, quantities)
    _tell_if_back(quantities)


def _change(statement: Update, quantities: Mapping[int, int]) -> None:
    """One prepared statement over all offers, in id order."""
    if quantities:
        run(statement, [{"the_offer": o, "units": q} for o, q in sorted(quantities.items())])


def set_available(*, offer_id: int, units: int) -> None:
    """A merchant says how many can be sold now: ``on_hand := units + held`` (Domain rule 33)."""
    run(update(Stock).where(Stock.offer_id == offer_id).values(on_hand=Stock.held + units))


def _tell_if_sold_out(offer_ids: list[int]) -> None:
    """Search hears of stock only when it crosses zero: a sale alone is no news (rule 32)."""
    rows = run(_SOLD_OUT, [{"the_offers": offer_ids}])
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
