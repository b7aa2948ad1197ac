"""A fault point ends the process at once, as a power cut would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kernel import faults
from tests.factories.surroundings import PRODUCTION, settings_of

PROGRAM = """
from kernel import faults
for number in range(1, 4):
    print(number, flush=True)
    faults.point("capture_before_commit")
try:
    faults.point("refund_after_commit")
finally:
    print("end", flush=True)
"""


def _run(fault: str, **more: str) -> tuple[int, list[str]]:
    """Exit code, and what was printed before it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "MALL_FAULT": fault, **more},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("fault", "code", "printed"),
    [
        ("capture_before_commit", 86, ["1"]),
        ("capture_before_commit:3", 86, ["1", "2", "3"]),
        # Not even `finally` runs.
        ("refund_after_commit", 86, ["1", "2", "3"]),
        ("capture_before_commit:4", 0, ["1", "2", "3", "end"]),
        ("order_after_hold", 0, ["1", "2", "3", "end"]),
        ("", 0, ["1", "2", "3", "end"]),
    ],
)
def test_the_process_ends_with_86_at_the_named_point(
    fault: str, code: int, printed: list[str]
) -> None:
    assert _run(fault) == (code, printed)


def test_a_point_that_nobody_listed_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        faults.point("somewhere")


def test_production_does_not_even_start_with_a_fault() -> None:
    with pytest.raises(ValueError, match="MALL_FAULT"), settings_of(**PRODUCTION, fault="x"):
        pass


def test_every_point_says_what_is_done_and_what_is_not() -> None:
    assert all(len(words) > 15 for words in faults.POINTS.values())


@pytest.mark.parametrize(
    ("fault", "hits", "ends"),
    [
        ("capture_before_commit", 1, [1]),
        ("capture_before_commit:3", 4, [3]),
        ("refund_after_commit", 2, []),
        ("", 2, []),
    ],
)
def test_only_the_wanted_hit_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, fault: str, hits: int, ends: list[int]
) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(faults, "_hits", {})
    with settings_of(fault=fault):
        for number in range(1, hits + 1):
            monkeypatch.setattr(os, "_exit", lambda code, n=number: ended.append((n, code)))
            faults.point("capture_before_commit")
    assert ended == [(number, 86) for number in ends]
