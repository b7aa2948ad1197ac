"""Jobs that run by the clock: holds, expiry, statements. Safe to run twice.

Any number of schedulers may look at once. Which jobs are due says the table, by business time;
who runs one holds its lease, by real time, and renews it for as long as the job takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import Flask, current_app
from sqlalchemy import String, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, UtcDateTime, changed_rows, db, run, write_transaction
from kernel.retrying import always, retried, with_retries

log = structlog.get_logger(__name__)

# Who is killed in the middle of a job holds it up for no longer than this.
LEASE = timedelta(seconds=10)
_RENEW_SECONDS = 3.0
_LOOK_SECONDS = 2.0
_POLL_SECONDS = 0.1


class JobRun(Base):
    __tablename__ = "job_run"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    last_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


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


def keep_looking(app: Flask, stop: threading.Event) -> None:
    """Run what is due every other second, until told to stop; a job that fails ends nothing."""
    while not stop.wait(_LOOK_SECONDS):
        with app.app_context():
            try:
                run_due()
            except Exception:
                log.exception("schedule_failed")


def run_due(*, everything: bool = False, patience: float = 0.0) -> dict[str, int]:
    """Run each job that is due by business time, once. Returns what each one did.

    A job that another scheduler runs at this moment is left to it; ``patience`` is how many
    seconds to wait for that, so that all that was due is done on return. A job that fails stays
    due and holds up no other; raises an ExceptionGroup after the last.
    """
    deadline = time.monotonic() + patience
    done: dict[str, int] = {}
    failures: list[Exception] = []
    waiting = list(JOBS.values())
    while waiting:
        waiting = [
            entry
            for entry, due_at in _due(waiting, everything)
            if not _run_claimed(entry, due_at, done, failures)
        ]
        if not waiting or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    if failures:
        raise ExceptionGroup("scheduled jobs failed", failures)
    return done


def _due(entries: list[Job], everything: bool) -> list[tuple[Job, datetime | None]]:
    """The jobs that are due, with the time since when; None where one has never run."""
    at = clock.now()
    known = dict(db.session.execute(select(JobRun.name, JobRun.due_at)).tuples().all())
    db.session.rollback()
    found = [(entry, known.get(entry.name)) for entry in entries]
    # A clock that was moved back must not silence a job for months.
    return [
        (entry, due_at)
        for entry, due_at in found
        if everything or due_at is None or not at < due_at <= at + entry.every
    ]


def _run_claimed(
    entry: Job, due_at: datetime | None, done: dict[str, int], failures: list[Exception]
) -> bool:
    """Run a job; False where another scheduler has it."""
    at = clock.now()
    lease = _claim(entry.name, due_at, at)
    if lease is None:
        return False
    try:
        with _renewed(lease):
            done[entry.name] = with_retries(entry.run, resumable=always)
    except Exception as error:
        db.session.rollback()
        log.exception("job_failed", job=entry.name)
        failures.append(error)
        lease.end()
    else:
        lease.end(due_at=at + entry.every, last_run_at=at)
    return True


class _Lease:
    """The right to run a job; ``until`` names the holder, since nobody else has this moment."""

    def __init__(self, name: str, until: datetime) -> None:
        self._name = name
        self._until = until

    def renew(self) -> None:
        until = clock.real_now() + LEASE
        if self._change(leased_until=until):
            self._until = until

    def end(self, **values: datetime) -> None:
        """Give it back, with what the run made of the job's times."""
        self._change(leased_until=None, **values)

    @retried
    def _change(self, **values: datetime | None) -> bool:
        with write_transaction():
            return bool(
                changed_rows(
                    update(JobRun)
                    .where(JobRun.name == self._name, JobRun.leased_until == self._until)
                    .values(**values)
                )
            )


def _claim(name: str, due_at: datetime | None, at: datetime) -> _Lease | None:
    """The lease of a job that is still due since ``due_at`` and that nobody runs."""
    now = clock.real_now()
    until = now + LEASE
    try:
        with write_transaction():
            if due_at is None:
                run(insert(JobRun).values(name=name, due_at=at, leased_until=until))
                return _Lease(name, until)
            free = or_(JobRun.leased_until.is_(None), JobRun.leased_until <= now)
            this = (JobRun.name == name) & (JobRun.due_at == due_at) & free
            taken = changed_rows(update(JobRun).where(this).values(leased_until=until))
            return _Lease(name, until) if taken else None
    except IntegrityError:
        return None  # another scheduler met the new job first


@contextmanager
def _renewed(lease: _Lease) -> Iterator[None]:
    """Renew a lease beside the job that runs under it."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # werkzeug's proxy
    over = threading.Event()

    def keep() -> None:
        while not over.wait(_RENEW_SECONDS):
            with app.app_context():
                try:
                    lease.renew()
                except Exception:
                    # The job goes on; at worst another scheduler runs it too, which is safe.
                    log.exception("lease_not_renewed")

    thread = threading.Thread(target=keep, name="job-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
