"""Many buyers for few units: real commits, on threads and on processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, current_app
from sqlalchemy import text

from kernel.db import db, write_transaction
from shop.services.catalogue import OfferView
from shop.services.stock import (
    OutOfStock,
    capture_stock,
    hold_stock,
    release_stock,
    verify_stock,
)
from tests.concurrency.processes import run_together
from tests.factories.catalogue import build_categories, build_merchant, build_offer

PROCESSES, BUYERS_EACH, UNITS = 8, 50, 50


@pytest.fixture
def scarce(app: Flask) -> OfferView:
    with write_transaction():
        build_categories()
        return build_offer(build_merchant(), stock=UNITS)


def _stock() -> list[tuple[int, int, int]]:
    rows = db.session.execute(text("SELECT on_hand, held, sold FROM v_stock ORDER BY offer_id"))
    found = [(row.on_hand, row.held, row.sold) for row in rows]
    db.session.rollback()
    return found


def _buy(order_id: str, *wanted: tuple[int, int]) -> bool:
    try:
        with write_transaction():
            hold_stock(order_id=order_id, quantities=dict(wanted))
    except OutOfStock:
        return False
    return True


def _fifty_buyers(argument: tuple[int, int]) -> list[str]:
    """In a process of its own, on five threads: the orders that got a unit."""
    process, offer_id = argument
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def buyer(number: int) -> str | None:
        with app.app_context():
            order_id = f"ord_{process}_{number}"
            return order_id if _buy(order_id, (offer_id, 1)) else None

    with ThreadPoolExecutor(5) as pool:
        return [order for order in pool.map(buyer, range(BUYERS_EACH)) if order]


def test_400_buyers_on_eight_processes_get_exactly_the_fifty_units(scarce: OfferView) -> None:
    told = run_together(_fifty_buyers, [(n, scarce.id) for n in range(PROCESSES)])
    winners = [order for process in told for order in process]
    assert len(winners) == len(set(winners)) == UNITS
    assert _stock() == [(UNITS, UNITS, 0)]
    held = db.session.execute(
        text("SELECT order_id, quantity, state FROM stock_hold ORDER BY order_id")
    ).all()
    assert [tuple(row) for row in held] == [(order, 1, "held") for order in sorted(winners)]
    assert verify_stock() == []


def _three_buyers(argument: tuple[int, int]) -> int:
    """Baskets of 1, 2 and 3 units, again and again; how many units were got."""
    process, offer_id = argument
    got = 0
    for number in range(30):
        units = number % 3 + 1
        got += units if _buy(f"ord_{process}_{number}", (offer_id, units)) else 0
    return got


def test_baskets_of_several_units_never_take_more_than_there_is(scarce: OfferView) -> None:
    got = sum(run_together(_three_buyers, [(n, scarce.id) for n in range(4)]))
    # Single units were asked for to the end, so nothing is left over.
    assert got == UNITS
    assert _stock() == [(UNITS, UNITS, 0)]
    assert verify_stock() == []


def test_orders_of_the_same_goods_in_any_order_never_lock_each_other(app: Flask) -> None:
    with write_transaction():
        build_categories()
        merchant = build_merchant()
        offers = [build_offer(merchant, title=f"商品 {n}", stock=30) for n in range(4)]
    together = threading.Barrier(20)

    def order(number: int) -> bool:
        with app.app_context():
            together.wait(30)
            wanted = offers if number % 2 else offers[::-1]
            return _buy(f"ord_{number}", *((offer.id, 2) for offer in wanted))

    with ThreadPoolExecutor(20) as pool:
        bought = sum(pool.map(order, range(20)))
    assert bought == 15
    assert _stock() == [(30, 30, 0)] * 4
    assert verify_stock() == []


def test_paying_and_giving_up_at_the_same_time_count_once(app: Flask, scarce: OfferView) -> None:
    assert _buy("ord_1", (scarce.id, 7))
    together = threading.Barrier(10)

    def close(number: int) -> None:
        with app.app_context():
            together.wait(30)
            with write_transaction():
                (capture_stock if number % 2 else release_stock)(order_id="ord_1")

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(close, range(10)))
    assert _stock() in ([(43, 0, 7)], [(50, 0, 0)])
    assert verify_stock() == []
