"""Giving up an unpaid order: the intent first, then stock, lots and points (Domain rule 9, X6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from checkout.models import Payment
from checkout.services import payments
from checkout.services.card_refunds import send_refunds
from checkout.services.gateway_link import gateway
from checkout.services.payments import ask_gateway, sweep_unpaid
from enterprises.services.budgets import expire_credit
from kernel import clock
from kernel.db import db, write_transaction
from shop.services.stock import set_available
from tests.factories.cashier import (
    Mall,
    Shopper,
    assert_books_are_clean,
    body,
    book,
    everything,
    give_address,
    lot,
    order_row,
    postings,
    problem,
    rows,
    stock,
    transactions,
)
from tests.factories.enterprises import grant, hire
from tests.integration.checkout.desk import (
    PENDING_REFUND,
    SLOW,
    CardDesk,
    intent_event,
    payment_state,
    signed,
)

CARD_PART = 9_950


@pytest.fixture
def order(mall: Mall, buyer: Shopper) -> Any:
    return buyer.order({mall.quilt.public_id: 1}, credit_minor=700, points=50)


@contextmanager
def later(**by: float) -> Iterator[None]:
    with clock.frozen(clock.now() + timedelta(**by)):
        yield


def assert_all_is_released(mall: Mall, order: Any) -> None:
    assert order_row(order["order_id"])[0] == "closed"
    assert payment_state(order["order_id"]) == "canceled"
    assert transactions(order["order_id"]) == ["hold", "release"]
    assert stock(mall.quilt) == (100, 0, 0)
    assert lot(mall.lots["general"]) == (100_000, 0)
    assert lot(mall.lots["points"]) == (30_000, 0)
    assert rows("SELECT state FROM sub_order") == [("closed",)]
    assert_books_are_clean()


def test_cancelling_cancels_the_intent_and_releases_all(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    order_id, intent_id = order["order_id"], order["payment"]["intent_id"]
    assert buyer.get(f"/orders/{order_id}")["actions"] == ["pay", "cancel"]
    seen = body(buyer.cancel(order_id, key="c"), 200)
    assert (seen["state"], seen["payment"], seen["actions"]) == ("closed", None, [])
    assert desk.intent(intent_id)["status"] == "canceled"
    assert desk.pay(intent_id) == 400
    assert_all_is_released(mall, order)
    assert rows("SELECT event, state FROM order_event") == [("close", "closed")]
    # The gateway's own news of it, the same key again, and another key.
    assert desk.deliver(desk.notice(intent_id, "payment_intent.canceled")).status_code == 200
    assert body(buyer.cancel(order_id, key="c"), 200) == seen
    problem(buyer.cancel(order_id), 409, "bad_order_state")
    assert_all_is_released(mall, order)


def test_an_intent_cancelled_at_the_gateway_closes_the_order(
    desk: CardDesk, mall: Mall, order: Any
) -> None:
    intent_id = order["payment"]["intent_id"]
    assert desk.cancel(intent_id) == 200
    assert desk.deliver(desk.notice(intent_id, "payment_intent.canceled")).status_code == 200
    assert_all_is_released(mall, order)


def test_cancelling_what_the_card_has_paid_captures_it(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    assert desk.pay(order["payment"]["intent_id"]) == 200  # and no notice has come yet
    seen = body(buyer.cancel(order["order_id"]), 200)
    assert seen["state"] == "paid"
    assert payment_state(order["order_id"]) == "succeeded"
    assert transactions(order["order_id"]) == ["hold", "capture", "sale"]
    assert stock(mall.quilt) == (99, 0, 1)
    before = everything()
    notice = desk.notice(order["payment"]["intent_id"], "payment_intent.succeeded")
    assert desk.deliver(notice).status_code == 200
    assert everything() == before
    assert_books_are_clean()


def test_a_payment_in_progress_is_not_cancelled(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    intent_id = order["payment"]["intent_id"]
    desk.gateway.config.settle_seconds = 30
    try:
        assert desk.pay(intent_id, SLOW) == 200
    finally:
        desk.gateway.config.settle_seconds = 0.2
    assert desk.intent(intent_id)["status"] == "processing"
    before = everything()
    problem(buyer.cancel(order["order_id"], key="c"), 409, "payment_processing")
    assert everything() == before
    # Nor does the sweep let go of it; it asks again in two minutes, and after a day still.
    with later(minutes=31):
        assert sweep_unpaid() == 0
        assert everything() == before
        assert rows("SELECT count(*) FROM payment WHERE ask_at > :now", now=_sql_now()) == [(1,)]
    with later(hours=26):
        assert sweep_unpaid() == 0
        assert everything() == before


def _sql_now() -> str:
    return clock.now().replace(tzinfo=None).isoformat(" ")


def test_processing_then_success_is_paid(desk: CardDesk, mall: Mall, order: Any) -> None:
    intent_id = order["payment"]["intent_id"]
    assert desk.pay(intent_id, SLOW) == 200
    waiting = desk.notice(intent_id, "payment_intent.processing")
    done = desk.notice(intent_id, "payment_intent.succeeded")
    assert desk.deliver(done).status_code == 200
    assert desk.deliver(waiting).status_code == 200  # overtaken on the way
    assert order_row(order["order_id"])[0] == "paid"
    assert stock(mall.quilt) == (99, 0, 1)


def test_cancelling_while_the_gateway_is_down_keeps_all_and_says_when(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    before = everything()
    with desk.down():
        answer = buyer.cancel(order["order_id"], key="c")
        problem(answer, 503, "gateway_unavailable")
        assert answer.headers["Retry-After"] == "2"
        assert everything() == before
    assert body(buyer.cancel(order["order_id"], key="c"), 200)["state"] == "closed"
    assert_all_is_released(mall, order)


def test_an_intent_that_the_gateway_does_not_know_keeps_all_held(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    other = buyer.order({mall.tea.public_id: 1}, credit_minor=0)
    with write_transaction():
        db.session.execute(
            update(Payment)
            .where(Payment.intent_id == order["payment"]["intent_id"])
            .values(intent_id="pi_of_another_file")
        )
    before = everything()
    problem(buyer.cancel(order["order_id"]), 503, "gateway_unavailable")
    assert everything() == before
    # And the sweep goes on to the next.
    with later(minutes=31):
        assert sweep_unpaid() == 1
    assert order_row(order["order_id"])[0] == "pending_payment"
    assert order_row(other["order_id"])[0] == "closed"


def test_an_order_that_never_got_an_intent_is_cancelled_at_the_gateway_too(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=700, points=50)["quote_id"]
    with desk.down():
        problem(buyer.place(quote_id), 503, "gateway_unavailable")
    [(order_id,)] = rows("SELECT public_id FROM orders")
    assert body(buyer.cancel(order_id), 200)["state"] == "closed"
    [intent_id] = desk.intents_of(order_id)
    assert desk.intent(intent_id)["status"] == "canceled"
    assert_all_is_released(mall, {"order_id": order_id})


def test_an_intent_lost_by_a_crash_that_was_paid_is_captured_and_can_be_refunded(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=700, points=50)["quote_id"]
    with desk.down():
        problem(buyer.place(quote_id), 503, "gateway_unavailable")
    [(order_id,)] = rows("SELECT public_id FROM orders")
    made = gateway().create_intent(
        amount_minor=CARD_PART,
        order_id=order_id,
        idempotency_key=f"intent-{order_id}",
        description=f"福满订单 {order_id}",
    )
    assert desk.pay(made.id) == 200
    assert body(buyer.cancel(order_id), 200)["state"] == "paid"
    assert rows("SELECT intent_id FROM payment") == [(made.id,)]
    assert body(buyer.cancel(order_id), 200)["state"] == "refunded"
    assert desk.refunds_of(made.id) == [("succeeded", CARD_PART)]
    assert_books_are_clean()


def test_a_refused_amount_is_closed_by_the_sweep_and_by_cancelling(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    """Orders from before their gateway set a limit: there is nothing there to cancel."""
    found = []
    for _ in range(2):
        quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=0)["quote_id"]
        with desk.down():
            problem(buyer.place(quote_id), 503, "gateway_unavailable")
    with write_transaction():
        db.session.execute(update(Payment).values(amount_minor=10**9))
    found = [order_id for (order_id,) in rows("SELECT public_id FROM orders ORDER BY id")]
    assert body(buyer.cancel(found[0]), 200)["state"] == "closed"
    with later(minutes=31):
        assert sweep_unpaid() == 1
    assert order_row(found[1])[0] == "closed"
    assert stock(mall.quilt) == (100, 0, 0)


# The sweep ---------------------------------------------------------------------------------------
def test_the_sweep_closes_what_was_not_paid_in_time(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    assert sweep_unpaid() == 0
    with later(minutes=29):
        assert sweep_unpaid() == 0
    assert order_row(order["order_id"])[0] == "pending_payment"
    with later(minutes=30, seconds=1):
        assert sweep_unpaid() == 1
        assert sweep_unpaid() == 0
    assert desk.intent(order["payment"]["intent_id"])["status"] == "canceled"
    assert_all_is_released(mall, order)
    assert rows("SELECT actor FROM order_event") == [("system",)]
    assert buyer.get(f"/orders/{order['order_id']}")["state"] == "closed"


def test_the_sweep_captures_what_was_paid_in_time_without_any_notice(
    desk: CardDesk, mall: Mall, order: Any
) -> None:
    assert desk.pay(order["payment"]["intent_id"]) == 200
    with later(minutes=31):
        assert sweep_unpaid() == 1
    assert order_row(order["order_id"])[0] == "paid"
    assert_books_are_clean()


def test_the_sweep_waits_for_a_gateway_that_is_down(desk: CardDesk, mall: Mall, order: Any) -> None:
    before = everything()
    with later(minutes=31), desk.down():
        assert sweep_unpaid() == 0
        assert everything() == before
    with later(minutes=32):
        assert sweep_unpaid() == 0  # asks again two minutes after the last time
    with later(minutes=34):
        assert sweep_unpaid() == 1
    assert_all_is_released(mall, order)


@pytest.mark.parametrize("held", [4_000, 5_000], ids=["another amount", "the same amount"])
def test_credit_that_expired_while_it_was_held_is_taken_after_its_release(
    app: Flask, desk: CardDesk, mall: Mall, held: int
) -> None:
    with write_transaction():
        late = hire(mall.company.id)
        [lot_id] = grant(mall.company, mall.general, {late: 10_000}, days=0.01)
        address_id = give_address(late)
    shopper = Shopper(app, late, address_id)
    shopper.order({mall.quilt.public_id: 1}, credit_minor=held)
    with later(minutes=20):
        assert expire_credit() == 1
    assert lot(lot_id) == (0, held)
    with later(minutes=31):
        assert sweep_unpaid() == 1
        assert lot(lot_id) == (held, 0)
        assert expire_credit() == 1
    assert lot(lot_id) == (0, 0)
    assert_books_are_clean()


# Paid after closing ------------------------------------------------------------------------------
def late_success(order: Any, event_id: str = "evt_late") -> tuple[bytes, str]:
    """The success of an intent that was cancelled here and paid there in the same moment."""
    return signed(
        intent_event(
            order["order_id"],
            event_id=event_id,
            intent_id=order["payment"]["intent_id"],
            amount=CARD_PART,
        )
    )


def close_without_asking(order: Any) -> None:
    """The order closes while its intent can still be paid, as by a notice out of order."""
    event = intent_event(
        order["order_id"],
        kind="payment_intent.canceled",
        event_id="evt_cancelled",
        intent_id=order["payment"]["intent_id"],
        amount=CARD_PART,
        received=0,
    )
    raw, signature = signed(event)
    payments.take_event(raw_body=raw, signature=signature)


def test_what_is_paid_after_closing_goes_back_by_itself_and_oversells_nothing(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    intent_id = order["payment"]["intent_id"]
    close_without_asking(order)
    assert_all_is_released(mall, order)
    with write_transaction():
        set_available(offer_id=mall.quilt.id, units=1)
    sold = buyer.order({mall.quilt.public_id: 1})
    assert sold["state"] == "paid"
    assert desk.pay(intent_id) == 200
    assert desk.deliver(desk.notice(intent_id, "payment_intent.succeeded")).status_code == 200
    assert order_row(order["order_id"])[0] == "closed"
    assert payment_state(order["order_id"]) == "late"
    assert stock(mall.quilt) == (0, 0, 1)
    assert postings(order["order_id"], "paid_after_closing") == {
        ("CNY", "gateway/sandbox/clearing"): CARD_PART,
        ("CNY", "gateway/sandbox/unapplied"): -CARD_PART,
    }
    assert_books_are_clean()
    with desk.down():
        assert sweep_unpaid() == 0
    assert sweep_unpaid() == 0  # asks again two minutes after the last time
    with later(minutes=3):
        assert sweep_unpaid() == 1
        assert sweep_unpaid() == 0
    assert payment_state(order["order_id"]) == "returned"
    assert desk.refunds_of(intent_id) == [("succeeded", CARD_PART)]
    assert postings(order["order_id"], "late_payment_returned") == {
        ("CNY", "gateway/sandbox/clearing"): -CARD_PART,
        ("CNY", "gateway/sandbox/unapplied"): CARD_PART,
    }
    assert ("CNY", "gateway/sandbox/clearing") not in book()
    # The same news under another id does not begin it anew.
    before = everything()
    assert desk.deliver_raw(*late_success(order, "evt_again")).status_code == 200
    assert everything() == before
    assert_books_are_clean()


def test_a_late_refund_that_the_bank_takes_its_time_over_is_settled_by_its_notice(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    intent_id = order["payment"]["intent_id"]
    close_without_asking(order)
    assert desk.pay(intent_id, PENDING_REFUND) == 200
    assert desk.deliver(desk.notice(intent_id, "payment_intent.succeeded")).status_code == 200
    assert sweep_unpaid() == 0
    assert payment_state(order["order_id"]) == "late"
    assert desk.deliver(desk.notice(intent_id, "refund.updated")).status_code == 200
    assert payment_state(order["order_id"]) == "returned"
    assert desk.refunds_of(intent_id) == [("succeeded", CARD_PART)]
    assert transactions(order["order_id"])[-1] == "late_payment_returned"
    with later(hours=1):
        assert sweep_unpaid() == 0
    assert_books_are_clean()


# Asking ------------------------------------------------------------------------------------------
def test_asking_the_gateway_is_as_good_as_its_notice(
    desk: CardDesk, mall: Mall, buyer: Shopper, order: Any
) -> None:
    [(number,)] = rows("SELECT id FROM orders")
    assert ask_gateway(order_id=number) == "pending_payment"
    assert desk.pay(order["payment"]["intent_id"]) == 200
    assert ask_gateway(order_id=number) == "paid"
    assert ask_gateway(order_id=number) == "paid"
    assert ask_gateway(order_id=number + 1) == ""
    assert transactions(order["order_id"]) == ["hold", "capture", "sale"]
    assert send_refunds() == 0
