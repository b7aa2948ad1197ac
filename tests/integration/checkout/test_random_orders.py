"""Random orders through the real services, card and all: every sum is exact, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout.services import card_refunds, orders, payments, refunds
from checkout.services.quotes import QuoteRequest, create_quote
from enterprises.services.companies import add_billing_entity
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from shop.rules import GoodsRule
from shop.services.catalogue import OfferView
from tests.factories.cashier import (
    Mall,
    assert_books_are_clean,
    give_address,
    invoices,
    order_row,
    postings,
    rows,
)
from tests.factories.catalogue import build_offer, category
from tests.factories.enterprises import build_pot, give_points, grant, hire
from tests.integration.checkout.desk import CardDesk

LEAVES = ("bedding.quilt", "grocery.rice", "tea.green-tea")


@dataclass(frozen=True)
class Story:
    """Prices with leaf and merchant, quantities, lots (pot, fen, days), points, what is asked
    for, and the returns as (line, units), which go on until nothing is left."""

    goods: list[tuple[int, int, int, int]]
    lots: list[tuple[int, int, int]]
    points: int
    ask_credit: int
    ask_points: int
    returns: list[tuple[int, int]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    price = st.one_of(st.integers(1, 20), st.integers(1, 200_000))
    goods = draw(
        st.lists(
            st.tuples(price, st.integers(0, 2), st.integers(0, 1), st.integers(1, 7)),
            min_size=1,
            max_size=5,
        )
    )
    amount = st.one_of(st.integers(1, 500), st.integers(1, 300_000))
    lots = draw(st.lists(st.tuples(st.integers(0, 3), amount, st.integers(1, 3)), max_size=5))
    return Story(
        goods=goods,
        lots=lots,
        points=draw(st.integers(1, 100_000)),
        ask_credit=draw(st.integers(0, 100)),  # per cent of what there is; 100 is "max"
        ask_points=draw(st.integers(0, 100)),
        returns=draw(
            st.lists(st.tuples(st.integers(0, len(goods) - 1), st.integers(1, 7)), max_size=6)
        ),
    )


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(stories())
def test_any_order_is_exact_when_paid_and_when_returned(
    mall: Mall, desk: CardDesk, story: Story
) -> None:
    actor, address_id, offers = _prepare(mall, story)
    before = _world()
    order_id = _buy(desk, actor, address_id, offers, story)
    _assert_paid_exactly(order_id)
    _return_all(order_id, actor, story)
    _assert_everything_is_back(order_id, before)
    assert_books_are_clean()


def _prepare(mall: Mall, story: Story) -> tuple[Actor, str, list[OfferView]]:
    with write_transaction():
        union = add_billing_entity(
            enterprise_id=mall.company.id, name="工会", tax_number="81330100MC0000001X"
        )
        tea = GoodsRule(include={"categories": frozenset({category("tea.green-tea").id})})
        pots = (
            mall.general,
            mall.food,
            build_pot(mall.company, "茶", rule=tea, pays_freight=True),
            build_pot(mall.company, "工会", entity=union),
        )
        actor = hire(mall.company.id)
        for pot, fen, days in story.lots:
            grant(mall.company, pots[pot], {actor: fen}, days=days)
        give_points(actor, story.points, days=1)
        give_points(actor, 77, days=2)
        offers = [
            build_offer(
                (mall.north, mall.south)[merchant], price_minor=price, category_key=LEAVES[leaf]
            )
            for price, leaf, merchant, _ in story.goods
        ]
        return actor, give_address(actor), offers


def _buy(
    desk: CardDesk, actor: Actor, address_id: str, offers: list[OfferView], story: Story
) -> str:
    items = tuple(
        (offer.public_id, quantity)
        for offer, (_, _, _, quantity) in zip(offers, story.goods, strict=True)
    )
    whole = create_quote(actor=actor, request=QuoteRequest(address_id, items))
    most = sum(c["amount_minor"] for c in whole["tenders"]["credit"])
    quote = create_quote(
        actor=actor,
        request=QuoteRequest(
            address_id,
            items,
            None if story.ask_credit == 100 else most * story.ask_credit // 100,
            None if story.ask_points == 100 else story.points * story.ask_points // 100,
        ),
    )
    _assert_quote_sums(quote)
    with write_transaction():
        order = orders.place_order(actor=actor, quote_id=quote["quote_id"])
        number, order_id = order.id, order.public_id
    if quote["tenders"]["cash_minor"]:
        view = payments.open_intent(order_id=number)
        assert view is not None
        assert desk.pay(view.intent_id) == 200
        assert payments.ask_gateway(order_id=number) == "paid"
    return order_id


def _assert_quote_sums(quote: Mapping[str, Any]) -> None:
    by_line: dict[str, int] = {}
    for row in quote["funding"]:
        assert row["amount_minor"] > 0
        by_line[row["line_id"]] = by_line.get(row["line_id"], 0) + row["amount_minor"]
    assert by_line == {line["line_id"]: line["payable_minor"] for line in quote["lines"]}
    tenders = quote["tenders"]
    credit = sum(c["amount_minor"] for c in tenders["credit"])
    assert (
        credit + tenders["points"]["amount_minor"] + tenders["cash_minor"]
        == (quote["payable_minor"])
    )


def _assert_paid_exactly(order_id: str) -> None:
    state, payable, credit, points, cash = order_row(order_id)
    assert state == "paid"
    assert credit + points + cash == payable
    sale = postings(order_id, "sale")
    assert sum(sale.values()) == 0
    debits = {name: amount for name, amount in sale.items() if amount > 0}
    assert sum(debits.values()) == payable
    assert sale.get(("CNY", "bank/receivable/points"), 0) == points
    assert sale.get(("CNY", "gateway/sandbox/clearing"), 0) == cash
    consumed = [a for (asset, _), a in postings(order_id, "capture").items() if asset == "CREDIT"]
    assert sum(a for a in consumed if a > 0) == credit
    found = invoices(order_id)
    assert [gross for _, _, _, gross in found] == ([credit] if credit else [])
    assert all(net + tax == gross for _, net, tax, gross in found)
    owed = rows(
        "SELECT sum(goods_minor + freight_minor), sum(commission_minor) FROM payable"
        " WHERE order_id = :id",
        id=order_id,
    )
    assert owed[0][0] == payable
    assert -sale.get(("CNY", "platform/commission"), 0) == owed[0][1]


def _return_all(order_id: str, actor: Actor, story: Story) -> None:
    lines = rows(
        "SELECT l.public_id, l.quantity FROM order_line l JOIN orders o ON o.id = l.order_id"
        " WHERE o.public_id = :id AND l.kind = 'goods' ORDER BY l.number",
        id=order_id,
    )
    left = dict(lines)
    wishes = [(lines[n][0], units) for n, units in story.returns]
    for line_id, units in [*wishes, *((line_id, 7) for line_id, _ in lines)]:
        units = min(units, left[line_id])
        if not units:
            continue
        left[line_id] -= units
        with write_transaction():
            [(number,)] = rows("SELECT id FROM orders WHERE public_id = :id", id=order_id)
            order = orders.lock_order(order_id=number)
            shown = refunds.plan(order=order, items={line_id: units}, kind="refund").view
            done = refunds.refund(
                order=order,
                items={line_id: units},
                kind="refund",
                reason="",
                actor=actor.person_public_id,
            )
            assert done.detail == shown
            assert done.amount_minor == sum(f["amount_minor"] for f in shown["funding"])
        for key in refunds.in_transit(order_id=number):
            assert card_refunds.send_refund(refund_key=key)


def _world() -> dict[str, Any]:
    """Balances that an order may move, of the whole database."""
    db.session.rollback()
    return {
        "lots": rows("SELECT public_id, available, held FROM lot ORDER BY id"),
        "stock": rows("SELECT offer_id, on_hand, held, sold FROM v_stock ORDER BY offer_id"),
        "book": sorted(rows("SELECT * FROM v_ledger_balances WHERE balance_minor <> 0")),
    }


def _assert_everything_is_back(order_id: str, before: dict[str, Any]) -> None:
    assert _world() == before
    assert order_row(order_id)[0] == "refunded"
    [(payable, refunded)] = rows(
        "SELECT payable_minor, refunded_minor FROM orders WHERE public_id = :id", id=order_id
    )
    assert refunded == payable
    assert not rows(
        "SELECT 1 FROM order_funding f JOIN orders o ON o.id = f.order_id"
        " WHERE o.public_id = :id AND f.refunded_minor <> f.amount_minor",
        id=order_id,
    )
    totals = [sum(column) for column in zip(*(i[1:] for i in invoices(order_id)), strict=True)]
    assert totals in ([], [0, 0, 0])
    assert not rows(
        "SELECT 1 FROM payable WHERE order_id = :id AND (refunded_minor <> goods_minor +"
        " freight_minor OR refunded_commission_minor <> commission_minor)",
        id=order_id,
    )
