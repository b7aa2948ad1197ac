"""Background work, registered once: the same functions run under Celery and in the local worker.

A task is idempotent, takes plain JSON values and is an edge of its own: it opens its
transactions and commits per batch (Domain rule 29).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from celery import Celery

LANES = ("money", "index", "feed", "notify")

celery = Celery("mall")

P = ParamSpec("P")
R = TypeVar("R")

# What one call of a merging task is given at most: it bounds memory and the time of a batch.
MERGED_AT_MOST = 5_000


class PartUnavailable(Exception):
    """A part that a task needs is away (the search engine, say), so nothing can be done now.

    Its rows wait ``retry_after`` seconds, the lane pauses, and no attempt is counted: an outage
    of an hour must not bury the news of that hour.
    """

    def __init__(self, part: str, *, retry_after: float = 2.0) -> None:
        super().__init__(part)
        self.part = part
        self.retry_after = min(max(retry_after, 0.5), 5.0)


@dataclass(frozen=True)
class Task:
    name: str
    lane: str
    run: Callable[..., object]
    # The list argument that the worker may join over waiting rows, so that a burst of news
    # about single products is indexed in one go. Empty: one row, one call.
    merges: str = ""


TASKS: dict[str, Task] = {}


def task(name: str, *, lane: str, merges: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function as the task ``name`` of one of :data:`LANES`."""
    if lane not in LANES:
        raise ValueError(f"no lane {lane!r}")

    def register(function: Callable[P, R]) -> Callable[P, R]:
        if name in TASKS:
            raise ValueError(f"task {name!r} is registered twice")
        TASKS[name] = Task(name, lane, function, merges)
        celery.task(name=name, ignore_result=True)(function)
        return function

    return register


def run_task(name: str, payload: dict[str, Any]) -> None:
    """Call a registered task by name. Raises KeyError for a name that nobody registered."""
    TASKS[name].run(**payload)
