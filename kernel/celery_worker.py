"""The worker of the full stack: relay, scheduler and consumers, a process each."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask

from kernel import schedule
from kernel.consuming import consume
from kernel.processes import Member, ProcessGroup, when_stopped
from kernel.relay import Relay

# Who shares a process waits for the other: short tasks together, long ones alone.
CONSUMERS: tuple[tuple[str, ...], ...] = (("money", "notify"), ("index",), ("feed",))


def run_celery_worker(make_app: Callable[[], Flask]) -> int:
    """Blocks until stopped; returns the exit code. Every process makes its own application, so
    none shares a connection."""
    members = [
        Member("relay", lambda: _relay(make_app())),
        Member("schedule", lambda: _schedule(make_app())),
    ]
    members += [
        Member("-".join(lanes), lambda lanes=lanes: consume(make_app(), lanes))  # type: ignore[misc]
        for lanes in CONSUMERS
    ]
    return ProcessGroup(members).run()


def _relay(app: Flask) -> int:
    relay = Relay(app)
    when_stopped(relay.stop)
    relay.run()
    return 0


def _schedule(app: Flask) -> int:
    stop = threading.Event()
    when_stopped(stop.set)
    schedule.keep_looking(app, stop)
    return 0
