"""Pots, lots and holds. Lots keep stored balances, proved against the ledger by ``verify``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime


class Pot(Base):
    """A kind of welfare credit of one enterprise: what it may pay and what happens at expiry."""

    __tablename__ = "pot"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False, index=True)
    billing_entity_id: Mapped[str] = mapped_column(String(32), nullable=False)  # public id
    name: Mapped[str] = mapped_column(String(60), nullable=False)
    # A goods rule; whoever decides eligibility reads it, wallets only keep it.
    rule: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    rule_text: Mapped[str] = mapped_column(String(200), nullable=False)
    pays_freight: Mapped[bool] = mapped_column(nullable=False)
    fund_source: Mapped[str] = mapped_column(String(10), nullable=False)  # welfare, union, other
    # Where an expired balance goes: back to its budget, or lapsed for good.
    on_expiry: Mapped[str] = mapped_column(String(8), nullable=False)  # budget, lapse
    # A refund to a lot that has expired meanwhile: restored with days of grace, or to the budget.
    refund_after_expiry: Mapped[str] = mapped_column(String(8), nullable=False)  # restore, budget
    grace_days: Mapped[int] = mapped_column(nullable=False, default=0)


class Lot(Base):
    """One grant of credit to one employee in one pot, or one award of points to a person."""

    __tablename__ = "lot"
    __table_args__ = (
        Index("ix_lot_membership_id_expires_at", "membership_id", "expires_at"),
        Index("ix_lot_person_id_asset", "person_id", "asset"),
        # No index on what orders change: on MariaDB one who waits for a lot there would miss it.
        Index("ix_lot_asset_lapses_at", "asset", "lapses_at"),
        CheckConstraint("available >= 0 AND held >= 0", name="never_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    asset: Mapped[str] = mapped_column(String(8), nullable=False)  # CREDIT, POINT
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), nullable=False)
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("membership.id"))
    pot_id: Mapped[int | None] = mapped_column(ForeignKey("pot.id"), index=True)
    budget_id: Mapped[str | None] = mapped_column(String(32))  # public id
    source: Mapped[str] = mapped_column(String(80), nullable=False)  # its grant, in words
    granted: Mapped[int] = mapped_column(BigInteger, nullable=False)
    available: Mapped[int] = mapped_column(BigInteger, nullable=False)
    held: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    # When what is left lapses; None where nothing is left. The database works it out.
    lapses_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, Computed("CASE WHEN available > 0 THEN expires_at END", persisted=False)
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class WalletHold(Base):
    """Credit and points kept for one order until it is paid or given up."""

    __tablename__ = "wallet_hold"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)  # public id
    state: Mapped[str] = mapped_column(String(8), nullable=False)  # held, captured, voided
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class WalletHoldItem(Base):
    __tablename__ = "wallet_hold_item"

    hold_id: Mapped[int] = mapped_column(ForeignKey("wallet_hold.id"), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), primary_key=True)
    # The place in which it was spent, soonest expiry first: a refund goes back the other way.
    position: Mapped[int] = mapped_column(nullable=False)
    amount: Mapped[int] = mapped_column(BigInteger, nullable=False)
    # The pot's policy as it was at purchase (Domain rule 7); points are always restored.
    refund_after_expiry: Mapped[str] = mapped_column(String(8), nullable=False)
    grace_days: Mapped[int] = mapped_column(nullable=False)
    # How much of it has been given back after capture, to the lot or to its budget.
    refunded: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
