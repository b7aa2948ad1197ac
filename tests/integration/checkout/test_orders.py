"""From quote to order: what is held, what is captured, and every entry of the books."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from enterprises.services.companies import set_programme_rule
from kernel import clock
from kernel.auth.services import end_membership
from kernel.db import write_transaction
from kernel.ids import public_id
from kernel.worker import drain_all
from shop.rules import GoodsRule
from shop.services.cart import put_in_cart
from shop.services.catalogue import open_seller, set_price
from shop.services.stock import set_available
from tests.factories.cashier import (
    API,
    Mall,
    Shopper,
    apart,
    assert_books_are_clean,
    body,
    everything,
    give_address,
    invoices,
    lot,
    order_row,
    postings,
    problem,
    rows,
    stock,
    transactions,
)
from tests.factories.catalogue import build_offer, category
from tests.factories.enterprises import grant, hire
from tests.integration.checkout.desk import DECLINED, CardDesk, payment_state


def test_credit_alone_is_captured_at_once(mall: Mall, buyer: Shopper) -> None:
    order = buyer.order({mall.quilt.public_id: 2, mall.rice.public_id: 1})
    assert (order["state"], order["payment"]) == ("paid", None)
    order_id = order["order_id"]
    # 2 × 9,900 + 3,333 + 800 of freight.
    assert order_row(order_id) == ("paid", 23_933, 23_933, 0, 0)
    assert transactions(order_id) == ["hold", "capture", "sale"]
    enterprise = mall.company.public_id
    general, food = (f"lot/{mall.lots[name]}" for name in ("general", "food"))
    assert postings(order_id, "hold") == {
        ("CREDIT", f"{general}/available"): -20_600,
        ("CREDIT", f"{general}/held"): 20_600,
        ("CREDIT", f"{food}/available"): -3_333,
        ("CREDIT", f"{food}/held"): 3_333,
    }
    assert postings(order_id, "capture") == {
        ("CREDIT", f"{general}/held"): -20_600,
        ("CREDIT", f"{food}/held"): -3_333,
        ("CREDIT", f"enterprise/{enterprise}/consumed"): 23_933,
    }
    # Commission of 5% on goods, tax included, none on freight: 990 and 166.65.
    assert postings(order_id, "sale") == {
        ("CNY", f"enterprise/{enterprise}/receivable"): 23_933,
        ("CNY", f"merchant/{mall.north.public_id}/payable"): -19_610,
        ("CNY", f"merchant/{mall.south.public_id}/payable"): -3_166,
        ("CNY", "platform/commission"): -1_157,
    }
    assert stock(mall.quilt) == (98, 0, 2)
    assert stock(mall.rice) == (99, 0, 1)
    assert lot(mall.lots["general"]) == (79_400, 0)
    assert lot(mall.lots["food"]) == (26_667, 0)
    # 13% in 20,600 and 9% in 3,333.
    assert invoices(order_id) == [("blue", 23_933 - 2_369 - 275 - 1, 2_645, 23_933)]
    assert_books_are_clean()


def test_points_and_card_wait_for_the_signed_notice(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = buyer.order(
        {mall.quilt.public_id: 1, mall.tea.public_id: 2, mall.rice.public_id: 1},
        credit_minor=15_000,
        points=1_000,
    )
    order_id, payment = order["order_id"], order["payment"]
    assert order["state"] == "pending_payment"
    assert payment["amount_minor"] == 7_033
    assert payment["gateway_url"] == "http://localhost/gateway"
    assert payment["card_page_url"].startswith(
        f"http://localhost/gateway/pay/{payment['intent_id']}?client_secret="
    )
    intent = desk.intent(payment["intent_id"])
    assert (intent["amount"], intent["currency"]) == (7_033, "cny")
    assert intent["metadata"]["order_id"] == order_id
    # Held, not spent: nothing of money in the books.
    assert transactions(order_id) == ["hold"]
    assert order_row(order_id) == ("pending_payment", 23_033, 15_000, 1_000, 7_033)
    assert stock(mall.quilt) == (100, 1, 0)
    assert lot(mall.lots["points"]) == (29_000, 1_000)
    assert lot(mall.lots["food"]) == (17_667, 12_333)
    assert invoices(order_id) == []
    assert_books_are_clean()

    desk.paid(order)

    assert order_row(order_id) == ("paid", 23_033, 15_000, 1_000, 7_033)
    assert payment_state(order_id) == "succeeded"
    assert transactions(order_id) == ["hold", "capture", "sale"]
    assert postings(order_id, "capture") == {
        ("CREDIT", f"lot/{mall.lots['general']}/held"): -2_667,
        ("CREDIT", f"lot/{mall.lots['food']}/held"): -12_333,
        ("CREDIT", f"enterprise/{mall.company.public_id}/consumed"): 15_000,
        ("POINT", f"lot/{mall.lots['points']}/held"): -1_000,
        ("POINT", "bank/redeemed"): 1_000,
    }
    assert postings(order_id, "sale") == {
        ("CNY", f"enterprise/{mall.company.public_id}/receivable"): 15_000,
        ("CNY", "bank/receivable/points"): 1_000,
        ("CNY", "gateway/sandbox/clearing"): 7_033,
        ("CNY", f"merchant/{mall.north.public_id}/payable"): -10_205,
        ("CNY", f"merchant/{mall.south.public_id}/payable"): -11_716,
        ("CNY", "platform/commission"): -1_112,
    }
    assert stock(mall.quilt) == (99, 0, 1)
    assert lot(mall.lots["points"]) == (29_000, 0)
    # Only what credit paid: 2,667 and 9,000 at 13%, 3,333 at 9%.
    assert invoices(order_id) == [("blue", 15_000 - 307 - 1_035 - 275, 1_617, 15_000)]
    seen = buyer.get(f"/orders/{order_id}/invoice")
    assert [(x["name"], x["rate"], x["tax_minor"], x["gross_minor"]) for x in seen["lines"]] == [
        ("*被子*桑蚕丝夏被", "13%", 307, 2_667),
        ("*绿茶*明前龙井", "13%", 1_035, 9_000),
        ("*米面杂粮*五常大米", "9%", 275, 3_333),
    ]
    assert_books_are_clean()


def test_a_declined_card_may_be_tried_again(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    order = buyer.order({mall.quilt.public_id: 1}, credit_minor=0)
    intent_id = order["payment"]["intent_id"]
    assert desk.pay(intent_id, DECLINED) == 402
    failed = desk.notice(intent_id, "payment_intent.payment_failed")
    assert desk.deliver(failed).status_code == 200
    assert order_row(order["order_id"])[0] == "pending_payment"
    assert stock(mall.quilt) == (100, 1, 0)
    desk.paid(order)
    # The old news once more, late: it changes nothing.
    assert desk.deliver(failed).status_code == 200
    assert order_row(order["order_id"]) == ("paid", 10_700, 0, 0, 10_700)
    assert transactions(order["order_id"]) == ["sale"]
    refused = buyer.call("GET", f"/orders/{order['order_id']}/invoice")
    problem(refused, 404, "no_enterprise_invoice")
    assert_books_are_clean()


def test_ordered_goods_leave_the_cart_and_the_sales_count_follows(
    mall: Mall, buyer: Shopper
) -> None:
    with write_transaction():
        for offer in (mall.quilt, mall.tea):
            put_in_cart(
                membership_id=mall.buyer.membership_id, offer_id=offer.public_id, quantity=3
            )
    buyer.order({mall.tea.public_id: 3})
    assert buyer.get("/cart")["count"] == 3
    drain_all()
    assert buyer.get(f"/products/{mall.tea.product_id}")["sold"] == 3


# Refusals: nothing has moved ---------------------------------------------------------------------
def test_a_changed_price_gives_a_fresh_quote(mall: Mall, buyer: Shopper) -> None:
    quote = buyer.quote(
        {mall.quilt.public_id: 1, mall.tea.public_id: 1}, credit_minor=4_000, points=50
    )
    with write_transaction():
        set_price(offer_id=mall.tea.public_id, price_minor=4_600)
    before = everything()
    refused = problem(buyer.place(quote["quote_id"]), 409, "price_changed")
    assert everything() == before
    fresh = refused["quote"]
    assert fresh["quote_id"] != quote["quote_id"]
    assert fresh["payable_minor"] == quote["payable_minor"] + 100
    assert fresh["tenders"]["points"]["points"] == 50
    assert sum(c["amount_minor"] for c in fresh["tenders"]["credit"]) == 4_000
    assert body(buyer.place(fresh["quote_id"]), 201)["state"] == "pending_payment"


def test_a_changed_price_quotes_again_what_the_cart_was(mall: Mall, buyer: Shopper) -> None:
    path = f"/cart/items/{mall.tea.public_id}"
    body(buyer.call("PUT", path, json={"quantity": 2}), 200)
    quote = buyer.quote(None)
    body(buyer.call("DELETE", path), 200)
    with write_transaction():
        set_price(offer_id=mall.tea.public_id, price_minor=4_400)
    refused = problem(buyer.place(quote["quote_id"]), 409, "price_changed")
    assert [(x["title"], x["quantity"]) for x in refused["quote"]["lines"]] == [("明前龙井", 2)]


def test_a_quote_ends(mall: Mall, buyer: Shopper) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    before = everything()
    with clock.frozen(clock.now() + timedelta(minutes=15, seconds=1)):
        problem(buyer.place(quote_id), 409, "quote_expired")
    assert everything() == before
    with clock.frozen(clock.now() + timedelta(minutes=14)):
        body(buyer.place(quote_id), 201)


def test_a_quote_is_used_once(mall: Mall, buyer: Shopper) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    body(buyer.place(quote_id), 201)
    before = everything()
    problem(buyer.place(quote_id), 409, "quote_used")
    assert everything() == before


def test_somebody_elses_quote_and_order_are_not_found(
    app: Flask, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    order_id = buyer.order({mall.tea.public_id: 1})["order_id"]
    with write_transaction():
        colleague = hire(mall.company.id)
    other = Shopper(app, colleague)
    before = everything()
    problem(other.place(quote_id), 404, "not_found")
    problem(other.call("GET", f"/orders/{order_id}"), 404, "not_found")
    problem(other.cancel(order_id), 404, "not_found")
    problem(other.give_back(order_id, {"ln_x": 1}), 404, "not_found")
    problem(other.preview(order_id, {"ln_x": 1}), 404, "not_found")
    problem(other.call("GET", f"/orders/{order_id}/invoice"), 404, "not_found")
    receipt = other.call("POST", f"/orders/{order_id}/confirm-receipt", key="k")
    problem(receipt, 404, "not_found")
    problem(other.place("quo_unknown"), 404, "not_found")
    assert everything() == before


def test_goods_that_sold_out_since_the_quote(mall: Mall, buyer: Shopper) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1, mall.tea.public_id: 2})["quote_id"]
    with write_transaction():
        set_available(offer_id=mall.tea.id, units=1)
    before = everything()
    refused = problem(buyer.place(quote_id), 409, "out_of_stock")
    assert refused["offer_id"] == mall.tea.public_id
    assert everything() == before
    # The quote was not used up: it works once there is enough again.
    with write_transaction():
        set_available(offer_id=mall.tea.id, units=2)
    body(buyer.place(quote_id), 201)
    assert stock(mall.tea) == (0, 0, 2)


def test_credit_spent_meanwhile(mall: Mall, buyer: Shopper) -> None:
    first, second = (buyer.quote({mall.quilt.public_id: 6})["quote_id"] for _ in range(2))
    body(buyer.place(first), 201)
    before = everything()
    problem(buyer.place(second), 409, "insufficient_credit")
    assert everything() == before


def test_points_spent_meanwhile(mall: Mall, buyer: Shopper) -> None:
    ask = {"credit_minor": 0, "points": "max"}
    first, second = (buyer.quote({mall.quilt.public_id: 2}, **ask)["quote_id"] for _ in range(2))
    body(buyer.place(first), 201)
    before = everything()
    problem(buyer.place(second), 409, "insufficient_points")
    assert everything() == before


def test_credit_that_expires_between_quote_and_order(app: Flask, mall: Mall) -> None:
    with write_transaction():
        late = hire(mall.company.id)
        grant(mall.company, mall.general, {late: 10_000}, days=0.005)
        address_id = give_address(late)
    shopper = Shopper(app, late, address_id)
    quote_id = shopper.quote({mall.tea.public_id: 1})["quote_id"]
    with clock.frozen(clock.now() + timedelta(minutes=10)):
        before = everything()
        problem(shopper.place(quote_id), 409, "insufficient_credit")
        assert everything() == before


def test_goods_that_were_hidden_or_closed_since_the_quote(mall: Mall, buyer: Shopper) -> None:
    tea, quilt = (buyer.quote({offer.public_id: 1})["quote_id"] for offer in (mall.tea, mall.quilt))
    with write_transaction():
        rule = GoodsRule(exclude={"categories": frozenset({category("tea").id})})
        set_programme_rule(enterprise_id=mall.company.id, rule=rule)
        open_seller(merchant_id=mall.north.id, open_=False, freight_minor=0, free_from_minor=None)
    before = everything()
    problem(buyer.place(tea), 404, "unknown_offer")
    problem(buyer.place(quilt), 404, "unknown_offer")
    assert everything() == before


def test_who_left_since_the_quote_spends_nothing_of_the_company(mall: Mall, buyer: Shopper) -> None:
    credit = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    card = buyer.quote({mall.tea.public_id: 1}, credit_minor=0)["quote_id"]
    end_membership(membership_id=mall.buyer.membership_id)
    before = everything()
    problem(buyer.place(credit), 409, "insufficient_credit")
    assert everything() == before
    assert body(buyer.place(card), 201)["payment"]["amount_minor"] == 4_500


@pytest.mark.parametrize("key", [None, "", "k" * 256, "tab\there"])
def test_without_a_proper_key_nothing_is_ordered(
    mall: Mall, buyer: Shopper, key: str | None
) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    before = everything()
    answer = buyer.call("POST", "/checkout/orders", json={"quote_id": quote_id}, key=key)
    problem(answer, 400, "idempotency_key_required")
    assert everything() == before


def test_orders_need_sign_in_role_and_token(app: Flask, mall: Mall, buyer: Shopper) -> None:
    payload = {"quote_id": buyer.quote({mall.tea.public_id: 1})["quote_id"]}
    before = everything()
    headers = {"Idempotency-Key": "k"}
    anonymous = apart(
        lambda: app.test_client().post(f"{API}/checkout/orders", json=payload, headers=headers)
    )
    problem(anonymous, 401, "not_signed_in")
    hr = Shopper(app, mall.company.hr)
    problem(hr.call("POST", "/checkout/orders", json=payload, key="k"), 403, "forbidden")
    buyer.csrf = ""
    problem(buyer.call("POST", "/checkout/orders", json=payload, key="k"), 403, "bad_csrf_token")
    assert everything() == before


def test_an_order_that_costs_nothing_is_simply_paid(mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        sample = build_offer(mall.south, title="试用装", price_minor=0)
    order = buyer.order({sample.public_id: 1})
    assert (order["state"], order["payment"]) == ("paid", None)
    assert order_row(order["order_id"]) == ("paid", 0, 0, 0, 0)
    assert transactions(order["order_id"]) == []
    assert stock(sample) == (99, 0, 1)
    back = body(buyer.cancel(order["order_id"]), 200)
    assert (back["state"], back["refunded_minor"]) == ("refunded", 0)
    assert stock(sample) == (100, 0, 0)
    assert_books_are_clean()


def test_a_card_part_that_the_gateway_refuses_closes_the_order(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    with write_transaction():
        # Beyond the eight digits that the gateway takes in one payment.
        tower = build_offer(mall.south, price_minor=200_000_000)
    quote_id = buyer.quote({tower.public_id: 1}, credit_minor=1_000, points=10)["quote_id"]
    with_key = public_id("key")
    problem(buyer.place(quote_id, key=with_key), 409, "card_payment_refused")
    [(order_id, state)] = rows("SELECT public_id, state FROM orders")
    assert state == "closed"
    assert payment_state(order_id) == "canceled"
    assert stock(tower) == (100, 0, 0)
    assert lot(mall.lots["general"]) == (100_000, 0)
    assert lot(mall.lots["points"]) == (30_000, 0)
    assert desk.intents_of(order_id) == []
    again = body(buyer.place(quote_id, key=with_key), 201)
    assert again == {"order_id": order_id, "state": "closed", "payment": None}
    assert_books_are_clean()
