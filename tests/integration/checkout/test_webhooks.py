"""The gateway's notices: believed by their signature, counted once, in any order (X5, X6)."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from checkout.gateways.sandbox.sender import sign
from checkout.services.payments import sweep_unpaid
from kernel.db import db
from tests.databases import Database
from tests.factories.cashier import (
    Mall,
    Shopper,
    assert_books_are_clean,
    body,
    everything,
    order_row,
    postings,
    problem,
    rows,
    stock,
    transactions,
)
from tests.factories.surroundings import settings_of
from tests.functional.gateway.parts import SECRET, Notice, eventually
from tests.integration.checkout.desk import (
    DECLINED,
    PENDING_REFUND,
    CardDesk,
    intent_event,
    payment_state,
    signed,
)


def card_order(buyer: Shopper, mall: Mall) -> Any:
    """¥107.00: 7.00 by credit, 0.50 by points, the rest by card."""
    return buyer.order({mall.quilt.public_id: 1}, credit_minor=700, points=50)


CARD_PART = 9_950


def test_what_is_not_signed_by_the_gateway_now_changes_nothing(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = card_order(buyer, mall)
    assert desk.pay(order["payment"]["intent_id"]) == 200
    real = desk.notice(order["payment"]["intent_id"], "payment_intent.succeeded")
    now, before = int(time.time()), everything()
    stale, future = (sign(real.raw, [SECRET], at=at) for at in (now - 301, now - 86_400))
    forged = real.raw.replace(b'"amount": 9950', b'"amount": 9951')
    assert forged != real.raw
    for raw, signature, reason in (
        (real.raw, None, "signature_missing"),
        (real.raw, "", "signature_missing"),
        (real.raw, "nonsense", "signature_invalid"),
        (real.raw, f"t={now}", "signature_invalid"),
        (real.raw, f"t={now},v1={'0' * 64}", "signature_invalid"),
        (real.raw, sign(real.raw, ["whsec_of_another"], at=now), "signature_invalid"),
        (forged, real.signature, "signature_invalid"),
        (real.raw + b" ", real.signature, "signature_invalid"),
        (real.raw, stale, "signature_stale"),
        (real.raw, future, "signature_stale"),
        (b"[]", sign(b"[]", [SECRET], at=now), "payload_invalid"),
        (b"", sign(b"", [SECRET], at=now), "payload_invalid"),
        (b"\xff", sign(b"\xff", [SECRET], at=now), "payload_invalid"),
    ):
        refused = problem(desk.deliver_raw(raw, signature), 400, "bad_webhook")
        assert refused["reason"] == reason
        assert everything() == before
    assert rows("SELECT count(*) FROM gateway_event") == [(0,)]
    assert desk.deliver(real).status_code == 200
    assert order_row(order["order_id"])[0] == "paid"


def test_any_of_several_secrets_counts_while_one_is_replaced(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = card_order(buyer, mall)
    assert desk.pay(order["payment"]["intent_id"]) == 200
    real = desk.notice(order["payment"]["intent_id"], "payment_intent.succeeded")
    with settings_of(gateway_webhook_secrets=f"whsec_new,{SECRET}"):
        assert desk.deliver(real).status_code == 200
    assert order_row(order["order_id"])[0] == "paid"


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": CARD_PART - 1},
        {"received": CARD_PART - 1},
        {"received": 0},
        {"currency": "usd"},
        {"intent_id": "pi_of_another_order"},
        {"kind": "payment_intent.canceled", "intent_id": "pi_of_another_order"},
    ],
    ids=["amount", "received less", "received none", "currency", "intent", "cancelled intent"],
)
def test_what_does_not_fit_the_payment_is_refused(
    mall: Mall, buyer: Shopper, desk: CardDesk, wrong: dict[str, Any]
) -> None:
    order = card_order(buyer, mall)
    right = {
        "order_id": order["order_id"],
        "event_id": "evt_1",
        "intent_id": order["payment"]["intent_id"],
        "amount": CARD_PART,
    }
    before = everything()
    answer = desk.deliver_raw(*signed(intent_event(**(right | wrong))))
    problem(answer, 400, "bad_webhook")
    assert everything() == before
    # It was not taken in, so the right one of the same id still counts.
    assert rows("SELECT count(*) FROM gateway_event") == [(0,)]
    assert desk.deliver_raw(*signed(intent_event(**right))).status_code == 200
    assert order_row(order["order_id"])[0] == "paid"


def test_the_intent_of_another_order_pays_none(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    first, second = card_order(buyer, mall), card_order(buyer, mall)
    event = intent_event(
        first["order_id"],
        event_id="evt_1",
        intent_id=second["payment"]["intent_id"],
        amount=CARD_PART,
    )
    before = everything()
    problem(desk.deliver_raw(*signed(event)), 400, "bad_webhook")
    assert everything() == before


def test_an_order_without_a_card_part_is_paid_by_no_notice(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = buyer.order({mall.tea.public_id: 1})
    before = everything()
    event = intent_event(order["order_id"], event_id="evt_1", intent_id="pi_x", amount=4_500)
    problem(desk.deliver_raw(*signed(event)), 400, "bad_webhook")
    assert everything() == before


def test_notices_about_what_is_not_ours_are_taken_and_change_nothing(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    card_order(buyer, mall)
    before = everything()
    stranger = intent_event("ord_unknown", event_id="evt_1", intent_id="pi_x", amount=1)
    nameless = intent_event("", event_id="evt_2", intent_id="pi_y", amount=1)
    del nameless["data"]["object"]["metadata"]["order_id"]
    payout = {**stranger, "id": "evt_3", "type": "payout.paid", "data": {"object": {}}}
    refund = _refund_event("evt_4", "ref_unknown", 100)
    late = _refund_event("evt_5", "late-ord_unknown", 100)
    cancelled = intent_event(
        "ord_unknown", kind="payment_intent.canceled", event_id="evt_6", intent_id="p", amount=1
    )
    for event in (stranger, nameless, payout, refund, late, cancelled):
        answer = desk.deliver_raw(*signed(event))
        assert body(answer, 200) == {"received": True}
    assert everything() == before


def _refund_event(event_id: str, refund_id: str, amount: int) -> dict[str, Any]:
    return {
        "id": event_id,
        "object": "event",
        "type": "refund.updated",
        "created": int(time.time()),
        "livemode": False,
        "data": {
            "object": {
                "id": "re_1",
                "object": "refund",
                "status": "succeeded",
                "amount": amount,
                "currency": "cny",
                "payment_intent": "pi_1",
                "charge": "ch_1",
                "metadata": {"refund_id": refund_id},
                "created": int(time.time()),
            }
        },
    }


def test_a_notice_twice_counts_once(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    order = card_order(buyer, mall)
    desk.paid(order)
    before = everything()
    real = desk.notice(order["payment"]["intent_id"], "payment_intent.succeeded")
    for _ in range(3):
        assert desk.deliver(real).status_code == 200
    # Nor does a second event of another id about the same payment.
    again = intent_event(
        order["order_id"],
        event_id="evt_other",
        intent_id=order["payment"]["intent_id"],
        amount=CARD_PART,
    )
    assert desk.deliver_raw(*signed(again)).status_code == 200
    assert everything() == before


def test_success_that_comes_before_the_intent_is_committed_here(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=700, points=50)["quote_id"]
    desk.gateway.faults.plan("payment_intents.create", "late", seconds=3.2)
    problem(buyer.place(quote_id, key="mine"), 503, "gateway_unavailable")
    [(order_id,)] = rows("SELECT public_id FROM orders")
    [intent_id] = desk.intents_of(order_id)
    assert rows("SELECT intent_id FROM payment") == [(None,)]
    assert desk.pay(intent_id) == 200
    assert desk.deliver(desk.notice(intent_id, "payment_intent.succeeded")).status_code == 200
    assert order_row(order_id)[0] == "paid"
    assert rows("SELECT intent_id FROM payment") == [(intent_id,)]
    # The client's retry learns it; the refund finds the way back.
    assert body(buyer.place(quote_id, key="mine"), 201)["state"] == "paid"
    assert body(buyer.cancel(order_id), 200)["state"] == "refunded"
    assert desk.refunds_of(intent_id) == [("succeeded", CARD_PART)]
    assert_books_are_clean()


def test_a_refund_of_another_amount_is_not_believed(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = card_order(buyer, mall)
    desk.paid(order, PENDING_REFUND)
    body(buyer.cancel(order["order_id"]), 200)
    [(refund_id,)] = rows("SELECT public_id FROM refund")
    before = everything()
    wrong = _refund_event("evt_1", refund_id, CARD_PART - 1)
    problem(desk.deliver_raw(*signed(wrong)), 400, "bad_webhook")
    assert everything() == before


# X5 ----------------------------------------------------------------------------------------------
def test_events_shuffled_repeated_forged_and_stale_end_as_once_in_order(
    desk: CardDesk, mall: Mall, buyer: Shopper, database: Database
) -> None:
    orders = _orders_in_every_state(desk, mall, buyer)
    events = _all_notices(desk, orders)
    db.session.rollback()
    db.session.remove()
    start = database.keep()

    for notice in events:
        assert desk.deliver(notice).status_code == 200
    sweep_unpaid()
    expected = everything()
    assert {state for _, state, _ in expected["orders"]} == {"paid", "closed", "refunded"}
    assert_books_are_clean()

    database.put_back(start)
    dice = random.Random(20_261_124)
    deliveries = [(notice, "good") for notice in events for _ in range(dice.randint(1, 5))]
    for kind in ("forged", "stale"):
        deliveries += [(dice.choice(events), kind) for _ in range(len(deliveries) // 20)]
    dice.shuffle(deliveries)
    assert len(deliveries) >= 200
    for notice, kind in deliveries:
        _deliver_as(desk, notice, kind)
    sweep_unpaid()
    assert everything() == expected
    assert rows("SELECT count(*) FROM gateway_event") == [(len(events),)]
    assert_books_are_clean()


def _orders_in_every_state(desk: CardDesk, mall: Mall, buyer: Shopper) -> list[Any]:
    """Paid at once, paid after a decline, cancelled at the gateway, and refunded while the bank
    takes its time."""
    orders = []
    for number in range(24):
        order = buyer.order({mall.tea.public_id: 1}, credit_minor=100, points=number)
        intent_id = order["payment"]["intent_id"]
        if number % 4 == 1:
            assert desk.pay(intent_id, DECLINED) == 402
        if number % 4 == 2:
            assert desk.cancel(intent_id) == 200
        elif number % 4 == 3:
            desk.paid(order, PENDING_REFUND)
            body(buyer.cancel(order["order_id"]), 200)
        else:
            assert desk.pay(intent_id) == 200
        orders.append(order)
    return orders


# By order of the four kinds above: created and charged; declined in between; cancelled; refunded.
_EVENTS = 6 * (3 + 5 + 2 + 6)


def _all_notices(desk: CardDesk, orders: list[Any]) -> list[Notice]:
    """Everything that the gateway says of these orders, oldest first."""
    intents = [order["payment"]["intent_id"].encode() for order in orders]
    found: dict[str, tuple[int, int, Notice]] = {}

    def all_came() -> bool:
        for place, notice in enumerate(list(desk.receiver.notices)):
            if any(intent in notice.raw for intent in intents):
                event = json.loads(notice.raw)
                found.setdefault(event["id"], (event["created"], place, notice))
        return len(found) == _EVENTS

    eventually(all_came, seconds=10)
    _forget_events()
    return [notice for _, _, notice in sorted(found.values(), key=lambda one: one[:2])]


def _forget_events() -> None:
    """As if no notice had been taken in: those of paid orders come once more, too."""
    with db.engines[None].begin() as connection:
        connection.exec_driver_sql("DELETE FROM gateway_event")


def _deliver_as(desk: CardDesk, notice: Notice, kind: str) -> None:
    now = int(time.time())
    if kind == "good":
        answer = desk.deliver_raw(notice.raw, sign(notice.raw, [SECRET], at=now))
        assert body(answer, 200) == {"received": True}
    elif kind == "forged":
        answer = desk.deliver_raw(notice.raw, sign(notice.raw, ["whsec_forged"], at=now))
        assert problem(answer, 400, "bad_webhook")["reason"] == "signature_invalid"
    else:
        answer = desk.deliver_raw(notice.raw, sign(notice.raw, [SECRET], at=now - 400))
        assert problem(answer, 400, "bad_webhook")["reason"] == "signature_stale"


def test_the_balances_of_a_shuffled_day_are_the_sums_of_its_orders(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    orders = [buyer.order({mall.tea.public_id: 1}, credit_minor=500) for _ in range(6)]
    for order in orders:
        assert desk.pay(order["payment"]["intent_id"]) == 200
    notices = [
        desk.notice(order["payment"]["intent_id"], "payment_intent.succeeded") for order in orders
    ]
    random.Random(7).shuffle(notices)
    for notice in notices + notices[:3]:
        assert desk.deliver(notice).status_code == 200
    for order in orders:
        assert transactions(order["order_id"]) == ["hold", "capture", "sale"]
        assert postings(order["order_id"], "sale")["CNY", "gateway/sandbox/clearing"] == 4_000
        assert payment_state(order["order_id"]) == "succeeded"
    assert stock(mall.tea) == (94, 0, 6)
    assert_books_are_clean()
