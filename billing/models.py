"""Invoices and what merchants are owed, one order at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime


class Invoice(Base):
    """A drawn invoice. Its document is a snapshot and never changes; only the state moves."""

    __tablename__ = "invoice"
    __table_args__ = (
        Index("ix_invoice_enterprise_id_drawn_at", "enterprise_id", "drawn_at"),
        Index("ix_invoice_order_id_kind", "order_id", "kind"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    number: Mapped[str] = mapped_column(String(20), nullable=False, unique=True)
    # One blue invoice an order, held by the database: the key is the order's id for a blue one
    # and the refund's id for a red one.
    key: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    kind: Mapped[str] = mapped_column(String(4), nullable=False)  # blue, red
    order_id: Mapped[str] = mapped_column(String(32), nullable=False)  # public id
    origin_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"), index=True)
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False)
    billing_entity_id: Mapped[str] = mapped_column(String(32), nullable=False)
    net_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    tax_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    gross_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    document: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    drawn_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class Payable(Base):
    """What one order owes one merchant: goods and freight, less commission."""

    __tablename__ = "payable"
    __table_args__ = (Index("ix_payable_merchant_id_recorded_at", "merchant_id", "recorded_at"),)

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)  # public id
    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    goods_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    freight_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    commission_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    refunded_commission_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
