"""Several schedulers look at the same jobs: each run belongs to one of them."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text, update

from kernel import clock, schedule
from kernel.db import db, write_transaction
from kernel.schedule import LEASE, JobRun, job, run_due
from tests.integration.kernel.conftest import RealTime

pytestmark = pytest.mark.usefixtures("bare")
HOUR = timedelta(hours=1)


class Slow:
    """A job that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.runs = 0

        @job("slow", every=HOUR)
        def slow() -> int:
            self.runs += 1
            self.begun.set()
            assert self.go_on.wait(20)
            return 7


@pytest.fixture
def slow() -> Slow:
    return Slow()


def _in_background(app: Flask, done: list[dict[str, int]]) -> threading.Thread:
    def other_scheduler() -> None:
        with app.app_context():
            done.append(run_due())

    thread = threading.Thread(target=other_scheduler)
    thread.start()
    return thread


def _leases() -> list[tuple[str, bool]]:
    found = db.session.execute(text("SELECT name, leased_until IS NULL FROM job_run"))
    answer = [(name, not free) for name, free in found]
    db.session.rollback()
    return answer


def test_a_job_under_way_is_left_to_its_scheduler(app: Flask, slow: Slow) -> None:
    done: list[dict[str, int]] = []
    thread = _in_background(app, done)
    assert slow.begun.wait(10)
    assert _leases() == [("slow", True)]
    assert run_due() == {}
    slow.go_on.set()
    thread.join()
    assert (done, slow.runs) == ([{"slow": 7}], 1)
    assert _leases() == [("slow", False)]
    assert run_due() == {}


def test_patience_waits_until_what_was_due_is_done(app: Flask, slow: Slow) -> None:
    thread = _in_background(app, [])
    assert slow.begun.wait(10)
    started = time.monotonic()
    assert run_due(patience=0.3) == {}
    assert time.monotonic() - started >= 0.3
    threading.Timer(0.3, slow.go_on.set).start()
    assert run_due(patience=20) == {}
    assert _leases() == [("slow", False)]
    thread.join()
    assert slow.runs == 1


def test_many_schedulers_run_a_job_once_each_time(app: Flask) -> None:
    runs: list[int] = []

    @job("often", every=HOUR)
    def often() -> int:
        runs.append(1)
        time.sleep(0.05)
        return 0

    for round_ in range(3):
        with clock.frozen(datetime(2026, 3, 1, tzinfo=UTC) + round_ * HOUR):
            threads = [_in_background(app, []) for _ in range(6)]
            for thread in threads:
                thread.join()
        assert len(runs) == round_ + 1


def test_who_was_killed_holds_a_job_up_for_one_lease(app: Flask, real_time: RealTime) -> None:
    runs: list[int] = []

    @job("due", every=HOUR)
    def due() -> int:
        runs.append(1)
        return 0

    run_due()
    with write_transaction():
        db.session.execute(
            update(JobRun).values(
                due_at=clock.real_now() - HOUR, leased_until=clock.real_now() + LEASE
            )
        )
    assert run_due() == {}
    real_time.pass_by(LEASE + timedelta(seconds=0.1))
    assert run_due() == {"due": 0}
    assert len(runs) == 2


def test_a_long_job_keeps_its_lease(
    app: Flask, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(schedule, "_RENEW_SECONDS", 0.1)
    thread = _in_background(app, [])
    assert slow.begun.wait(10)
    time.sleep(1.5)
    assert run_due() == {}
    slow.go_on.set()
    thread.join()
    assert slow.runs == 1


def test_a_job_that_failed_is_free_at_once(app: Flask) -> None:
    @job("fails", every=HOUR)
    def fails() -> int:
        raise RuntimeError("job")

    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            run_due()
        assert _leases() == [("fails", False)]
