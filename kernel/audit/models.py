"""The audit log and its head. Append-only by triggers; the chain shows what got past them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime


class AuditEntry(Base):
    __tablename__ = "audit_entry"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    actor: Mapped[str] = mapped_column(String(40), nullable=False, index=True)
    action: Mapped[str] = mapped_column(String(60), nullable=False)
    subject: Mapped[str] = mapped_column(String(80), nullable=False, index=True)
    details: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    digest: Mapped[str] = mapped_column(String(64), nullable=False)


class AuditHead(Base):
    """The one row that says where the log ends, so that cutting its tail off shows."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigId, nullable=False)
    digest: Mapped[str] = mapped_column(String(64), nullable=False)
    seal: Mapped[str] = mapped_column(String(64), nullable=False)
