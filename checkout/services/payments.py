"""The card part: intents, the gateway's news, closing and sweeping (Domain rules 9, 18, 28).

Every function that talks to the gateway does so between transactions, never inside one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import select, update

from checkout.gateways.base import (
    GatewayEvent,
    GatewayRefused,
    GatewayUnavailable,
    Intent,
    IntentStatus,
    RefundStatus,
    WebhookRefused,
)
from checkout.models import Order, Payment
from checkout.services.card_refunds import finish_refund, return_late_payments, send_refunds
from checkout.services.gateway_link import (
    ASK_AGAIN,
    CURRENCY,
    BadWebhook,
    GatewayDown,
    gateway,
)
from checkout.services.orders import SYSTEM, capture_order, close_order, lock_order
from checkout.services.payment_statements import (
    FIND_PAYMENT,
    INSERT_EVENT,
    KEEP_INTENT,
    ORDER_ID,
)
from checkout.states import OrderState
from kernel import clock, faults
from kernel.db import db, insert_once, run, write_transaction
from kernel.errors import Problem
from kernel.ledger.chart import Asset, gateway_clearing, gateway_unapplied
from kernel.ledger.services import move, post

log = structlog.get_logger(__name__)

_SUCCEEDED = "payment_intent.succeeded"
_CANCELED = "payment_intent.canceled"
# What the shop's endpoint subscribes to at the gateway; every other type would only be received.
WEBHOOK_EVENTS = (_SUCCEEDED, _CANCELED, "refund.created", "refund.updated")
# A payment that is processing keeps its goods; the gateway is asked again, up to a day (rule 9).
_GIVE_UP = timedelta(hours=24)


class CardPaymentRefused(Problem):
    code = "card_payment_refused"
    status = 409
    title = "银行卡网关不接受这笔付款，订单已关闭，没有扣款"


class PaymentProcessing(Problem):
    code = "payment_processing"
    status = 409
    title = "银行正在处理付款，请稍候"


@dataclass(frozen=True)
class PaymentView:
    intent_id: str
    client_secret: str
    amount_minor: int


def open_intent(*, order_id: int) -> PaymentView | None:
    """:func:`ask_intent` and :func:`keep_intent` in one, committed."""
    intent = ask_intent(order_id=order_id)
    if intent is not None:
        with write_transaction():
            keep_intent(order_id=order_id, intent=intent)
    return intent


def ask_intent(*, order_id: int) -> PaymentView | None:
    """Make (or find again) the intent of an order that waits for its card part; None otherwise.

    The gateway's key is derived from the order, so a retry after a crash gets the same intent;
    the caller keeps it in its last step. Raises :class:`GatewayDown`; the order stays for the
    retry or the sweep. Raises :class:`CardPaymentRefused` where the gateway takes no such payment
    (too much, too little); the order is closed then, since it could never be paid.
    """
    row = run(FIND_PAYMENT, [{"the_order": order_id}]).one_or_none()
    db.session.rollback()
    if row is None or row.state != OrderState.PENDING_PAYMENT:
        return None
    if row.intent_id:
        return PaymentView(row.intent_id, row.client_secret, row.amount_minor)
    try:
        intent = _create(row.public_id, row.amount_minor)
    except CardPaymentRefused:
        with write_transaction():
            close_order(order=lock_order(order_id=order_id), actor=SYSTEM)
        raise
    faults.point("order_after_intent")
    return PaymentView(intent.id, intent.client_secret or "", row.amount_minor)


def keep_intent(*, order_id: int, intent: PaymentView) -> None:
    """Remember the order's intent; a second time changes nothing."""
    values = {"new_intent": intent.intent_id, "new_secret": intent.client_secret}
    run(KEEP_INTENT, [{"the_order": order_id} | values])


def _create(order_public_id: str, amount_minor: int) -> Intent:
    try:
        return gateway().create_intent(
            amount_minor=amount_minor,
            order_id=order_public_id,
            idempotency_key=f"intent-{order_public_id}",
            description=f"福满订单 {order_public_id}",
        )
    except GatewayUnavailable:
        raise GatewayDown(retry_after=2) from None
    except GatewayRefused as refused:
        log.warning("intent_refused", order_id=order_public_id, error=str(refused))
        raise CardPaymentRefused from None


def cancel_unpaid(*, order_id: int, actor: str) -> str:
    """Close an unpaid order; its intent is cancelled at the gateway before anything is released.

    Returns the order's state: where the card had paid already the order is captured instead.
    Raises :class:`PaymentProcessing` and :class:`GatewayDown`; all stays held then.
    """
    intent = _cancel_intent(order_id)
    with write_transaction():
        order = lock_order(order_id=order_id)
        if intent is not None and intent.status is IntentStatus.SUCCEEDED:
            _apply_success(order, intent)
        else:
            close_order(order=order, actor=actor)
        return order.state


def _cancel_intent(order_id: int) -> Intent | None:
    row = db.session.execute(
        select(Order.public_id, Payment.intent_id, Payment.amount_minor)
        .join(Payment, Payment.order_id == Order.id)
        .where(Order.id == order_id)
    ).one_or_none()
    db.session.rollback()
    if row is None:
        return None
    try:
        # Without a stored intent a crash may have left one at the gateway: the same key finds it.
        intent_id = row.intent_id or _create(row.public_id, row.amount_minor).id
    except CardPaymentRefused:
        return None  # there never was one
    try:
        intent = gateway().cancel_intent(intent_id, idempotency_key=f"cancel-{row.public_id}")
    except GatewayUnavailable:
        raise GatewayDown("银行卡网关暂时不可用，请稍后再取消", retry_after=2) from None
    except GatewayRefused:
        intent = _retrieve(intent_id)
    if not intent.status.is_final:
        raise PaymentProcessing
    return intent


def _retrieve(intent_id: str) -> Intent:
    try:
        return gateway().retrieve_intent(intent_id)
    except (GatewayUnavailable, GatewayRefused) as problem:
        # One that the gateway does not know now (a wrong key, an old file) may still be paid:
        # unknown, so all stays held.
        log.warning("intent_unknown", intent_id=intent_id, error=str(problem))
        raise GatewayDown(retry_after=2) from None


def _payment_of(order: Order, intent: Intent) -> Payment:
    """The order's payment, where it is this intent's; one without an intent has it from now on.

    Raises :class:`BadWebhook` for an intent that is not the one which the order waits for.
    """
    payment = db.session.get(Payment, order.id, populate_existing=True)
    if payment is not None and payment.intent_id is None:
        payment.intent_id, payment.client_secret = intent.id, intent.client_secret
    if payment is None or payment.intent_id != intent.id:
        raise BadWebhook("金额、币种或订单与付款不符")
    return payment


def _apply_success(order: Order, intent: Intent) -> None:
    """The gateway took the money: capture, or where the order is closed, keep it for a refund."""
    payment = _payment_of(order, intent)
    if (
        intent.amount_received_minor != payment.amount_minor
        or intent.amount_minor != payment.amount_minor
        or intent.currency.lower() != CURRENCY
        or intent.order_id != order.public_id
    ):
        raise BadWebhook("金额、币种或订单与付款不符")
    if payment.state in {"succeeded", "late", "returned"}:
        return
    if order.state == OrderState.PENDING_PAYMENT:
        capture_order(order=order, actor="gateway")
        payment.state = "succeeded"
        return
    # Paid after closing (X6): the money is not the order's; it goes back by itself.
    payment.state = "late"
    payment.ask_at = clock.now()
    post(
        key=f"late:{order.public_id}",
        reason="paid_after_closing",
        order_id=order.public_id,
        entries=move(
            Asset.CNY,
            payment.amount_minor,
            source=gateway_unapplied(payment.gateway),
            target=gateway_clearing(payment.gateway),
        ),
    )


def take_event(*, raw_body: bytes, signature: str | None) -> None:
    """Take in one notice of the gateway, once, in any order of arrival.

    Raises :class:`BadWebhook` for what is not signed by the gateway, is stale, or does not fit
    the payment it names; nothing has changed then.
    """
    try:
        event = gateway().parse_webhook(raw_body, signature)
    except WebhookRefused as refused:
        raise BadWebhook(str(refused), extra={"reason": refused.code}) from None
    with write_transaction():
        notice = {
            "event_id": event.id,
            "kind": event.type,
            "intent_id": event.intent.id if event.intent else None,
            "received_at": clock.real_now(),
        }
        if insert_once(INSERT_EVENT, notice):
            _apply_event(event)
    if event.type == _SUCCEEDED:
        faults.point("capture_after_commit")


def _apply_event(event: GatewayEvent) -> None:
    if event.type == _SUCCEEDED and event.intent is not None:
        order = _order_of_intent(event.intent)
        if order is not None:
            _apply_success(order, event.intent)
    elif event.type == _CANCELED and event.intent is not None:
        order = _order_of_intent(event.intent)
        if order is not None:
            _payment_of(order, event.intent)
            close_order(order=order, actor="gateway")
    elif event.refund is not None and event.refund.status is RefundStatus.SUCCEEDED:
        finish_refund(event.refund)


def _order_of_intent(intent: Intent) -> Order | None:
    """By our order id in the intent: the notice may come before the intent is committed here."""
    if intent.order_id is None:
        return None
    order_id = run(ORDER_ID, [{"the_order": intent.order_id}]).scalar_one_or_none()
    if order_id is None:
        log.warning("gateway_event_of_unknown_order", intent_id=intent.id)
        return None
    return lock_order(order_id=order_id)


def ask_gateway(*, order_id: int) -> str:
    """Ask the gateway about an order's payment and act on the truth; returns the order's state."""
    row = db.session.execute(
        select(Order.state, Payment.intent_id)
        .join(Payment, Payment.order_id == Order.id)
        .where(Order.id == order_id)
    ).one_or_none()
    db.session.rollback()
    if row is None or row.intent_id is None or row.state != OrderState.PENDING_PAYMENT:
        return row.state if row else ""
    intent = _retrieve(row.intent_id)
    if intent.status is not IntentStatus.SUCCEEDED:
        return str(row.state)
    with write_transaction():
        order = lock_order(order_id=order_id)
        _apply_success(order, intent)
        return order.state


def ask_open_payments(*, limit: int = 100) -> int:
    """The job: a notice may be lost, so the gateway is asked about payments that stay open.

    After a minute, then at growing intervals: each time as long again as the order has waited.
    An order whose intent was never made (the gateway was down) gets it here.
    """
    at = clock.now()
    rows = db.session.execute(
        select(Order.id, Order.created_at, Order.pay_before_at, Payment.intent_id)
        .join(Payment, Payment.order_id == Order.id)
        .where(Payment.state == "open", Payment.ask_at <= at, Order.pay_before_at > at)
        .order_by(Payment.ask_at)
        .limit(limit)
    ).all()
    db.session.rollback()
    paid = 0
    for row in rows:
        try:
            if row.intent_id is None:
                open_intent(order_id=row.id)
            else:
                paid += ask_gateway(order_id=row.id) == OrderState.PAID
        except Problem as waiting:
            log.warning("open_payment_not_answered", order_id=row.id, reason=waiting.code)
        with write_transaction():
            db.session.execute(
                update(Payment)
                .where(Payment.order_id == row.id, Payment.state == "open")
                .values(ask_at=min(at + max(at - row.created_at, ASK_AGAIN), row.pay_before_at))
            )
    return paid


def sweep_unpaid(*, limit: int = 200) -> int:
    """The job: close orders whose time to pay is over, or capture where the card did pay."""
    done = ask_open_payments()
    rows = db.session.execute(
        select(Order.id, Order.pay_before_at)
        .outerjoin(Payment, Payment.order_id == Order.id)
        .where(
            Order.state == OrderState.PENDING_PAYMENT.value,
            Order.pay_before_at <= clock.now(),
            (Payment.ask_at.is_(None)) | (Payment.ask_at <= clock.now()),
        )
        .order_by(Order.pay_before_at)
        .limit(limit)
    ).all()
    db.session.rollback()
    for row in rows:
        try:
            cancel_unpaid(order_id=row.id, actor=SYSTEM)
            done += 1
        except Problem as waiting:
            # Whatever is wrong with one order's payment, the others are not made to wait for it.
            if clock.now() - row.pay_before_at > _GIVE_UP:
                log.error("payment_still_unknown", order_id=row.id, reason=waiting.code)
            with write_transaction():
                db.session.execute(
                    update(Payment)
                    .where(Payment.order_id == row.id)
                    .values(ask_at=clock.now() + ASK_AGAIN)
                )
    return done + send_refunds(limit=limit) + return_late_payments(limit=limit)
