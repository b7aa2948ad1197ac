"""Transactional outbox (Domain rule 32): news leaves with the transaction that made it.

One row is one delivery to one task, so that each is retried and buried by itself. Ids commit out
of order, so readers take unsent rows in id order and never keep an "up to here" mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Index, String, Table, Text, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, BigId, Json, UtcDateTime, changed_rows, db, run
from kernel.tasks import TASKS

PENDING, DONE, DEAD = "pending", "done", "dead"
MAX_ATTEMPTS = 10

_listeners: dict[str, list[str]] = {}


class OutboxRow(Base):
    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_lane_state_id", "lane", "state", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event: Mapped[str] = mapped_column(String(80), nullable=False)
    task: Mapped[str] = mapped_column(String(80), nullable=False)
    lane: Mapped[str] = mapped_column(String(16), nullable=False)
    payload: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    state: Mapped[str] = mapped_column(String(8), nullable=False, default=PENDING)
    attempts: Mapped[int] = mapped_column(nullable=False, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)


_INSERT = insert(cast("Table", OutboxRow.__table__))


def listen(event: str, task_name: str) -> None:
    """Wire a task to an event; ``app/events.py`` is the only caller."""
    if task_name not in TASKS:
        raise ValueError(f"no task {task_name!r}")
    names = _listeners.setdefault(event, [])
    if task_name not in names:
        names.append(task_name)


def emit(event: str, **payload: Any) -> None:
    """Tell all who listen, when this transaction commits. Payloads carry ids only."""
    at = clock.real_now()
    rows = [
        {
            "event": event,
            "task": name,
            "lane": TASKS[name].lane,
            "payload": payload,
            "state": PENDING,
            "attempts": 0,
            "created_at": at,
            "due_at": at,
        }
        for name in _listeners.get(event, ())
    ]
    if rows:
        run(_INSERT, rows)


@dataclass(frozen=True)
class Delivery:
    """One waiting row, free of the session."""

    id: int
    task: str
    payload: dict[str, Any]
    attempts: int


def take(*, lane: str, limit: int = 200) -> list[Delivery]:
    """Due rows of one lane in id order."""
    rows = db.session.execute(
        select(OutboxRow.id, OutboxRow.task, OutboxRow.payload, OutboxRow.attempts)
        .where(
            OutboxRow.lane == lane,
            OutboxRow.state == PENDING,
            OutboxRow.due_at <= clock.real_now(),
        )
        .order_by(OutboxRow.id)
        .limit(limit)
    )
    return [Delivery(*row) for row in rows]


def mark_done(ids: Sequence[int]) -> None:
    run(
        update(OutboxRow)
        .where(OutboxRow.id.in_(ids))
        .values(state=DONE, done_at=clock.real_now(), attempts=OutboxRow.attempts + 1)
    )


def mark_failed(row: Delivery, error: str) -> None:
    """Try again after 1, 2, 4 … 300 seconds; after :data:`MAX_ATTEMPTS` it is a dead letter."""
    attempts = row.attempts + 1
    state = DEAD if attempts >= MAX_ATTEMPTS else PENDING
    wait = timedelta(seconds=min(2 ** (attempts - 1), 300))
    run(
        update(OutboxRow)
        .where(OutboxRow.id == row.id)
        .values(
            state=state,
            attempts=attempts,
            due_at=clock.real_now() + wait,
            last_error=error[:2000],
        )
    )


def replay(ids: Sequence[int]) -> int:
    """Dead letters back to work. Returns how many."""
    return changed_rows(
        update(OutboxRow)
        .where(OutboxRow.id.in_(ids), OutboxRow.state == DEAD)
        .values(state=PENDING, attempts=0, due_at=clock.real_now())
    )


def backlog() -> dict[str, dict[str, int]]:
    """Rows by lane and state, done ones left out."""
    found: dict[str, dict[str, int]] = {}
    for lane, state, count in db.session.execute(
        select(OutboxRow.lane, OutboxRow.state, func.count())
        .where(OutboxRow.state.in_((PENDING, DEAD)))
        .group_by(OutboxRow.lane, OutboxRow.state)
    ):
        found.setdefault(lane, {})[state] = count
    return found


def purge(*, older_than: timedelta, limit: int = 5000) -> int:
    """Forget what was delivered long ago."""
    old = (
        select(OutboxRow.id)
        .where(OutboxRow.state == DONE, OutboxRow.done_at < clock.real_now() - older_than)
        .limit(limit)
    )
    ids = db.session.scalars(old).all()
    if ids:
        run(delete(OutboxRow).where(OutboxRow.id.in_(ids)))
    return len(ids)
