"""The wallet's statement, read from the ledger itself: it cannot differ from the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from kernel.db import db
from kernel.ledger.chart import lot_available
from kernel.ledger.models import LedgerPosting, LedgerTransaction
from points.models import Lot, Pot

# A capture takes from what is held; in the statement of what is available it shows as the hold.
_KINDS = {
    "grant": "grant",
    "issue_points": "grant",
    "hold": "hold",
    "release": "release",
    "refund": "refund",
    "expire": "expire",
}


@dataclass(frozen=True, slots=True)
class StatementRow:
    """``amount_minor`` is signed: what came to or left the available balance."""

    position: tuple[int, int]
    at: datetime
    kind: str
    asset: str
    amount_minor: int
    lot_id: str
    pot_id: str | None
    pot_name: str | None
    order_id: str | None
    title: str


def statement(
    *,
    membership_id: int,
    person_id: int,
    pot_id: str | None,
    before: tuple[int, int] | None,
    limit: int,
) -> list[StatementRow]:
    """Newest first, below the position ``before`` (transaction id, line) of the page above."""
    lots = select(
        Lot.public_id, Lot.asset, Lot.source, Pot.public_id.label("pot_id"), Pot.name
    ).outerjoin(Pot, Pot.id == Lot.pot_id)
    if pot_id:
        lots = lots.where(Lot.membership_id == membership_id, Pot.public_id == pot_id)
    else:
        lots = lots.where(
            (Lot.membership_id == membership_id)
            | ((Lot.person_id == person_id) & (Lot.membership_id.is_(None)))
        )
    by_account = {lot_available(row.public_id): row for row in db.session.execute(lots.limit(2000))}
    query = (
        select(
            LedgerPosting.transaction_id,
            LedgerPosting.line,
            LedgerPosting.account,
            LedgerPosting.asset,
            LedgerPosting.amount_minor,
            LedgerTransaction.posted_at,
            LedgerTransaction.reason,
            LedgerTransaction.order_id,
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerPosting.transaction_id)
        .where(LedgerPosting.account.in_(by_account))
        .order_by(LedgerPosting.transaction_id.desc(), LedgerPosting.line.desc())
        .limit(limit)
    )
    if before:
        query = query.where(
            (LedgerPosting.transaction_id < before[0])
            | ((LedgerPosting.transaction_id == before[0]) & (LedgerPosting.line < before[1]))
        )
    return [
        StatementRow(
            position=(row.transaction_id, row.line),
            at=row.posted_at,
            kind=_KINDS.get(row.reason, row.reason),
            asset=row.asset,
            amount_minor=row.amount_minor,
            lot_id=by_account[row.account].public_id,
            pot_id=by_account[row.account].pot_id,
            pot_name=by_account[row.account].name,
            order_id=row.order_id,
            title=by_account[row.account].source,
        )
        for row in db.session.execute(query)
    ]
