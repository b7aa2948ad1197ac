"""How many statements the hot paths send: bounds that do not grow with the number of lines.

Each bound is what was measured; a change that needs more must say so here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from kernel.db import db, write_transaction
from shop.services.catalogue import OfferView
from tests.factories.cashier import Mall, Shopper, body
from tests.factories.catalogue import build_offer
from tests.integration.checkout.desk import CardDesk

FEW, MANY = 1, 12


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that both engines run meanwhile, without BEGIN and COMMIT, and without the
    clock's, which looks twice a second, whoever asks."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN") and "FROM clock_offset" not in statement:
            found.append(" ".join(statement.split())[:160])

    engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def goods(mall: Mall) -> list[OfferView]:
    """Of two merchants, both with freight to pay or not, all different products."""
    with write_transaction():
        return [
            build_offer(
                (mall.north, mall.south)[n % 2],
                title=f"商品 {n}",
                price_minor=500 + n,
                category_key=("bedding.quilt", "grocery.rice")[n % 2],
            )
            for n in range(2 * MANY)
        ]


def some(goods: list[OfferView], lines: int) -> dict[str, int]:
    return {offer.public_id: 1 for offer in goods[:lines]}


def measure(app: Flask, work: Callable[[], Any]) -> int:
    """Statements of the second run: the first fills what a process keeps."""
    work()
    with counted(app) as found:
        work()
    return len(found)


def assert_constant(counts: dict[int, int], bound: int) -> None:
    """The same for few lines as for many, and not more than ``bound``."""
    assert counts[FEW] == counts[MANY] <= bound, counts


def test_quote(app: Flask, goods: list[OfferView], buyer: Shopper) -> None:
    def quote(lines: int) -> int:
        return measure(app, lambda: buyer.quote(some(goods, lines), points=10))

    assert_constant({lines: quote(lines) for lines in (FEW, MANY)}, 13)


def placed(app: Flask, buyer: Shopper, items: dict[str, int], **ask: Any) -> tuple[int, Any]:
    """An order and its statements, less one conditional update for each offer and each lot that
    it holds: those are one by one, in order, on purpose (Domain rule 9)."""
    buyer.order(items, **ask)
    quote = buyer.quote(items, **ask)
    with counted(app) as found:
        order = body(buyer.place(quote["quote_id"]), 201)
    lots = sum(statement.startswith("UPDATE lot SET available") for statement in found)
    assert 1 <= lots <= 3
    return len(found) - len(items) - lots, order


def test_order_by_credit_with_its_capture(
    app: Flask, goods: list[OfferView], buyer: Shopper
) -> None:
    counts = {lines: placed(app, buyer, some(goods, lines))[0] for lines in (FEW, MANY)}
    assert_constant(counts, 41)


def test_order_by_card_then_capture_pages_and_cancelling(
    app: Flask, desk: CardDesk, goods: list[OfferView], buyer: Shopper
) -> None:
    order_counts: dict[int, int] = {}
    captures: dict[int, int] = {}
    pages: dict[int, int] = {}
    invoices: dict[int, int] = {}
    cancels: dict[int, int] = {}
    for lines in (FEW, MANY):
        order_counts[lines], order = placed(
            app, buyer, some(goods, lines), credit_minor=300, points=10
        )
        intent_id = order["payment"]["intent_id"]
        assert desk.pay(intent_id) == 200
        notice = desk.notice(intent_id, "payment_intent.succeeded")
        with counted(app) as found:
            assert desk.deliver(notice).status_code == 200
        captures[lines] = len(found)
        path = f"/orders/{order['order_id']}"
        pages[lines] = measure(app, partial(buyer.get, path))
        invoices[lines] = measure(app, partial(buyer.get, f"{path}/invoice"))
        with counted(app) as found:
            body(buyer.cancel(order["order_id"]), 200)
        cancels[lines] = len(found)
    assert_constant(order_counts, 29)
    assert_constant(captures, 24)
    assert_constant(pages, 8)
    assert_constant(invoices, 4)
    assert_constant(cancels, 56)


def test_lists_do_not_ask_for_each_order(
    app: Flask, mall: Mall, goods: list[OfferView], buyer: Shopper
) -> None:
    finance = Shopper(app, mall.company.finance)
    own, enterprise = {}, {}
    for number, lines in ((FEW, FEW), (MANY, MANY)):
        for _ in range(1 if number == FEW else 5):
            buyer.order(some(goods, lines))
        own[number] = measure(app, lambda: buyer.get("/orders"))
        enterprise[number] = measure(app, lambda: finance.get("/enterprise/orders"))
    assert_constant(own, 3)
    assert_constant(enterprise, 5)


def test_cart(app: Flask, goods: list[OfferView], buyer: Shopper) -> None:
    counts = {}
    for lines in (FEW, MANY):
        for offer_id in some(goods, lines):
            body(buyer.call("PUT", f"/cart/items/{offer_id}", json={"quantity": 1}), 200)
        counts[lines] = measure(app, lambda: buyer.get("/cart"))
    assert_constant(counts, 8)


def test_product_page(app: Flask, mall: Mall, buyer: Shopper) -> None:
    counts = {}
    for skus in (FEW, MANY):
        with write_transaction():
            views = [
                build_offer(mall.north, product_code=f"P{skus}", spec=f"{n} cm")
                for n in range(skus)
            ]
        path = f"/products/{views[0].product_id}"
        assert len(buyer.get(path)["skus"]) == skus
        counts[skus] = measure(app, partial(buyer.get, path))
    assert_constant(counts, 8)
