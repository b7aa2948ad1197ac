"""Jobs that run by the clock: holds, expiry, statements. Safe to run twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import String, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, UtcDateTime, changed_rows, db, write_transaction

log = structlog.get_logger(__name__)


class JobRun(Base):
    __tablename__ = "job_run"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    last_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Job:
    name: str
    every: timedelta
    run: Callable[[], int]


JOBS: dict[str, Job] = {}


def job(name: str, *, every: timedelta) -> Callable[[Callable[[], int]], Callable[[], int]]:
    """Register a function that does its work in transactions of its own and says how much."""

    def register(function: Callable[[], int]) -> Callable[[], int]:
        if name in JOBS:
            raise ValueError(f"job {name!r} is registered twice")
        JOBS[name] = Job(name, every, function)
        return function

    return register


def run_due(*, everything: bool = False) -> dict[str, int]:
    """Run each job that is due by business time, once. Returns what each one did.

    A job that fails stays due and holds up no other; raises an ExceptionGroup after the last.
    """
    at = clock.now()
    known = dict(db.session.execute(select(JobRun.name, JobRun.due_at)).tuples().all())
    db.session.rollback()
    done: dict[str, int] = {}
    failures: list[Exception] = []
    for entry in JOBS.values():
        due_at = known.get(entry.name)
        # A clock that was moved back must not silence a job for months.
        if not everything and due_at is not None and at < due_at <= at + entry.every:
            continue
        try:
            done[entry.name] = entry.run()
        except Exception as error:
            db.session.rollback()
            log.exception("job_failed", job=entry.name)
            failures.append(error)
            continue
        values = {"due_at": at + entry.every, "last_run_at": at}
        with write_transaction():
            changed = changed_rows(update(JobRun).where(JobRun.name == entry.name).values(**values))
            if changed == 0:
                db.session.execute(insert(JobRun).values(name=entry.name, **values))
    if failures:
        raise ExceptionGroup("scheduled jobs failed", failures)
    return done
