"""Orders that are counted at once, some of them twice: no pair is lost and none counts double."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.db import db, write_transaction
from kernel.retrying import always, is_collision, with_retries
from shop.services.companions import Basket, count_baskets
from tests.concurrency.processes import run_together
from tests.factories.catalogue import build_categories, build_merchant, build_offer
from tests.factories.people import build_person

PROCESSES, ORDERS = 4, 30

Work = tuple[int, int, tuple[str, ...]]


def _count(work: Work) -> int:
    """Own orders, and those that every process is told of; returns how many were new."""
    process, person, goods = work
    # Each process names the goods from another end.
    turned = goods[process % len(goods) :] + goods[: process % len(goods)]
    return sum(
        _tell(Basket(order, person, turned))
        for number in range(ORDERS)
        for order in (f"ord_{process}_{number}", f"ord_all_{number}")
    )


def _tell(basket: Basket) -> int:
    """As the outbox does: again until it is done."""

    def tell() -> int:
        with write_transaction():
            return count_baskets([basket])

    while True:
        try:
            return with_retries(tell, resumable=always)
        except DBAPIError as error:
            if not is_collision(error):
                raise


def test_processes_that_count_at_once_lose_nothing(app: Flask) -> None:
    with write_transaction():
        build_categories()
        merchant = build_merchant()
        goods = tuple(build_offer(merchant, title=f"商品 {n}").product_id for n in range(3))
        people = [build_person().id for _ in range(PROCESSES)]

    fresh = run_together(_count, [(n, people[n], goods) for n in range(PROCESSES)])

    orders = PROCESSES * ORDERS + ORDERS
    assert sum(fresh) == orders
    rows = db.session.execute(text("SELECT orders, only_buyer_id FROM bought_together")).all()
    assert rows == [(orders, None)] * 6
