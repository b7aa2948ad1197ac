"""Transactional outbox (Domain rule 32): news leaves with the transaction that made it.

One row is one delivery to one task, so that each is retried and buried by itself. Ids commit out
of order, so readers take unsent rows in id order and never keep an "up to here" mark.

With a broker the relay marks a row ``sent`` before it publishes it; the row stays the truth.
``due_at`` of a sent row is when it counts as lost, so a broker may be wiped and nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    Index,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, BigId, Json, UtcDateTime, changed_rows, db, run
from kernel.tasks import LANES, TASKS

PENDING, SENT, DONE, DEAD = "pending", "sent", "done", "dead"
_OPEN = (PENDING, SENT)
MAX_ATTEMPTS = 10
# How long a broker and its consumers may sit on a row before it is asked about.
LOST_AFTER = timedelta(seconds=60)

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
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    last_error: Mapped[str | None] = mapped_column(Text)


_TABLE = cast("Table", OutboxRow.__table__)
_INSERT = insert(_TABLE)
# Every lane asks twenty times a second: building a statement takes longer than an empty answer.
_DUE = (
    select(_TABLE.c.id, _TABLE.c.task, _TABLE.c.payload, _TABLE.c.attempts)
    .where(
        _TABLE.c.lane == bindparam("lane"),
        _TABLE.c.state.in_(_OPEN),
        _TABLE.c.due_at <= bindparam("at"),
    )
    .order_by(_TABLE.c.id)
    .limit(bindparam("most"))
)


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


_COLUMNS = (OutboxRow.id, OutboxRow.task, OutboxRow.payload, OutboxRow.attempts)


def take(*, lane: str, limit: int = 200) -> list[Delivery]:
    """Due rows of one lane in id order, for the one worker of the embedded parts.

    Rows that a broker lost while there was one are due, too.
    """
    wanted = {"lane": lane, "at": clock.real_now(), "most": limit}
    return [Delivery(*row) for row in db.session.connection().execute(_DUE, wanted)]


def lanes_with(state: str, *, lanes: Sequence[str]) -> set[str]:
    """The lanes that have a due row in this state: one look-up, whatever the backlog is."""
    due = union_all(
        *(
            select(literal(lane).label("lane")).where(
                exists()
                .where(
                    OutboxRow.lane == lane,
                    OutboxRow.state == state,
                    OutboxRow.due_at <= clock.real_now(),
                )
                .correlate(None)
            )
            for lane in lanes
        )
    )
    return set(db.session.scalars(due))


def lock_due(*, lane: str, state: str, limit: int) -> list[Delivery]:
    """Due rows of one lane in id order that nobody else has locked; inside a write transaction."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(
            OutboxRow.lane == lane,
            OutboxRow.state == state,
            OutboxRow.due_at <= clock.real_now(),
        )
        .order_by(OutboxRow.id)
        .limit(limit)
        # SQLite has one writer, and ignores this.
        .with_for_update(skip_locked=True)
    )
    return [Delivery(*row) for row in rows]


def mark_sent(rows: Sequence[Delivery]) -> None:
    """They are with the broker, or will be in an instant: whoever dies now loses nothing."""
    run(
        update(OutboxRow)
        .where(OutboxRow.id.in_([row.id for row in rows]))
        .values(state=SENT, due_at=clock.real_now() + LOST_AFTER)
    )


def mark_lost(rows: Sequence[Delivery]) -> None:
    """Sent, and not heard of again: the next try, or a dead letter at last.

    So a row that ends every process it meets does not go round for ever.
    """
    mark_failed(rows, "sent, and never finished")


def take_back(rows: Sequence[Delivery]) -> None:
    """What was marked as sent and could not be published is pending again."""
    _put_off(rows, timedelta(0))


def mark_waiting(rows: Sequence[Delivery], *, seconds: float) -> None:
    """Pending again in a while, no attempt counted: what they need is away."""
    _put_off(rows, timedelta(seconds=seconds))


def _put_off(rows: Sequence[Delivery], wait: timedelta) -> None:
    run(
        update(OutboxRow)
        .where(OutboxRow.id.in_([row.id for row in rows]), OutboxRow.state.in_(_OPEN))
        .values(state=PENDING, due_at=clock.real_now() + wait)
    )


def expect_lost(*, lane: str) -> int:
    """The broker's queue is empty and new to us: what was sent there counts as lost at once."""
    return changed_rows(
        update(OutboxRow)
        .where(OutboxRow.lane == lane, OutboxRow.state == SENT)
        .values(due_at=clock.real_now())
    )


def unfinished(ids: Sequence[int]) -> list[Delivery]:
    """Those of a message's rows that are still to be done, in id order.

    A row that waits for its next try is left to the relay: a doubled message must not hurry it.
    """
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(
            OutboxRow.id.in_(ids),
            or_(
                OutboxRow.state == SENT,
                and_(OutboxRow.state == PENDING, OutboxRow.due_at <= clock.real_now()),
            ),
        )
        .order_by(OutboxRow.id)
    )
    return [Delivery(*row) for row in rows]


def mark_done(ids: Sequence[int]) -> None:
    run(
        update(OutboxRow)
        .where(OutboxRow.id.in_(ids))
        .values(state=DONE, done_at=clock.real_now(), attempts=OutboxRow.attempts + 1)
    )


def mark_failed(rows: Sequence[Delivery], error: str) -> None:
    """Try again after 1, 2, 4 … 300 seconds; after :data:`MAX_ATTEMPTS` it is a dead letter."""
    for attempts in sorted({row.attempts + 1 for row in rows}):
        state = DEAD if attempts >= MAX_ATTEMPTS else PENDING
        wait = timedelta(seconds=min(2 ** (attempts - 1), 300))
        ids = [row.id for row in rows if row.attempts + 1 == attempts]
        run(
            update(OutboxRow)
            .where(OutboxRow.id.in_(ids), OutboxRow.state.in_(_OPEN))
            .values(
                state=state,
                attempts=attempts,
                due_at=clock.real_now() + wait,
                last_error=error[:2000],
            )
        )


def replay(ids: Sequence[int]) -> int:
    """Dead letters, and what a broker put aside, back to work. Returns how many."""
    return changed_rows(
        update(OutboxRow)
        .where(OutboxRow.id.in_(ids), OutboxRow.state.in_((DEAD, SENT)))
        .values(state=PENDING, attempts=0, due_at=clock.real_now())
    )


def backlog() -> dict[str, dict[str, int]]:
    """Rows by lane and state, done ones left out; those with the broker are pending, too."""
    found: dict[str, dict[str, int]] = {}
    for lane, state, count in db.session.execute(
        select(OutboxRow.lane, OutboxRow.state, func.count())
        .where(OutboxRow.lane.in_(LANES), OutboxRow.state.in_((*_OPEN, DEAD)))
        .group_by(OutboxRow.lane, OutboxRow.state)
    ):
        by_state = found.setdefault(lane, {})
        shown = PENDING if state == SENT else state
        by_state[shown] = by_state.get(shown, 0) + count
    return found


@dataclass(frozen=True)
class DeadLetter:
    """A row that was given up, for the person who looks into it."""

    id: int
    lane: str
    event: str
    task: str
    payload: dict[str, Any]
    attempts: int
    created_at: datetime
    last_error: str


def dead_letters(*, limit: int = 100) -> list[DeadLetter]:
    rows = db.session.execute(
        select(
            OutboxRow.id,
            OutboxRow.lane,
            OutboxRow.event,
            OutboxRow.task,
            OutboxRow.payload,
            OutboxRow.attempts,
            OutboxRow.created_at,
            OutboxRow.last_error,
        )
        .where(OutboxRow.lane.in_(LANES), OutboxRow.state == DEAD)
        .order_by(OutboxRow.id)
        .limit(limit)
    )
    return [DeadLetter(*row) for row in rows]


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
