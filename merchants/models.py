"""Merchants: a tenant with a code, a review state and a commission rate."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, UtcDateTime


class Merchant(Base):
    __tablename__ = "merchant"

    id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    state: Mapped[str] = mapped_column(String(10), nullable=False)  # applied, approved, suspended
    tax_number: Mapped[str] = mapped_column(String(20), nullable=False)
    commission_bp: Mapped[int] = mapped_column(nullable=False)  # 500 = 5 %
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
