"""A login is a person; a membership joins a person to a tenant (Domain rule 21a)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime


class Tenant(Base):
    """An enterprise, a merchant, the bank or the platform. Their own tables share its id."""

    __tablename__ = "tenant"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    kind: Mapped[str] = mapped_column(String(12), nullable=False)
    name: Mapped[str] = mapped_column(String(120), nullable=False)


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    login: Mapped[str] = mapped_column(String(190), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(80), nullable=False)
    password_hash: Mapped[str] = mapped_column(String(200), nullable=False)
    # Whether what this person did before may shape what they are shown (Domain rule 23).
    personalised: Mapped[bool] = mapped_column(nullable=False, default=True, server_default=true())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class Membership(Base):
    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("person_id", "tenant_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), nullable=False)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False, index=True)
    roles: Mapped[list[str]] = mapped_column(Json, nullable=False)
    # A leaver keeps the membership, so that past orders and invoices stay within reach.
    active: Mapped[bool] = mapped_column(nullable=False, default=True)


class UserSession(Base):
    """A sign-in. Only the hash of its token is kept."""

    __tablename__ = "user_session"
    __table_args__ = (Index("ix_user_session_person_id", "person_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), nullable=False)
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"), nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class LoginThrottle(Base):
    """Failed tries of one login name, whether it exists or not."""

    __tablename__ = "login_throttle"

    login_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(nullable=False)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_failure_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
