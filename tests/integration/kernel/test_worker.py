"""The local worker: one on a data folder, and it outlives what fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from kernel import outbox, schedule, worker
from kernel.db import db, write_transaction
from kernel.outbox import emit, listen
from kernel.schedule import job
from kernel.tasks import LANES, task
from kernel.worker import Worker, WorkerRuns, alone, drain_lane
from tests.integration.kernel.parts import running

pytestmark = pytest.mark.usefixtures("bare")


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def _states() -> list[str]:
    found = db.session.scalars(text("SELECT state FROM outbox ORDER BY id")).all()
    db.session.rollback()
    return list(found)


def test_only_one_worker_holds_a_data_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with alone(tmp_path):
        with pytest.raises(WorkerRuns), alone(tmp_path):
            pass
        with alone(other):
            pass
    with alone(tmp_path):
        pass


def test_a_patient_worker_waits_for_the_one_before_it(tmp_path: Path) -> None:
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(tmp_path):
            held.set()
            leave.wait(5)

    before = threading.Thread(target=hold)
    before.start()
    assert held.wait(5)
    started = time.monotonic()
    with pytest.raises(WorkerRuns), alone(tmp_path, patience=0.15):
        pass
    assert time.monotonic() - started >= 0.15
    threading.Timer(0.1, leave.set).start()
    with alone(tmp_path, patience=5):
        assert leave.is_set()
    before.join()


def test_every_lane_runs_by_itself(app: Flask) -> None:
    meeting = threading.Barrier(len(LANES), timeout=5)
    for lane in LANES:
        # Each waits for all the others: one lane after the other would never come through.
        task(f"t.{lane}", lane=lane)(lambda: meeting.wait() and None)
        listen("all", f"t.{lane}")
    with write_transaction():
        emit("all")
    with running(Worker(app)):
        assert _soon(lambda: _states() == ["done"] * len(LANES))


def test_a_task_under_way_is_finished_before_the_worker_stops(app: Flask) -> None:
    begun, finish = threading.Event(), threading.Event()

    @task("t.slow", lane="feed")
    def slow(number: int) -> None:
        begun.set()
        finish.wait(5)

    listen("slow", "t.slow")
    with write_transaction():
        emit("slow", number=1)
        emit("slow", number=2)
    with running(Worker(app)) as made:
        assert begun.wait(5)
        made.stop()
        finish.set()
    assert _states() == ["done", "pending"]


def test_stopping_leaves_the_rest_of_a_lane(app: Flask) -> None:
    stop = threading.Event()
    task("t.stop", lane="money")(lambda: stop.set())
    listen("stop", "t.stop")
    with write_transaction():
        emit("stop")
        emit("stop")
    assert drain_lane("money", stop=stop) == 1
    assert _states() == ["done", "pending"]


def test_a_lane_goes_on_after_the_database_failed_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failures = outbox.take, iter([True, True, True, True])

    def failing(*, lane: str, limit: int = 200) -> list[outbox.Delivery]:
        if next(failures, False):
            raise OperationalError("SELECT", {}, Exception("database is locked"))
        return take(lane=lane, limit=limit)

    monkeypatch.setattr(outbox, "take", failing)
    monkeypatch.setattr(worker, "_IDLE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "_PAUSE_SECONDS", 0.01)
    done = threading.Event()
    task("t.after", lane="money")(lambda: done.set())
    listen("after", "t.after")
    with write_transaction():
        emit("after")
    with running(Worker(app)):
        assert done.wait(5)


def test_jobs_run_by_the_clock_even_after_one_failed(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_LOOK_SECONDS", 0.02)
    runs: list[str] = []

    @job("fails", every=timedelta(seconds=1))
    def fails() -> int:
        runs.append("fails")
        raise RuntimeError("job")

    @job("works", every=timedelta(days=1))
    def works() -> int:
        runs.append("works")
        return 1

    with running(Worker(app)):
        assert _soon(lambda: runs.count("fails") >= 3)
    assert runs.count("works") == 1
