"""The gateway's account of the shop: one line for each charge taken and each refund given."""

from __future__ import annotations

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.store import add
from checkout.gateways.sandbox.work import Work
from kernel.ids import public_id
from kernel.money import round_half_up


def book_charge(work: Work, charge: records.Charge) -> str:
    """The charge's line, less the gateway's fee. Returns its id."""
    fee = round_half_up(charge.amount_captured * work.config.fee_basis_points, 10_000)
    return _book(
        work,
        "charge",
        charge.id,
        charge.amount_captured,
        charge.currency,
        charge.description,
        fee=fee,
    )


def book_refund(work: Work, refund: records.Refund) -> str:
    """The refund's line; as at Stripe, the fee of its charge isn't given back."""
    return _book(work, "refund", refund.id, -refund.amount, refund.currency, "REFUND")


def book_refund_failure(work: Work, refund: records.Refund) -> str:
    """The line that brings back the money of a refund that failed."""
    return _book(
        work, "refund_failure", refund.id, refund.amount, refund.currency, "REFUND FAILURE"
    )


def _book(
    work: Work,
    kind: str,
    source: str,
    amount: int,
    currency: str,
    description: str | None,
    *,
    fee: int = 0,
) -> str:
    line = records.BalanceTransaction(
        id=public_id("txn"),
        created=int(work.now()),
        type=kind,
        source=source,
        amount=amount,
        fee=fee,
        currency=currency,
        description=description,
    )
    add(work.connection, line)
    return line.id
