"""Figures and how they are taken: short alternating runs, warm, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

# A disk that others use is quick in one second and slow in the next: what is compared must
# alternate faster than that.
LAP_SECONDS = 0.25

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside its floor. Rates a second, times in ms unless ``unit`` says otherwise.

    ``n`` is how many operations of ours it is of.
    """

    name: str
    ours: float
    floor: float
    unit: str
    n: int

    @property
    def ratio(self) -> float:
        """Ours ÷ floor, for rates and times alike."""
        return self.ours / self.floor if self.floor else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ours": _rounded(self.ours),
            "floor": _rounded(self.floor),
            "ratio": round(self.ratio, 3),
            "unit": self.unit,
            "n": self.n,
        }


def _rounded(value: float) -> float | int:
    """Three decimals for small figures; bytes and large rates are whole."""
    return round(value) if abs(value) >= 10_000 else round(value, 3)


@dataclass(frozen=True, slots=True)
class Lap:
    """One short run: how many operations in how many seconds."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def lap(operation: Callable[[], object], *, seconds: float = LAP_SECONDS) -> Lap:
    """Run an operation again and again for about ``seconds``, at least once."""
    count = 0
    started = time.perf_counter()
    while True:
        operation()
        count += 1
        passed = time.perf_counter() - started
        if passed >= seconds:
            return Lap(count, passed)


def rounds(seconds: float, *, of: float = LAP_SECONDS, at_least: int = 3) -> int:
    """How many alternating laps of ``of`` seconds each side gets in ``seconds``."""
    return max(round(seconds / of), at_least)


def median_rate(laps: Sequence[Lap]) -> float:
    return statistics.median(one.rate for one in laps)


def operations(laps: Sequence[Lap]) -> int:
    return sum(one.count for one in laps)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[max(int(rank), 1) - 1]


def timed_ms(operation: Callable[[], object]) -> float:
    started = time.perf_counter()
    operation()
    return (time.perf_counter() - started) * 1_000
