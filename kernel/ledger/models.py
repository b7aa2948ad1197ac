"""Transactions and postings. Append-only: triggers in the migrations refuse UPDATE and DELETE."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, UtcDateTime


class LedgerTransaction(Base):
    __tablename__ = "ledger_transaction"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # The command's idempotency key: the same command posts once.
    key: Mapped[str] = mapped_column(String(120), nullable=False, unique=True)
    input_hash: Mapped[str] = mapped_column(String(64), nullable=False)
    reason: Mapped[str] = mapped_column(String(40), nullable=False)
    order_id: Mapped[str | None] = mapped_column(String(40), index=True)  # the public id
    origin_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"))
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class LedgerPosting(Base):
    __tablename__ = "ledger_posting"
    __table_args__ = (Index("ix_ledger_posting_balance", "account", "asset", "amount_minor"),)

    transaction_id: Mapped[int] = mapped_column(
        ForeignKey("ledger_transaction.id"), primary_key=True
    )
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account: Mapped[str] = mapped_column(String(96), nullable=False)
    asset: Mapped[str] = mapped_column(String(8), nullable=False)
    amount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
