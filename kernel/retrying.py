"""Doing a command again where the database says that this is the thing to do (ADR 0012).

A deadlock, a lock waited for too long and a lost connection undo the whole transaction, so the
whole command is done again, by its edge: a view, a task, a job, a batch of a command line.
Services never do. What a lost connection at COMMIT did nobody can tell; only a command that knows
what it did before (by its idempotency key, or because it is safe to run twice) is done again then.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from kernel.db import CommitUnknown, commits, db
from kernel.mariadb import error_code

log = structlog.get_logger(__name__)

TRIES = 3
# Before the second and third try, times a random share: two that met shall not meet again.
_PAUSE_SECONDS = 0.04

# Lock wait, deadlock, a row that changed since it was read: the server has undone everything.
_COLLISIONS = frozenset({1205, 1213, 1020})
# No connection was made: server away, socket away, too many, shutting down.
_NOT_CONNECTED = frozenset({2002, 2003, 1040, 1053, 1203})

# Marks an error that an inner edge tried to mend in vain: an outer one does not multiply the tries.
_GIVEN_UP = "_mall_given_up"

P = ParamSpec("P")
R = TypeVar("R")


def is_collision(error: BaseException) -> bool:
    """Whether transactions stood in each other's way."""
    return isinstance(error, DBAPIError) and error_code(error.orig) in _COLLISIONS


def is_lost(error: BaseException) -> bool:
    """Whether the connection was lost, or could not be made."""
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or error_code(error.orig) in _NOT_CONNECTED
    )


def never() -> bool:
    return False


def always() -> bool:
    return True


def with_retries(work: Callable[[], R], *, resumable: Callable[[], bool] = never) -> R:
    """``work()``, done again up to :data:`TRIES` times in all where the database asks for it.

    ``resumable`` is asked after a failure whether ``work`` may run again although it has committed
    something, or may have: it is safe to run twice, or finds out by itself where it was. Else such
    a failure is the caller's; :class:`CommitUnknown` then answers 503.
    """
    for attempt in range(1, TRIES + 1):
        before = commits()
        try:
            return work()
        except (DBAPIError, CommitUnknown) as error:
            unsure = isinstance(error, CommitUnknown) or commits() > before
            again = isinstance(error, CommitUnknown) or is_collision(error) or is_lost(error)
            if not again or getattr(error, _GIVEN_UP, False) or (unsure and not resumable()):
                raise
            if attempt == TRIES:
                setattr(error, _GIVEN_UP, True)
                raise
            db.session.rollback()
            cause = error.__cause__ if isinstance(error, CommitUnknown) else error
            log.warning("database_retry", attempt=attempt, error=str(getattr(cause, "orig", cause)))
            time.sleep(_PAUSE_SECONDS * attempt * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("the last try returns or raises")


def retried(work: Callable[P, R]) -> Callable[P, R]:
    """For functions that are safe to run twice (tasks, jobs): :func:`with_retries` around each
    call."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return with_retries(lambda: work(*args, **kwargs), resumable=always)

    return run
