"""Running outbox rows: the same for the local worker and for the broker's consumers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog

from kernel import faults, outbox
from kernel.db import CommitUnknown, db, write_transaction
from kernel.retrying import always, is_lost, retried, with_retries
from kernel.tasks import MERGED_AT_MOST, TASKS, PartUnavailable, run_task

log = structlog.get_logger(__name__)
_TOLD_EVERY_SECONDS = 30.0
_told: dict[str, float] = {}


def groups(rows: Sequence[outbox.Delivery]) -> list[list[outbox.Delivery]]:
    """Neighbouring rows of one merging task together, all others alone.

    A row that has failed goes alone from then on, so that it cannot bury its neighbours.
    """
    made: list[list[outbox.Delivery]] = []
    merged = 0
    for row in rows:
        last = made[-1][0] if made else None
        values = _values(row)
        if (
            last is not None
            and values
            and last.task == row.task
            and last.attempts == row.attempts == 0
            and merged + values <= MERGED_AT_MOST
        ):
            made[-1].append(row)
            merged += values
        else:
            made.append([row])
            merged = values
    return made


def _values(row: outbox.Delivery) -> int:
    """How many values a row brings to a merged call; 0 for a task that does not merge."""
    known = TASKS.get(row.task)
    return max(1, len(row.payload[known.merges])) if known is not None and known.merges else 0


def _merged_payload(group: Sequence[outbox.Delivery]) -> dict[str, Any]:
    payload = dict(group[0].payload)
    known = TASKS.get(group[0].task)
    if known and known.merges and len(group) > 1:
        merged = {value: None for row in group for value in row.payload[known.merges]}
        payload[known.merges] = list(merged)
    return payload


def run_group(group: Sequence[outbox.Delivery]) -> int:
    """Run one task for its rows and mark them. Returns how many are done.

    Raises:
        PartUnavailable: what the task needs is away; the rows wait, and so should the lane.
        DBAPIError, CommitUnknown: the database is away; the rows are as they were.
    """
    name = group[0].task
    try:
        with_retries(partial(run_task, name, _merged_payload(group)), resumable=always)
        faults.point("outbox_before_done")
    except PartUnavailable as away:
        db.session.rollback()
        _tell(name, away)
        _commit(partial(outbox.mark_waiting, group, seconds=away.retry_after))
        raise
    except Exception as error:
        if isinstance(error, CommitUnknown) or is_lost(error):
            raise
        db.session.rollback()
        log.exception("task_failed", task=name, outbox_id=group[0].id)
        _commit(partial(outbox.mark_failed, group, f"{type(error).__name__}: {error}"))
        return 0
    db.session.rollback()
    _commit(partial(outbox.mark_done, [row.id for row in group]))
    return len(group)


@retried
def _commit(mark: Callable[[], None]) -> None:
    """Marking rows twice is marking them once."""
    with write_transaction():
        mark()


def _tell(task: str, away: PartUnavailable) -> None:
    """An outage is news once in a while, not with every try."""
    now = time.monotonic()
    if now - _told.get(away.part, -_TOLD_EVERY_SECONDS) >= _TOLD_EVERY_SECONDS:
        _told[away.part] = now
        log.warning("part_unavailable", part=away.part, task=task)
