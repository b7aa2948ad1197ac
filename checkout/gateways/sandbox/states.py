"""The states of a PaymentIntent and the moves between them, as one table (Domain rule 20)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Stripe's words for where a PaymentIntent stands."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class Action(StrEnum):
    """What may be done to a PaymentIntent."""

    UPDATE = "update"
    CONFIRM = "confirm"
    AUTHENTICATE = "authenticate"
    SETTLE = "settle"
    CAPTURE = "capture"
    CANCEL = "cancel"


_S = Status
_PAID = frozenset({_S.SUCCEEDED, _S.REQUIRES_CAPTURE})
_ATTEMPTED = _PAID | {_S.REQUIRES_ACTION, _S.PROCESSING, _S.REQUIRES_PAYMENT_METHOD}
_CANCELED = frozenset({_S.CANCELED})

# A row that is missing is a move that is refused. A processing intent can't be cancelled, because
# the card network may still say yes; the shop must keep its hold and ask again (Domain rule 9).
MOVES: Mapping[tuple[Status, Action], frozenset[Status]] = {
    (_S.REQUIRES_PAYMENT_METHOD, Action.UPDATE): frozenset(
        {_S.REQUIRES_PAYMENT_METHOD, _S.REQUIRES_CONFIRMATION}
    ),
    (_S.REQUIRES_PAYMENT_METHOD, Action.CONFIRM): _ATTEMPTED,
    (_S.REQUIRES_PAYMENT_METHOD, Action.CANCEL): _CANCELED,
    (_S.REQUIRES_CONFIRMATION, Action.UPDATE): frozenset({_S.REQUIRES_CONFIRMATION}),
    (_S.REQUIRES_CONFIRMATION, Action.CONFIRM): _ATTEMPTED,
    (_S.REQUIRES_CONFIRMATION, Action.CANCEL): _CANCELED,
    (_S.REQUIRES_ACTION, Action.UPDATE): frozenset({_S.REQUIRES_CONFIRMATION}),
    (_S.REQUIRES_ACTION, Action.CONFIRM): _ATTEMPTED,
    (_S.REQUIRES_ACTION, Action.AUTHENTICATE): _ATTEMPTED - {_S.REQUIRES_ACTION},
    (_S.REQUIRES_ACTION, Action.CANCEL): _CANCELED,
    (_S.PROCESSING, Action.SETTLE): _PAID | {_S.REQUIRES_PAYMENT_METHOD},
    (_S.REQUIRES_CAPTURE, Action.CAPTURE): frozenset({_S.SUCCEEDED}),
    (_S.REQUIRES_CAPTURE, Action.CANCEL): _CANCELED,
}


class IllegalMove(Exception):
    """The table has no such move."""

    def __init__(self, status: Status, action: Action, target: Status | None = None) -> None:
        super().__init__(f"{action} from {status}" + (f" to {target}" if target else ""))
        self.status = status
        self.action = action
        self.target = target


def is_allowed(status: Status, action: Action) -> bool:
    """Whether ``action`` may be taken at all in ``status``."""
    return (status, action) in MOVES


def move(status: Status, action: Action, target: Status) -> Status:
    """``target``, if the table lets ``action`` lead there; otherwise :class:`IllegalMove`."""
    if target not in MOVES.get((status, action), frozenset()):
        raise IllegalMove(status, action, target)
    return target
