"""Time. Business time may be moved in demo and test; signatures and sessions use real time.

A moved clock is a row that all processes read (Domain rule 36), cached for half a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from flask import has_app_context
from sqlalchemy import BigInteger, Integer, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, changed_rows, db
from kernel.errors import Problem
from kernel.settings import Environment, get_settings

CACHE_SECONDS = 0.5
_cached: tuple[float, int] = (-1.0, 0)
_frozen: datetime | None = None


class ClockOffset(Base):
    __tablename__ = "clock_offset"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    seconds: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)


class ClockFixed(Problem):
    code = "clock_fixed"
    status = 409
    title = "生产环境不能移动时钟"


def real_now() -> datetime:
    """Aware UTC time of the machine."""
    return datetime.now(UTC)


def now() -> datetime:
    """Aware UTC business time: the machine's, moved by the setting and by the stored row."""
    if _frozen is not None:
        return _frozen
    settings = get_settings()
    if settings.env is Environment.PRODUCTION:
        return real_now()
    return real_now() + timedelta(seconds=settings.now_offset + _stored_offset())


def _stored_offset() -> int:
    global _cached
    at, seconds = _cached
    if time.monotonic() - at < CACHE_SECONDS or not has_app_context():
        return seconds
    # A connection of its own, outside the session: the clock must not begin a transaction in it.
    with db.engines["read"].connect() as connection:
        found = connection.scalar(select(ClockOffset.seconds).where(ClockOffset.id == 1))
    _cached = (time.monotonic(), found or 0)
    return found or 0


def advance(*, by: timedelta) -> int:
    """Move business time forward; the caller commits. Returns the whole offset in seconds.

    Raises :class:`ClockFixed` in production.
    """
    global _cached
    if get_settings().env is Environment.PRODUCTION:
        raise ClockFixed
    seconds = int(by.total_seconds())
    moved = changed_rows(
        update(ClockOffset).where(ClockOffset.id == 1).values(seconds=ClockOffset.seconds + seconds)
    )
    if moved == 0:
        db.session.execute(insert(ClockOffset).values(id=1, seconds=seconds))
    _cached = (-1.0, 0)
    return db.session.scalar(select(ClockOffset.seconds).where(ClockOffset.id == 1)) or 0


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Tests: business time stands at ``at`` in this process."""
    global _frozen
    before, _frozen = _frozen, at
    try:
        yield
    finally:
        _frozen = before


def rfc3339(at: datetime | None) -> str | None:
    """``2026-11-24T10:00:00Z``; None stays None."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
