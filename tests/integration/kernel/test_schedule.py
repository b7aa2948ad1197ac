"""Jobs that run by business time, once each time they are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from kernel import clock
from kernel.db import db, write_transaction
from kernel.schedule import JOBS, job, run_due

pytestmark = pytest.mark.usefixtures("bare")
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def runs(bare: None) -> list[str]:
    done: list[str] = []

    @job("hourly", every=HOUR)
    def hourly() -> int:
        done.append("hourly")
        return len(done)

    @job("daily", every=24 * HOUR)
    def daily() -> int:
        done.append("daily")
        return 0

    return done


def _at(moment: datetime, *, everything: bool = False) -> dict[str, int]:
    with clock.frozen(moment):
        return run_due(everything=everything)


def test_a_job_runs_at_once_and_then_each_time_it_is_due(app: Flask, runs: list[str]) -> None:
    assert _at(START) == {"hourly": 1, "daily": 0}
    assert _at(START) == {}
    assert _at(START + HOUR - timedelta(microseconds=1)) == {}
    assert _at(START + HOUR) == {"hourly": 3}
    # A long pause is made up for by one run.
    assert _at(START + 30 * HOUR) == {"hourly": 4, "daily": 0}
    assert runs == ["hourly", "daily", "hourly", "hourly", "daily"]


def test_everything_runs_when_asked(app: Flask, runs: list[str]) -> None:
    _at(START)
    assert _at(START, everything=True) == {"hourly": 3, "daily": 0}


def test_a_clock_that_was_moved_back_silences_no_job(app: Flask, runs: list[str]) -> None:
    _at(START + timedelta(days=90))
    assert set(_at(START)) == {"hourly", "daily"}
    assert _at(START) == {}


def test_the_last_run_is_kept(app: Flask, runs: list[str]) -> None:
    _at(START)
    rows = db.session.execute(text("SELECT name, due_at, last_run_at FROM job_run ORDER BY name"))
    # One driver gives text, another times.
    assert [tuple(str(value)[:19] for value in row) for row in rows] == [
        ("daily", "2026-03-02 00:00:00", "2026-03-01 00:00:00"),
        ("hourly", "2026-03-01 01:00:00", "2026-03-01 00:00:00"),
    ]


def test_a_failing_job_holds_up_no_other_and_stays_due(app: Flask, runs: list[str]) -> None:
    @job("last", every=HOUR)
    def last() -> int:
        runs.append("last")
        return 0

    def fail() -> int:
        with write_transaction():
            db.session.execute(text("INSERT INTO clock_offset (id, seconds) VALUES (1, 5)"))
            raise RuntimeError("job")

    first = JOBS["hourly"]
    JOBS["hourly"] = type(first)(first.name, first.every, fail)
    with pytest.raises(ExceptionGroup) as caught:
        _at(START)
    assert [str(error) for error in caught.value.exceptions] == ["job"]
    assert runs == ["daily", "last"]
    assert db.session.scalar(text("SELECT count(*) FROM clock_offset")) == 0
    db.session.rollback()
    JOBS["hourly"] = first
    assert _at(START) == {"hourly": 3}


def test_a_job_has_one_name(runs: list[str]) -> None:
    with pytest.raises(ValueError, match="registered twice"):
        job("daily", every=HOUR)(lambda: 0)
