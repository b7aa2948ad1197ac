"""The order's table of moves: every state with every event."""

from __future__ import annotations

from itertools import product

import pytest

from checkout.states import MOVES, BadOrderMove, OrderEventName, OrderState, next_state

# Written out once more by hand: rows are states, columns pay, close, ship, confirm, refund_all.
MATRIX = {
    "pending_payment": ("paid", "closed", None, None, None),
    "paid": (None, None, "shipped", None, "refunded"),
    "shipped": (None, None, None, "completed", "refunded"),
    "completed": (None, None, None, None, "refunded"),
    "closed": (None, None, None, None, None),
    "refunded": (None, None, None, None, None),
}
EVENTS = ("pay", "close", "ship", "confirm_receipt", "refund_all")


def test_the_matrix_names_every_state_and_event_of_the_contract() -> None:
    assert set(MATRIX) == {state.value for state in OrderState}
    assert set(EVENTS) == {event.value for event in OrderEventName}


@pytest.mark.parametrize(("state", "event"), list(product(OrderState, OrderEventName)))
def test_move(state: OrderState, event: OrderEventName) -> None:
    expected = MATRIX[state.value][EVENTS.index(event.value)]
    if expected is not None:
        assert next_state(state, event) is OrderState(expected)
        return
    with pytest.raises(BadOrderMove) as refused:
        next_state(state, event)
    assert (refused.value.status, refused.value.code) == (409, "bad_order_state")
    assert refused.value.extra == {"state": state.value}


def test_closed_and_refunded_are_the_end_and_all_else_goes_on() -> None:
    assert {state for state, _ in MOVES} == set(OrderState) - {
        OrderState.CLOSED,
        OrderState.REFUNDED,
    }
