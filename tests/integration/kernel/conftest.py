"""What kernel tests must put back: the clock's cache, tasks, jobs and listeners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernel import clock, outbox, schedule, tasks


@pytest.fixture(autouse=True)
def _clean_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The offset that one test stored is not remembered in the next."""
    monkeypatch.setattr(clock, "_cached", (-1.0, 0))
    yield
    clock._cached = (-1.0, 0)


@pytest.fixture
def no_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty register of tasks, jobs and listeners."""
    monkeypatch.setattr(tasks, "TASKS", {})
    for module in (outbox, schedule):
        for name in ("TASKS", "JOBS", "_listeners"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, {})
