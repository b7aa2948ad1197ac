"""Every state with every action: the whole matrix, written out a second time by hand."""

from __future__ import annotations

import itertools

import pytest

from checkout.gateways.base import IntentStatus
from checkout.gateways.sandbox.states import Action, IllegalMove, Status, is_allowed, move

ALLOWED = {
    "requires_payment_method": {
        "update": "requires_payment_method requires_confirmation",
        "confirm": "requires_action processing requires_capture succeeded requires_payment_method",
        "cancel": "canceled",
    },
    "requires_confirmation": {
        "update": "requires_confirmation",
        "confirm": "requires_action processing requires_capture succeeded requires_payment_method",
        "cancel": "canceled",
    },
    "requires_action": {
        "update": "requires_confirmation",
        "confirm": "requires_action processing requires_capture succeeded requires_payment_method",
        "authenticate": "processing requires_capture succeeded requires_payment_method",
        "cancel": "canceled",
    },
    "processing": {"settle": "requires_capture succeeded requires_payment_method"},
    "requires_capture": {"capture": "succeeded", "cancel": "canceled"},
    "succeeded": {},
    "canceled": {},
}


@pytest.mark.parametrize(("status", "action"), list(itertools.product(Status, Action)))
def test_matrix(status: Status, action: Action) -> None:
    targets = set(ALLOWED[status.value].get(action.value, "").split())
    assert is_allowed(status, action) is bool(targets)
    for target in Status:
        if target.value in targets:
            assert move(status, action, target) is target
        else:
            with pytest.raises(IllegalMove) as caught:
                move(status, action, target)
            assert (caught.value.status, caught.value.action, caught.value.target) == (
                status,
                action,
                target,
            )


def test_the_shop_knows_the_same_states() -> None:
    assert {status.value for status in Status} == {status.value for status in IntentStatus}
    cancellable = {s.value for s in IntentStatus if s.may_be_cancelled}
    assert cancellable == {s.value for s in Status if is_allowed(s, Action.CANCEL)}
    assert {s.value for s in IntentStatus if s.is_final} == {"succeeded", "canceled"}
