"""The local worker of the embedded parts: one thread a lane, one for scheduled jobs.

Only one runs on a data folder (a lock file says so), so rows need no claim. A row that fails is
tried again with growing pauses and ends as a dead letter that can be replayed.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from flask import Flask

from kernel import outbox, schedule
from kernel.db import db
from kernel.delivering import groups, run_group
from kernel.tasks import LANES, PartUnavailable

log = structlog.get_logger(__name__)
_IDLE_SECONDS = 0.05
_PAUSE_SECONDS = 1.0


class WorkerRuns(Exception):
    """Another worker holds this data folder."""


@contextmanager
def alone(data_dir: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold a data folder's lock, as the one worker on it does. Raises :class:`WorkerRuns`.

    ``patience`` is how many seconds to wait for it: a health check holds it for an instant.
    """
    deadline = time.monotonic() + patience
    with (data_dir / "worker.lock").open("a+") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise WorkerRuns(str(data_dir)) from None
                time.sleep(_IDLE_SECONDS)
        yield


class Worker:
    """Runs until :meth:`stop`; its caller holds the folder by :func:`alone`."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Blocks until stopped; a task that is under way is finished first."""
        threads = [
            threading.Thread(target=self._run_lane, args=(lane,), name=f"lane-{lane}")
            for lane in LANES
        ]
        threads.append(
            threading.Thread(
                target=schedule.keep_looking, args=(self._app, self._stop), name="schedule"
            )
        )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run_lane(self, lane: str) -> None:
        while not self._stop.is_set():
            pause = _IDLE_SECONDS
            with self._app.app_context():
                try:
                    pause = 0 if drain_lane(lane, stop=self._stop) else pause
                except PartUnavailable as away:
                    pause = away.retry_after
                except Exception:
                    # The queue itself failed, not a task: the lane must outlive that.
                    log.exception("lane_failed", lane=lane)
                    pause = _PAUSE_SECONDS
            if pause:
                self._stop.wait(pause)


def drain_lane(lane: str, *, stop: threading.Event | None = None) -> int:
    """Run what is due in one lane now. Returns the number of rows done.

    Raises :class:`PartUnavailable` where a task's part is away: the rest of the lane waits, too.
    """
    done = 0
    rows = outbox.take(lane=lane)
    db.session.rollback()
    for group in groups(rows):
        if stop is not None and stop.is_set():
            break
        done += run_group(group)
    return done


def drain_all(*, rounds: int = 50) -> int:
    """Run all lanes until nothing is due: tests and command lines without a worker."""
    total = 0
    for _ in range(rounds):
        done = sum(drain_lane(lane) for lane in LANES)
        total += done
        if not done:
            break
    return total
