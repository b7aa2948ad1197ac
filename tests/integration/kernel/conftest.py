"""What kernel tests must put back: the clock's cache, tasks, jobs and listeners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kernel import clock, outbox
from kernel.schedule import JOBS
from kernel.tasks import TASKS


@pytest.fixture(autouse=True)
def _clean_clock() -> Iterator[None]:
    """The offset that one test stored is not remembered in the next."""
    clock._cached = (-1.0, 0)
    yield
    clock._cached = (-1.0, 0)


@pytest.fixture
def bare() -> Iterator[None]:
    """Empty registers of tasks, jobs and listeners."""
    registers: list[dict[str, Any]] = [TASKS, JOBS, outbox._listeners]
    before = [dict(register) for register in registers]
    for register in registers:
        register.clear()
    yield
    for register, content in zip(registers, before, strict=True):
        register.clear()
        register.update(content)


class RealTime:
    """Moves the machine's time, as far as the kernel asks for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._offset = timedelta()
        machine = clock.real_now
        monkeypatch.setattr(clock, "real_now", lambda: machine() + self._offset)

    def pass_by(self, by: timedelta) -> None:
        self._offset += by


@pytest.fixture
def real_time(monkeypatch: pytest.MonkeyPatch) -> RealTime:
    return RealTime(monkeypatch)
