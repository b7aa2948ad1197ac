"""One Idempotency-Key, one order: at once, one after the other, and over a gateway that is down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from werkzeug.test import TestResponse

from kernel import clock, idempotency
from kernel.db import db
from kernel.ids import public_id
from tests.factories.cashier import (
    Mall,
    Shopper,
    assert_books_are_clean,
    body,
    everything,
    lot,
    order_row,
    problem,
    rows,
    stock,
    transactions,
)
from tests.integration.checkout.desk import CardDesk

FIFTY = 50


def at_once(shopper: Shopper, quote_id: str, key: str) -> list[TestResponse]:
    """Fifty threads, each with a connection of its own, that start together."""
    twins = [shopper.twin() for _ in range(FIFTY)]
    barrier = Barrier(FIFTY)

    def place(twin: Shopper) -> TestResponse:
        barrier.wait()
        return twin.place(quote_id, key=key)

    with ThreadPoolExecutor(FIFTY) as pool:
        return list(pool.map(place, twins))


def test_one_key_fifty_times_at_once_with_a_card_part(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=700, points=5)["quote_id"]
    db.session.rollback()
    answers = at_once(buyer, quote_id, "one key")
    assert [answer.status_code for answer in answers] == [201] * FIFTY
    assert len({answer.data for answer in answers}) == 1
    order = answers[0].get_json()
    order_id = order["order_id"]
    assert rows("SELECT public_id FROM orders") == [(order_id,)]
    assert transactions(order_id) == ["hold"]
    assert lot(mall.lots["general"]) == (99_300, 700)
    assert stock(mall.quilt) == (100, 1, 0)
    assert desk.intents_of(order_id) == [order["payment"]["intent_id"]]
    assert_books_are_clean()


def test_one_key_fifty_times_at_once_by_credit(mall: Mall, buyer: Shopper) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 2})["quote_id"]
    db.session.rollback()
    answers = at_once(buyer, quote_id, "one key")
    assert [answer.status_code for answer in answers] == [201] * FIFTY
    assert len({answer.data for answer in answers}) == 1
    order_id = answers[0].get_json()["order_id"]
    assert transactions(order_id) == ["hold", "capture", "sale"]
    assert stock(mall.tea) == (98, 0, 2)
    assert rows("SELECT count(*) FROM invoice") == [(1,)]
    assert_books_are_clean()


def test_the_same_key_with_another_body_or_command_is_refused(mall: Mall, buyer: Shopper) -> None:
    first, second = (buyer.quote({mall.tea.public_id: 1})["quote_id"] for _ in range(2))
    order = body(buyer.place(first, key="mine"), 201)
    before = everything()
    problem(buyer.place(second, key="mine"), 422, "idempotency_key_reused")
    problem(buyer.cancel(order["order_id"], key="mine"), 422, "idempotency_key_reused")
    assert everything() == before
    assert body(buyer.place(first, key="mine"), 201) == order


def test_a_refusal_is_not_kept_so_the_key_may_try_again(mall: Mall, buyer: Shopper) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    with clock.frozen(clock.now() + timedelta(hours=1)):
        problem(buyer.place(quote_id, key="mine"), 409, "quote_expired")
    assert body(buyer.place(quote_id, key="mine"), 201)["state"] == "paid"


def test_gateway_down_says_when_to_come_back_and_the_same_key_goes_on(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=700)["quote_id"]
    with desk.down():
        for _ in range(2):
            answer = buyer.place(quote_id, key="mine")
            problem(answer, 503, "gateway_unavailable")
            assert answer.headers["Retry-After"] == "2"
    [(order_id, state)] = rows("SELECT public_id, state FROM orders")
    assert state == "pending_payment"
    assert buyer.get(f"/orders/{order_id}")["payment"] is None
    held = everything()
    order = body(buyer.place(quote_id, key="mine"), 201)
    assert order["order_id"] == order_id
    assert everything() == held
    assert buyer.get(f"/orders/{order_id}")["payment"] == order["payment"]
    assert body(buyer.place(quote_id, key="mine"), 201) == order
    desk.paid(order)
    # The stored answer is the one that was given, whatever happened since.
    assert body(buyer.place(quote_id, key="mine"), 201) == order
    assert order_row(order_id)[0] == "paid"


def test_an_intent_whose_answer_was_lost_is_found_again(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=0)["quote_id"]
    desk.gateway.faults.plan("payment_intents.create", "late", seconds=3.2)
    problem(buyer.place(quote_id, key="mine"), 503, "gateway_unavailable")
    [(order_id,)] = rows("SELECT public_id FROM orders")
    [intent_id] = desk.intents_of(order_id)
    order = body(buyer.place(quote_id, key="mine"), 201)
    assert order["payment"]["intent_id"] == intent_id
    assert desk.intents_of(order_id) == [intent_id]


def test_keys_of_two_people_are_two_keys(mall: Mall, buyer: Shopper) -> None:
    quote_id = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    body(buyer.place(quote_id, key="1"), 201)
    other = Shopper(buyer.app, mall.company.hr)
    assert other.cancel("ord_unknown", key="1").status_code == 404


def test_a_key_that_is_being_worked_on_is_waited_for_and_then_refused(
    desk: CardDesk, mall: Mall, buyer: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote_id = buyer.quote({mall.quilt.public_id: 1}, credit_minor=0)["quote_id"]
    key = public_id("key")
    with desk.down():
        problem(buyer.place(quote_id, key=key), 503, "gateway_unavailable")
    # Another process took the command over and has not finished: its lease outlasts the wait.
    with db.engines[None].begin() as connection:
        connection.exec_driver_sql(
            "UPDATE idempotency_key SET leased_until = '2999-01-01 00:00:00.000000'"
        )
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)
    answer = buyer.place(quote_id, key=key)
    problem(answer, 409, "idempotency_key_in_progress")
    assert answer.headers["Retry-After"] == "2"
