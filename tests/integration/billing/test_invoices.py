"""Invoices in the database: one blue an order, red ones within it, and what finance may see."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from billing.sales import Sale, SaleLine
from billing.services.invoices import (
    NoEnterpriseInvoice,
    draw_invoice,
    find_invoice,
    find_red_invoice,
    invoice_summaries,
    verify_invoices,
)
from billing.services.payables import record_sale
from kernel.db import db, write_transaction
from kernel.ledger.services import balances
from tests.factories.cashier import Mall, Shopper, body, build_mall, invoices, rows


@pytest.fixture
def mall(app: Flask) -> Mall:
    return build_mall(invoice_detail="category")


def buy(app: Flask, mall: Mall) -> tuple[Shopper, str]:
    """Two rates, two merchants and freight, by credit: 9,900 + 800, 4,500 and 3,333."""
    buyer = Shopper(app, mall.buyer, mall.address_id)
    items = {offer.public_id: 1 for offer in (mall.quilt, mall.tea, mall.rice)}
    return buyer, buyer.order(items)["order_id"]


def sale(mall: Mall, *, credit: int, points: int = 0, cash: int = 0, **more: object) -> Sale:
    line = SaleLine(
        line_id="ln_1",
        kind="goods",
        merchant_id=mall.north.id,
        merchant_public_id=mall.north.public_id,
        name="桑蚕丝夏被",
        spec="200×230cm",
        unit="条",
        tax_code="1040110000000000000",
        category_name="被子",
        rate_bp=1_300,
        treatment="taxable",
        quantity=1,
        unit_price_minor=credit + points + cash,
        payable_minor=credit + points + cash,
        commission_minor=0,
        credit_minor=credit,
        points_minor=points,
        cash_minor=cash,
    )
    values = {
        "order_id": "ord_1",
        "sequence": 1,
        "enterprise_id": mall.company.id,
        "enterprise_public_id": mall.company.public_id,
        "billing_entity_id": mall.company.entity.public_id,
        "gateway": "sandbox",
        "lines": (line,),
    }
    return Sale(**(values | more))  # type: ignore[arg-type]  # values by name


def test_a_company_that_sees_categories_sees_no_goods(app: Flask, mall: Mall) -> None:
    buyer, order_id = buy(app, mall)
    seen = buyer.get(f"/orders/{order_id}/invoice")
    assert [(x["name"], x["rate"], x["gross_minor"]) for x in seen["lines"]] == [
        ("*被子*福利商品", "13%", 10_700),  # the freight follows the quilt
        ("*绿茶*福利商品", "13%", 4_500),
        ("*米面杂粮*福利商品", "9%", 3_333),
    ]
    assert "龙井" not in str(seen)
    assert seen["gross_minor"] == 18_533
    lines = {x["title"]: x["line_id"] for x in buyer.get(f"/orders/{order_id}")["lines"]}
    body(buyer.give_back(order_id, {lines["明前龙井"]: 1}), 201)
    [red] = find_invoice(order_id=order_id).red
    document = find_red_invoice(order_id=order_id, number=red[0])
    assert [(x.full_name, x.gross_minor) for x in document.lines] == [("*绿茶*福利商品", -4_500)]
    body(buyer.cancel(order_id), 200)
    blue, *reds = invoices(order_id)
    assert [sum(column) for column in zip(*(r[1:] for r in reds), strict=True)] == [
        -amount for amount in blue[1:]
    ]
    assert verify_invoices() == []


def test_numbers_are_unique_and_by_channel(app: Flask, mall: Mall) -> None:
    buyer, first = buy(app, mall)
    _, second = buy(app, mall)
    body(buyer.cancel(second), 200)
    numbers = rows("SELECT number, kind FROM v_invoices ORDER BY number")
    assert [(number[4], kind) for number, kind in numbers] == [
        ("1", "blue"),
        ("1", "blue"),
        ("2", "red"),
    ]
    assert {len(number) for number, _ in numbers} == {20}
    found = invoice_summaries(order_ids=[first, second, "ord_unknown"])
    assert {order_id: one.red_minor for order_id, one in found.items()} == {
        first: 0,
        second: -18_533,
    }
    assert found[first].rates == ("13%", "9%")
    assert invoice_summaries(order_ids=[]) == {}


def test_a_second_blue_invoice_of_one_order_cannot_be_kept(app: Flask, mall: Mall) -> None:
    with write_transaction():
        assert draw_invoice(sale(mall, credit=9_900))
    with pytest.raises(IntegrityError), write_transaction():
        draw_invoice(sale(mall, credit=9_900, sequence=2))
    assert rows("SELECT count(*) FROM invoice") == [(1,)]


def test_without_credit_there_is_no_invoice(app: Flask, mall: Mall) -> None:
    with write_transaction():
        assert draw_invoice(sale(mall, credit=0, cash=500)) is None
        assert draw_invoice(sale(mall, credit=500, billing_entity_id=None)) is None
    with pytest.raises(NoEnterpriseInvoice):
        find_invoice(order_id="ord_1")
    with pytest.raises(NoEnterpriseInvoice):
        find_red_invoice(order_id="ord_1", number="1")


def test_tenders_that_do_not_pay_a_line_are_a_programming_error(app: Flask, mall: Mall) -> None:
    line = sale(mall, credit=100).lines[0]
    values = {name: getattr(line, name) for name in SaleLine.__slots__}
    with pytest.raises(ValueError, match="its tenders do not pay it"):
        SaleLine(**(values | {"payable_minor": 101}))


def test_a_discount_is_paid_by_who_funds_it(app: Flask, mall: Mall) -> None:
    """The merchant gets its full due, the bank owes what it gave (Domain rule 24)."""
    north = mall.north.public_id
    with write_transaction():
        record_sale(
            sale(
                mall,
                credit=600,
                points=100,
                cash=200,
                funded_discounts={("bank", "bnk_1", north): 50},
            )
        )
    db.session.rollback()
    found = {name: amount for (name, asset), amount in balances().items() if asset == "CNY"}
    assert found == {
        f"enterprise/{mall.company.public_id}/receivable": 600,
        "bank/receivable/points": 100,
        "gateway/sandbox/clearing": 200,
        "funder/bank/bnk_1/discount": 50,
        f"merchant/{north}/payable": -950,
    }


def test_red_beyond_blue_is_found(app: Flask, mall: Mall) -> None:
    buyer, order_id = buy(app, mall)
    body(buyer.cancel(order_id), 200)
    assert verify_invoices() == []
    db.session.rollback()
    with db.engines[None].begin() as connection:
        connection.exec_driver_sql(
            "UPDATE invoice SET gross_minor = gross_minor - 1 WHERE kind = 'red'"
        )
    [fault] = verify_invoices()
    assert fault.endswith("-18534 reversed of 18533")
    db.session.rollback()
