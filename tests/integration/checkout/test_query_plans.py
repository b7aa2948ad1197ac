"""No hot query of a server database reads a whole big table: each is run by its service and then
explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import BigInteger, Column, String, Table, event
from sqlalchemy.engine import Connection

from checkout.services import card_refunds, payments, quotes
from checkout.tasks import count_companions
from enterprises.services.budgets import expire_credit
from kernel import clock, idempotency, outbox
from kernel.auth.services import find_actor, purge_sessions
from kernel.db import Base, db, read_only, write_transaction
from kernel.tasks import LANES
from merchants.feeds import memory
from points.services.holds import expire_points
from search import documents
from shop.services.browsing import newest_products
from shop.services.catalogue_import import CatalogueRow, RowChange, apply_rows
from tests.factories.cashier import Mall, Shopper, build_mall, rows
from tests.factories.catalogue import category
from tests.integration.checkout.desk import CardDesk

pytestmark = pytest.mark.server_only("SQLite plans in another way")

COPIES = 1500
# A table that grows with the shop. Others (categories, brands, pots) are read whole on purpose.
BIG = 500

# What grows, in an order in which nothing is copied twice.
GROWING = (
    "person",
    "membership",
    "employee",
    "user_session",
    "address",
    "product",
    "sku",
    "offer",
    "stock",
    "cart_item",
    "bought_together",
    "counted_order",
    "feed_last_row",
    "quote",
    "orders",
    "order_line",
    "order_funding",
    "order_event",
    "sub_order",
    "payment",
    "refund",
    "stock_hold",
    "lot",
    "wallet_hold",
    "wallet_hold_item",
    "ledger_transaction",
    "ledger_posting",
    "payable",
    "invoice",
    "outbox",
    "idempotency_key",
    "gateway_event",
    "grant_item",
)
FAR = 1_000_000  # ids of copies begin above those of real rows


def _copy(connection: Connection, table: Table) -> None:
    """Many rows like each that is there, with keys of their own."""
    names, values = [], []
    for column in table.columns:
        if column.computed is not None or (column.autoincrement is True):
            continue
        if table.autoincrement_column is column:
            continue
        names.append(f"`{column.name}`")
        values.append(_value(table, column))
    connection.exec_driver_sql(
        f"INSERT INTO `{table.name}` ({', '.join(names)}) "
        f"SELECT {', '.join(values)} FROM `{table.name}` AS old JOIN seq_1_to_{COPIES} AS s"
    )


def _value(table: Table, column: Column[Any]) -> str:
    own = f"old.`{column.name}`"
    is_key = column.primary_key or bool(column.foreign_keys) or column.unique or column.index
    named = any(column.name in index.columns for index in table.indexes) or any(
        column.name in getattr(constraint, "columns", ()) for constraint in table.constraints
    )
    if not (is_key or named) or column.name in {"state", "lane", "asset", "kind", "account"}:
        return own
    # The row that is copied tells copies of different rows apart.
    apart = f"CRC32(CONCAT_WS('/', {', '.join(f'old.`{c.name}`' for c in table.primary_key)}))"
    if isinstance(column.type, BigInteger) or column.type.python_type is int:
        if column.name in {"line", "number"}:
            return own
        return f"{FAR} + s.seq * 1000 + MOD({apart}, 1000)"
    if isinstance(column.type, String):
        length = column.type.length or 64
        return f"RIGHT(CONCAT('c', s.seq, 'x', {apart}), {length})"
    return own


@contextmanager
def _watched() -> Iterator[dict[str, Any]]:
    """Statements with parameters that are sent meanwhile, each once."""
    seen: dict[str, Any] = {}

    def note(_conn: Any, _cursor: Any, statement: str, params: Any, _ctx: Any, many: bool) -> None:
        if statement.lstrip().split(None, 1)[0] in {"SELECT", "UPDATE", "DELETE"}:
            seen.setdefault(statement, params[0] if many else params)

    engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def _whole_reads(seen: dict[str, Any]) -> list[str]:
    """What reads all rows, or all of an index, of a big table."""
    found = []
    with db.engine.connect() as connection:
        for statement, params in seen.items():
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", params).mappings().all()
            for step in plan:
                # Of an index that a LIMIT ends early the plan counts only what is read.
                whole = step["type"] in {"ALL", "index"} and int(step["rows"] or 0) > BIG
                derived = str(step["table"]).startswith("<")
                if whole and not derived:
                    found.append(f"{step['table']} ({step['rows']} rows): {statement}")
    return found


@pytest.fixture
def big(app: Flask, desk: CardDesk) -> tuple[Mall, Shopper, str]:
    """A shop in which much has happened already, and one more order."""
    mall = build_mall()
    buyer = Shopper(app, mall.buyer, mall.address_id)
    with write_transaction():
        row = _row(0)
        [offer_id] = apply_rows(merchant_id=mall.north.id, changes=[RowChange(row)], at=_now())
        memory.keep_rows(mall.north.id, new=[(row.sku_code, offer_id, "x")], changed=[])
    buyer.order({mall.tea.public_id: 1}, credit_minor=100, points=10)
    order = buyer.order({mall.quilt.public_id: 1, mall.tea.public_id: 1})
    count_companions([order["order_id"]])
    buyer.call("PUT", f"/cart/items/{mall.rice.public_id}", json={"quantity": 1, "chosen": True})
    with write_transaction():
        connection = db.session.connection()
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        connection.exec_driver_sql("UPDATE outbox SET state = 'done'")
        for name in GROWING:
            _copy(connection, Base.metadata.tables[name])
        connection.exec_driver_sql("SET foreign_key_checks = 1")
    with db.engine.connect() as connection:
        for name in GROWING:
            connection.exec_driver_sql(f"ANALYZE TABLE `{name}`")
    return mall, buyer, str(order["order_id"])


def _now() -> Any:
    return clock.real_now()


def _row(number: int) -> CatalogueRow:
    return CatalogueRow(
        product_code=f"QP{number}",
        sku_code=f"Q{number}",
        title="羊毛毯",
        category_id=category("bedding.quilt").id,
        price_minor=100 + number,
        list_price_minor=200,
        stock=number,
        tax_code="1040110000000000000",
        unit="条",
        barcode="6901234567892",
    )


def test_no_hot_query_reads_a_whole_big_table(big: tuple[Mall, Shopper, str]) -> None:
    mall, buyer, order_id = big
    finance = Shopper(buyer.app, mall.company.finance)
    with _watched() as seen:
        _shop(mall, buyer, order_id)
        _look_at_the_enterprise(finance, order_id)
        _jobs()
        _feed(mall)
        _index()
    assert len(seen) > 80
    whole = _whole_reads(seen)
    assert not whole, "\n\n".join(whole)


def _shop(mall: Mall, buyer: Shopper, order_id: str) -> None:
    quilt = rows("SELECT public_id FROM product ORDER BY id LIMIT 1")[0][0]
    for path in (
        "/me",
        "/me/settings",
        f"/products/{quilt}",
        f"/products/{quilt}/bought-together",
        "/cart",
        "/addresses",
        "/orders",
        "/orders?state=paid",
        f"/orders/{order_id}",
        f"/orders/{order_id}/invoice",
        "/wallet",
        "/wallet/statement",
    ):
        buyer.get(path)
    placed = buyer.order({mall.rice.public_id: 1, mall.tea.public_id: 2}, points=100)
    count_companions([placed["order_id"]])
    seen = buyer.get(f"/orders/{placed['order_id']}")
    line = seen["lines"][0]["line_id"]
    assert buyer.preview(placed["order_id"], {line: 1}).status_code == 200
    assert buyer.give_back(placed["order_id"], {line: 1}).status_code == 201
    waiting = buyer.order({mall.rice.public_id: 1}, credit_minor=100, points=0)
    assert waiting["payment"] is not None
    with read_only():
        find_actor(buyer.token)


def _look_at_the_enterprise(finance: Shopper, order_id: str) -> None:
    for path in ("/enterprise/overview", "/enterprise/orders", "/enterprise/orders?month=2026-11"):
        finance.get(path)
    finance.get(f"/orders/{order_id}/invoice")


def _jobs() -> None:
    work: tuple[Callable[[], object], ...] = (
        payments.sweep_unpaid,
        payments.ask_open_payments,
        card_refunds.send_refunds,
        card_refunds.return_late_payments,
        expire_credit,
        expire_points,
    )
    for job in work:
        job()
    with write_transaction():
        quotes.purge_quotes()
        idempotency.purge()
        purge_sessions()
        outbox.purge(older_than=timedelta(days=9))
    with read_only():
        for lane in LANES:
            outbox.take(lane=lane)
        outbox.backlog()


def _feed(mall: Mall) -> None:
    with read_only():
        kept = memory.recall_rows(mall.north.id, [f"Q{n}" for n in range(200)])
    offer_id = kept["Q0"][0]
    with write_transaction():
        changes = [RowChange(_row(number)) for number in range(1, 40)]
        known = RowChange(_row(0), offer_id, frozenset({"stock", "price_minor", "title", "spec"}))
        apply_rows(merchant_id=mall.north.id, changes=[*changes, known], at=_now())
        memory.keep_rows(mall.north.id, new=[], changed=[("Q0", "y")])


def _index() -> None:
    with read_only():
        ids = documents.product_ids_after(0, limit=100)
        documents.read_changes(ids)
        documents.read_goods(ids, assortments=True)
        newest_products(categories=None, limit=20)
        newest_products(categories=[category("bedding").id], limit=20)
