"""Business time may be moved; real time may not."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from kernel import clock
from kernel.db import write_transaction
from tests.databases import by_sql
from tests.factories.surroundings import PRODUCTION, settings_of

DAY = 86_400


def _moved_by() -> int:
    """Seconds between business time and the machine's."""
    return round((clock.now() - clock.real_now()).total_seconds())


def test_time_is_the_machines_and_aware(app: Flask) -> None:
    assert _moved_by() == 0
    assert clock.now().tzinfo is UTC
    assert abs((clock.real_now() - datetime.now(UTC)).total_seconds()) < 1


def test_the_setting_moves_it(app: Flask) -> None:
    with settings_of(now_offset=str(3 * DAY)):
        assert _moved_by() == 3 * DAY
    with settings_of(now_offset="-60"):
        assert _moved_by() == -60


def test_advancing_adds_up_and_leaves_real_time(app: Flask) -> None:
    with write_transaction():
        assert clock.advance(by=timedelta(days=30)) == 30 * DAY
    assert _moved_by() == 30 * DAY
    with write_transaction():
        assert clock.advance(by=timedelta(hours=1)) == 30 * DAY + 3600
    assert _moved_by() == 30 * DAY + 3600
    with settings_of(now_offset="60"):
        assert _moved_by() == 30 * DAY + 3660
    assert abs((clock.real_now() - datetime.now(UTC)).total_seconds()) < 1


def test_another_process_sees_the_moved_row_within_half_a_second(app: Flask) -> None:
    assert _moved_by() == 0
    by_sql("INSERT INTO clock_offset (id, seconds) VALUES (1, 7200)")
    assert _moved_by() == 0  # remembered
    time.sleep(0.55)
    assert _moved_by() == 7200


class ClockStopped(Exception):
    pass


def _advance_and_fail() -> None:
    with write_transaction():
        clock.advance(by=timedelta(days=1))
        raise ClockStopped


def test_an_advance_that_is_rolled_back_moves_nothing(app: Flask) -> None:
    with pytest.raises(ClockStopped):
        _advance_and_fail()
    clock._cached = (-1.0, 0)
    assert _moved_by() == 0


def test_production_takes_no_offset_and_refuses_to_be_moved(app: Flask) -> None:
    with write_transaction():
        clock.advance(by=timedelta(days=30))
    with settings_of(**PRODUCTION):
        assert _moved_by() == 0
        with pytest.raises(clock.ClockFixed), write_transaction():
            clock.advance(by=timedelta(days=1))
    assert _moved_by() == 30 * DAY


def test_reading_the_clock_begins_no_transaction(app: Flask) -> None:
    with write_transaction():
        clock._cached = (-1.0, 0)
        clock.now()
        clock.advance(by=timedelta(seconds=5))
    assert _moved_by() == 5


def test_tests_may_stop_it(app: Flask) -> None:
    at = datetime(2026, 9, 25, tzinfo=UTC)
    with clock.frozen(at):
        assert clock.now() == at
        with clock.frozen(at + timedelta(days=1)):
            assert clock.now() == at + timedelta(days=1)
        assert clock.now() == at
        assert clock.real_now() != at
    assert _moved_by() == 0


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 24, 10, 0, 0, 999, tzinfo=UTC), "2026-11-24T10:00:00Z"),
        (datetime.fromisoformat("2026-11-24T18:00:00+08:00"), "2026-11-24T10:00:00Z"),
        (None, None),
    ],
)
def test_times_are_told_in_rfc_3339(at: datetime | None, text: str | None) -> None:
    assert clock.rfc3339(at) == text
