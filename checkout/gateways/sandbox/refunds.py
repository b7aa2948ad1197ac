"""Refunds: at most what is left of the charge; some test cards take their time or fail."""

from __future__ import annotations

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.balance import book_refund, book_refund_failure
from checkout.gateways.sandbox.cards import BY_NUMBER, Refunding
from checkout.gateways.sandbox.errors import ApiError
from checkout.gateways.sandbox.store import add, find, save
from checkout.gateways.sandbox.work import Work
from kernel.ids import public_id
from kernel.money import format_yuan


def create(
    work: Work,
    charge: records.Charge,
    *,
    amount: int | None,
    reason: str | None,
    metadata: dict[str, str],
) -> records.Refund:
    """Give back ``amount`` fen of a captured charge; None gives back all that is left."""
    left = charge.amount_captured - charge.amount_refunded
    if not charge.captured:
        raise ApiError(
            f"Charge {charge.id} has not been captured, so it can't be refunded.",
            code="charge_not_refundable",
        )
    if left == 0:
        raise ApiError(
            f"Charge {charge.id} has already been refunded.", code="charge_already_refunded"
        )
    amount = left if amount is None else amount
    if amount > left:
        raise ApiError(
            f"Refund amount (¥{format_yuan(amount)}) is greater than unrefunded amount on charge "
            f"(¥{format_yuan(left)})",
            param="amount",
        )
    refunding = _refunding(work, charge)
    refund = records.Refund(
        id=public_id("re"),
        created=int(work.now()),
        charge=charge.id,
        payment_intent=charge.payment_intent,
        amount=amount,
        currency=charge.currency,
        status="pending" if refunding is Refunding.PENDING_FIRST else "succeeded",
        reason=reason,
        metadata=metadata,
        settle_at=None
        if refunding is Refunding.AT_ONCE
        else work.now() + work.config.settle_seconds,
    )
    refund.balance_transaction = book_refund(work, refund)
    add(work.connection, refund)
    before = charge.amount_refunded
    charge.amount_refunded += amount
    save(work.connection, charge)
    work.emit("refund.created", refund)
    work.emit("charge.refunded", charge, previous={"amount_refunded": before})
    return refund


def update(work: Work, refund: records.Refund, *, metadata: dict[str, str]) -> None:
    """Only the notes of a refund change by hand."""
    before, refund.metadata = refund.metadata, metadata
    save(work.connection, refund)
    work.emit("refund.updated", refund, previous={"metadata": before})


def settle(work: Work, refund: records.Refund) -> None:
    """The bank's later answer: a pending refund arrives, a failing one comes back."""
    charge = find(work.connection, records.Charge, refund.charge)
    if charge is None:
        raise LookupError(refund.charge)
    before = refund.status
    refund.settle_at = None
    if _refunding(work, charge) is Refunding.PENDING_FIRST:
        refund.status = "succeeded"
        save(work.connection, refund)
        work.emit("refund.updated", refund, previous={"status": before})
        return
    refund.status = "failed"
    refund.failure_reason = "expired_or_canceled_card"
    refund.failure_balance_transaction = book_refund_failure(work, refund)
    save(work.connection, refund)
    charge.amount_refunded -= refund.amount
    save(work.connection, charge)
    work.emit("refund.updated", refund, previous={"status": before})
    work.emit("refund.failed", refund)


def _refunding(work: Work, charge: records.Charge) -> Refunding:
    method = find(work.connection, records.PaymentMethod, charge.payment_method)
    if method is None:
        raise LookupError(charge.payment_method)
    return BY_NUMBER[method.card].refunding
