"""Money back by card: refunds of orders, and of payments that came after closing (X6).

What the gateway does not confirm is asked for again by the sweep, under the same key.
"""

from __future__ import annotations

import structlog
from sqlalchemy import select, update

from billing.services.payables import settle_card_refund
from checkout.gateways.base import (
    GatewayRefund,
    GatewayRefused,
    GatewayUnavailable,
    RefundStatus,
)
from checkout.models import Order, Payment, Refund
from checkout.services.gateway_link import ASK_AGAIN, CURRENCY, BadWebhook, gateway
from kernel import clock
from kernel.db import changed_rows, db, write_transaction
from kernel.ledger.chart import Asset, gateway_clearing, gateway_unapplied
from kernel.ledger.services import move, post
from kernel.settings import get_settings

log = structlog.get_logger(__name__)

# Before an order's id: the shop's own name for the refund of a payment that came after closing.
_LATE = "late-"


def send_refunds(*, limit: int = 200) -> int:
    """Ask the gateway for card refunds that it has not confirmed; the refund's id is the key."""
    rows = db.session.scalars(
        select(Refund.id)
        .where(Refund.cash_state == "in_transit", Refund.ask_at <= clock.now())
        .order_by(Refund.ask_at)
        .limit(limit)
    ).all()
    db.session.rollback()
    return sum(send_refund(refund_key=key) for key in rows)


def send_refund(*, refund_key: int) -> bool:
    """One card refund: ask, and finish it where the gateway says that it is done."""
    row = db.session.execute(
        select(Refund.public_id, Refund.cash_minor, Refund.gateway_refund_id, Payment.intent_id)
        .join(Payment, Payment.order_id == Refund.order_id)
        .where(Refund.id == refund_key)
    ).one()
    db.session.rollback()
    try:
        answer = (
            gateway().retrieve_refund(row.gateway_refund_id)
            if row.gateway_refund_id
            else gateway().refund(
                intent_id=row.intent_id,
                amount_minor=row.cash_minor,
                refund_id=row.public_id,
                idempotency_key=f"refund-{row.public_id}",
            )
        )
    except (GatewayUnavailable, GatewayRefused) as problem:
        log.warning("refund_not_sent", refund_id=row.public_id, error=str(problem))
        with write_transaction():
            db.session.execute(
                update(Refund).where(Refund.id == refund_key).values(ask_at=clock.now() + ASK_AGAIN)
            )
        return False
    with write_transaction():
        if answer.status is RefundStatus.SUCCEEDED:
            finish_refund(answer)
        else:
            db.session.execute(
                update(Refund)
                .where(Refund.id == refund_key)
                .values(gateway_refund_id=answer.id, ask_at=clock.now() + ASK_AGAIN)
            )
    return answer.status is RefundStatus.SUCCEEDED


def finish_refund(answer: GatewayRefund) -> None:
    """The card's part of a refund has gone back: settle it in the books, once.

    Raises :class:`BadWebhook` where the gateway gave back another amount than was asked for.
    """
    refund_id = answer.refund_id or ""
    if refund_id.startswith(_LATE):
        _settle_late(refund_id.removeprefix(_LATE), answer)
        return
    row = db.session.execute(
        select(Refund.id, Refund.public_id, Refund.cash_minor, Order.public_id.label("order_id"))
        .join(Order, Order.id == Refund.order_id)
        .where(Refund.public_id == refund_id)
    ).one_or_none()
    if row is None:
        return
    _check_amount(answer, row.cash_minor)
    moved = changed_rows(
        update(Refund)
        .where(Refund.id == row.id, Refund.cash_state == "in_transit")
        .values(cash_state="done", gateway_refund_id=answer.id)
    )
    if moved:
        settle_card_refund(
            order_id=row.order_id,
            refund_id=row.public_id,
            gateway=get_settings().gateway.value,
            amount_minor=row.cash_minor,
        )


def _check_amount(answer: GatewayRefund, wanted_minor: int) -> None:
    if answer.amount_minor != wanted_minor or answer.currency.lower() != CURRENCY:
        raise BadWebhook("退款金额或币种不符")


def return_late_payments(*, limit: int = 200) -> int:
    """Give back what was paid after closing, by itself (X6).

    A refund that the gateway only takes in is settled by its notice: the same key would get the
    same first answer for ever.
    """
    rows = db.session.execute(
        select(Payment.order_id, Payment.intent_id, Payment.amount_minor, Order.public_id)
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.state == "late", Payment.ask_at <= clock.now())
        .order_by(Payment.ask_at)
        .limit(limit)
    ).all()
    db.session.rollback()
    done = 0
    for row in rows:
        try:
            answer = gateway().refund(
                intent_id=row.intent_id,
                amount_minor=row.amount_minor,
                refund_id=f"{_LATE}{row.public_id}",
                idempotency_key=f"{_LATE}{row.public_id}",
            )
        except (GatewayUnavailable, GatewayRefused) as problem:
            log.warning("late_refund_not_sent", order_id=row.public_id, error=str(problem))
            answer = None
        with write_transaction():
            if answer is not None and answer.status is RefundStatus.SUCCEEDED:
                finish_refund(answer)
                done += 1
            else:
                db.session.execute(
                    update(Payment)
                    .where(Payment.order_id == row.order_id)
                    .values(ask_at=clock.now() + ASK_AGAIN)
                )
    return done


def _settle_late(order_public_id: str, answer: GatewayRefund) -> None:
    row = db.session.execute(
        select(Payment.order_id, Payment.amount_minor, Payment.gateway)
        .join(Order, Order.id == Payment.order_id)
        .where(Order.public_id == order_public_id)
    ).one_or_none()
    if row is None:
        return
    _check_amount(answer, row.amount_minor)
    moved = changed_rows(
        update(Payment)
        .where(Payment.order_id == row.order_id, Payment.state == "late")
        .values(state="returned")
    )
    if moved:
        post(
            key=f"late-back:{order_public_id}",
            reason="late_payment_returned",
            order_id=order_public_id,
            entries=move(
                Asset.CNY,
                row.amount_minor,
                source=gateway_clearing(row.gateway),
                target=gateway_unapplied(row.gateway),
            ),
        )
