"""Enterprises, their billing entities and employees, programmes, budgets and grants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime


class Enterprise(Base):
    __tablename__ = "enterprise"

    id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True, autoincrement=False)
    # Checked when credit is granted, never at checkout (Domain rule 34).
    credit_limit_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    term_days: Mapped[int] = mapped_column(nullable=False)
    invoice_detail: Mapped[str] = mapped_column(String(10), nullable=False)  # items, category
    employee_sees_invoice: Mapped[bool] = mapped_column(nullable=False, default=True)


class BillingEntity(Base):
    """A legal person that invoices are made out to; a union is one of its own."""

    __tablename__ = "billing_entity"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    enterprise_id: Mapped[int] = mapped_column(
        ForeignKey("enterprise.id"), nullable=False, index=True
    )
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    tax_number: Mapped[str] = mapped_column(String(20), nullable=False)
    address_phone: Mapped[str] = mapped_column(String(200), nullable=False, default="")
    bank_account: Mapped[str] = mapped_column(String(200), nullable=False, default="")


class Employee(Base):
    __tablename__ = "employee"
    __table_args__ = (UniqueConstraint("enterprise_id", "number"),)

    membership_id: Mapped[int] = mapped_column(
        ForeignKey("membership.id"), primary_key=True, autoincrement=False
    )
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"), nullable=False)
    number: Mapped[str] = mapped_column(String(32), nullable=False)
    department: Mapped[str] = mapped_column(String(60), nullable=False)


class Programme(Base):
    """What an enterprise's people may see: a goods rule with a version (Domain rule 30)."""

    __tablename__ = "programme"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    enterprise_id: Mapped[int] = mapped_column(
        ForeignKey("enterprise.id"), nullable=False, unique=True
    )
    name: Mapped[str] = mapped_column(String(60), nullable=False)
    version: Mapped[int] = mapped_column(nullable=False, default=1)
    rule: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)


class Budget(Base):
    __tablename__ = "budget"
    __table_args__ = (
        CheckConstraint("open_minor >= 0 AND reserved_minor >= 0", name="never_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    enterprise_id: Mapped[int] = mapped_column(
        ForeignKey("enterprise.id"), nullable=False, index=True
    )
    name: Mapped[str] = mapped_column(String(60), nullable=False)
    open_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    reserved_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)


class Grant(Base):
    """Credit for some employees, made by one person and approved by another (N4)."""

    __tablename__ = "grant_batch"
    __table_args__ = (
        UniqueConstraint("enterprise_id", "key"),
        Index("ix_grant_batch_enterprise_id_state", "enterprise_id", "state"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"), nullable=False)
    key: Mapped[str] = mapped_column(String(80), nullable=False)
    budget_id: Mapped[int] = mapped_column(ForeignKey("budget.id"), nullable=False)
    pot_id: Mapped[str] = mapped_column(String(32), nullable=False)  # public id
    name: Mapped[str] = mapped_column(String(80), nullable=False)
    total_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    state: Mapped[str] = mapped_column(String(10), nullable=False)  # submitted, approved, rejected
    maker_id: Mapped[int] = mapped_column(ForeignKey("person.id"), nullable=False)
    checker_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class GrantItem(Base):
    __tablename__ = "grant_item"

    grant_id: Mapped[int] = mapped_column(ForeignKey("grant_batch.id"), primary_key=True)
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"), primary_key=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
