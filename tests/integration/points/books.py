"""The whole state of wallets and budgets, to compare before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import select, text

from enterprises.services.budgets import verify_budgets
from kernel.db import db, write_transaction
from kernel.ledger.services import balances, verify
from points.models import Lot
from points.services.holds import verify_lots

R = TypeVar("R")


def lot(public_id: str) -> tuple[int, int]:
    """(available, held) of a lot."""
    found = db.session.execute(
        select(Lot.available, Lot.held).where(Lot.public_id == public_id)
    ).one()
    db.session.rollback()
    return found.available, found.held


def everything() -> dict[str, object]:
    """Ledger balances that are not zero, every lot, hold and budget."""
    found: dict[str, object] = {
        table: [tuple(row) for row in db.session.execute(text(f"SELECT * FROM {table}"))]
        for table in ("lot", "wallet_hold", "wallet_hold_item", "budget", "grant_batch")
    }
    found["ledger"] = {account: total for account, total in balances().items() if total}
    found["postings"] = db.session.scalar(text("SELECT count(*) FROM ledger_posting"))
    db.session.rollback()
    return found


def assert_whole() -> None:
    """The trial balance is zero, and every stored balance is what the ledger says."""
    checked = verify()
    assert set(checked.trial_balance.values()) <= {0}
    assert checked.faults == []
    assert verify_lots() == []
    assert verify_budgets() == []
    db.session.rollback()


def commit(service: Callable[..., R], **arguments: object) -> R:
    """One service in a transaction of its own."""
    with write_transaction():
        return service(**arguments)
