"""Imports that meet the same new attributes at once: each gets one number, and nothing is lost."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import text

from kernel.db import db, write_transaction
from kernel.retrying import always, with_retries
from shop.services.attributes import find_attributes, keep_attributes
from tests.concurrency.processes import run_together

PROCESSES, BATCHES, VALUES = 4, 20, 15


def _batch(number: int) -> list[tuple[str, str]]:
    """Half of it stands in the batch before as well."""
    return [("颜色", f"色{number * VALUES // 2 + place}") for place in range(VALUES)]


def _number(process: int) -> int:
    """All batches, each process from another one on and in another order."""
    for turn in range(BATCHES):
        batch = _batch((turn + process) % BATCHES)
        keep = batch if process % 2 else batch[::-1]

        def write(keep: list[tuple[str, str]] = keep) -> None:
            with write_transaction():
                keep_attributes(keep)

        with_retries(write, resumable=always)
    return len(find_attributes(pair for turn in range(BATCHES) for pair in _batch(turn)))


def test_attributes_are_numbered_once(app: Flask) -> None:
    wanted = {pair for turn in range(BATCHES) for pair in _batch(turn)}

    seen = run_together(_number, list(range(PROCESSES)))

    assert seen == [len(wanted)] * PROCESSES
    kept = db.session.execute(text("SELECT name, value FROM attribute_value")).all()
    assert len(kept) == len(wanted)
    assert {tuple(row) for row in kept} == wanted
