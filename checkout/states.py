"""The order's states (the contract's) and the moves that are allowed; all others are refused."""

from __future__ import annotations

from enum import StrEnum

from kernel.errors import Problem


class OrderState(StrEnum):
    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CLOSED = "closed"
    REFUNDED = "refunded"


class SubOrderState(StrEnum):
    TO_SHIP = "to_ship"
    SHIPPED = "shipped"
    RECEIVED = "received"
    CLOSED = "closed"


class OrderEventName(StrEnum):
    PAY = "pay"
    CLOSE = "close"  # cancelled by the customer, or the time to pay is over
    SHIP = "ship"
    CONFIRM_RECEIPT = "confirm_receipt"
    REFUND_ALL = "refund_all"


_S, _E = OrderState, OrderEventName
MOVES: dict[tuple[OrderState, OrderEventName], OrderState] = {
    (_S.PENDING_PAYMENT, _E.PAY): _S.PAID,
    (_S.PENDING_PAYMENT, _E.CLOSE): _S.CLOSED,
    (_S.PAID, _E.SHIP): _S.SHIPPED,
    (_S.SHIPPED, _E.CONFIRM_RECEIPT): _S.COMPLETED,
    (_S.PAID, _E.REFUND_ALL): _S.REFUNDED,
    (_S.SHIPPED, _E.REFUND_ALL): _S.REFUNDED,
    (_S.COMPLETED, _E.REFUND_ALL): _S.REFUNDED,
}


class BadOrderMove(Problem):
    code = "bad_order_state"
    status = 409
    title = "订单当前状态不能这样操作"


def next_state(state: OrderState, event: OrderEventName) -> OrderState:
    """Raises :class:`BadOrderMove` for a move that the table does not have."""
    target = MOVES.get((state, event))
    if target is None:
        raise BadOrderMove(extra={"state": state.value})
    return target
