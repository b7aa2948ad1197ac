"""The committed steps by themselves, met twice or by two at once (Domain rule 28)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from checkout.models import Order
from checkout.services import payments, refunds
from checkout.services.orders import capture_order, close_order, lock_order, place_order
from checkout.services.quotes import QuoteRequest, create_quote, find_quote, purge_quotes
from kernel import clock
from kernel.db import db, write_transaction
from kernel.errors import NotFound
from tests.factories.cashier import Mall, Shopper, assert_books_are_clean, everything, rows
from tests.integration.checkout.desk import CardDesk


@pytest.fixture
def waiting(mall: Mall, buyer: Shopper) -> int:
    """An order that waits for its card part; its internal id."""
    order = buyer.order({mall.quilt.public_id: 1}, credit_minor=700, points=50)
    [(number,)] = rows("SELECT id FROM orders WHERE public_id = :id", id=order["order_id"])
    return int(number)


@pytest.mark.parametrize("step", [capture_order, close_order])
def test_whoever_comes_second_changes_nothing(waiting: int, step: Callable[..., bool]) -> None:
    for winner in (capture_order, close_order):
        with write_transaction():
            order = lock_order(order_id=waiting)
            if winner(order=order, actor="first"):
                assert not step(order=order, actor="second")
        before = everything()
        with write_transaction():
            assert not step(order=lock_order(order_id=waiting), actor="second")
        assert everything() == before
    assert_books_are_clean()


@pytest.mark.parametrize("step", [capture_order, close_order])
def test_an_order_that_moved_since_it_was_read_is_left_alone(
    waiting: int, step: Callable[..., bool]
) -> None:
    """On a database without row locks, or without this lock, the move itself decides."""
    with write_transaction():
        order = lock_order(order_id=waiting)
        db.session.execute(text("UPDATE orders SET state = 'closed'"))
        assert not step(order=order, actor="too late")
    assert rows("SELECT count(*) FROM order_event") == [(0,)]
    assert rows("SELECT held FROM stock WHERE held > 0") == [(1,)]


def test_an_intent_is_opened_once(desk: CardDesk, waiting: int) -> None:
    first = payments.open_intent(order_id=waiting)
    assert payments.open_intent(order_id=waiting) == first
    with write_transaction():
        close_order(order=lock_order(order_id=waiting), actor="test")
    assert payments.open_intent(order_id=waiting) is None
    assert payments.open_intent(order_id=waiting + 1) is None


def test_closing_an_order_without_a_card_part_leaves_what_is_paid(
    mall: Mall, buyer: Shopper
) -> None:
    buyer.order({mall.tea.public_id: 1})
    [(number,)] = rows("SELECT id FROM orders")
    before = everything()
    assert payments.cancel_unpaid(order_id=number, actor="test") == "paid"
    assert everything() == before


def test_a_refund_of_nothing_is_refused(mall: Mall, buyer: Shopper) -> None:
    buyer.order({mall.tea.public_id: 1})
    [(number,)] = rows("SELECT id FROM orders")
    before = everything()
    with pytest.raises(refunds.ReturnTooMuch), write_transaction():
        refunds.refund(
            order=lock_order(order_id=number), items={}, kind="refund", reason="", actor="test"
        )
    assert everything() == before


def test_services_take_the_actor_they_are_given(mall: Mall) -> None:
    request = QuoteRequest(mall.address_id, ((mall.tea.public_id, 1),))
    quote_id = create_quote(actor=mall.buyer, request=request)["quote_id"]
    with pytest.raises(NotFound):
        find_quote(actor=mall.company.hr, quote_id=quote_id)
    with write_transaction():
        order: Any = place_order(actor=mall.buyer, quote_id=quote_id)
    assert isinstance(order, Order)
    assert (order.person_id, order.membership_id, order.enterprise_id) == (
        mall.buyer.person_id,
        mall.buyer.membership_id,
        mall.company.id,
    )
    assert QuoteRequest.from_json(request.to_json()) == request


def test_old_quotes_are_forgotten_and_those_of_orders_are_kept(mall: Mall, buyer: Shopper) -> None:
    used = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    assert buyer.place(used).status_code == 201
    old = buyer.quote({mall.tea.public_id: 1})["quote_id"]
    with clock.frozen(clock.now() + timedelta(days=400)):
        young = buyer.quote({mall.rice.public_id: 1})["quote_id"]
        with write_transaction():
            assert purge_quotes() == 1
        with write_transaction():
            assert purge_quotes() == 0
    assert {quote_id for (quote_id,) in rows("SELECT public_id FROM quote")} == {used, young}
    assert old not in {used, young}
