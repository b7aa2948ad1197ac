"""Price ranges to choose from, fitted to what was found.

The engine counts small ranges between fixed round bounds, the ladder, in the pass that counts
the other facets; neighbours are then merged into four to six ranges of about equal shares. What
was chosen stays one range of its own, so that the others do not move when it is chosen.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from search.goods_filters import PriceRange

Cell = tuple[int, int | None]

# In fen, from 5 to 50,000 yuan.
_STEPS = (100, 150, 200, 300, 500, 700)
_LEAST, _MOST = 500, 5_000_000
LADDER = (
    0,
    *(
        step * 10**power
        for power in range(5)
        for step in _STEPS
        if _LEAST <= step * 10**power <= _MOST
    ),
)
FEWEST = 4
# Shares of the squared total. One more range must be worth more than the first: with seven, two
# neighbours would always save less, so there are six at most. For the second, 100 and 200 are
# kept where 150 or 300 would divide hardly better.
_WHOLE, _RANGE, _UNEVEN = 1_000, 45, 5
_UNEVENNESS = (
    *(0 if str(bound)[:2] in {"0", "10", "20", "50"} else _UNEVEN for bound in LADDER),
    0,
)
_BOUND = re.compile(r"[0-9]{0,12}")


class PriceCount(NamedTuple):
    """A range in fen, ``high`` inclusive, an open end ``None``, and how many were found in it."""

    low: int | None
    high: int | None
    found: int


def cells(chosen: Iterable[PriceRange]) -> tuple[Cell, ...]:
    """The small ranges ``[low, high)`` to count: between the bounds of the ladder and the chosen
    ones, so that each chosen range is a sum of them."""
    bounds = set(LADDER)
    for low, high in chosen:
        bounds.add(low or 0)
        if high is not None:
            bounds.add(high + 1)
    ordered = sorted(bounds)
    return tuple(zip(ordered, (*ordered[1:], None), strict=True))


def fitted(counts: Mapping[int, int], chosen: Sequence[PriceRange]) -> list[PriceCount]:
    """Ranges to offer, the cheapest first, of the counts of ``cells(chosen)`` by their place.

    They are disjoint, have bounds of the ladder and hold all that was counted; what was chosen
    and is not one of them comes in addition.
    """
    lows = [low for low, _ in cells(chosen)]
    sums = [0, *accumulate(counts.get(place, 0) for place in range(len(lows)))]

    def below(bound: int) -> int:
        return sums[bisect_left(lows, bound)]

    def count_of(wanted: PriceRange) -> int:
        low, high = wanted
        return max((sums[-1] if high is None else below(high + 1)) - below(low or 0), 0)

    kept, others = _on_ladder(chosen)
    rungs = [below(bound) for bound in LADDER] + [sums[-1]]
    found = [PriceCount(*wanted, count_of(wanted)) for wanted in others]
    for start, end in _divide(rungs, kept):
        low, high = kept.get((start, end)) or _range_of(start, end)
        found.append(PriceCount(low, high, rungs[end] - rungs[start]))
    return sorted(found, key=lambda each: (each.low or 0, each.high is None, each.high))


def _range_of(start: int, end: int) -> PriceRange:
    return LADDER[start], LADDER[end] - 1 if end < len(LADDER) else None


def _on_ladder(
    chosen: Iterable[PriceRange],
) -> tuple[dict[tuple[int, int], PriceRange], list[PriceRange]]:
    """The chosen ranges that can be among the offered ones, by their rungs, and the others."""
    kept: dict[tuple[int, int], PriceRange] = {}
    others = []
    for low, high in dict.fromkeys(chosen):
        first, after = low or 0, None if high is None else high + 1
        start = bisect_left(LADDER, first)
        end = len(LADDER) if after is None else bisect_left(LADDER, after)
        whole = start < end and LADDER[start] == first and after in {None, *LADDER[end : end + 1]}
        if whole and all(end <= other[0] or other[1] <= start for other in kept):
            kept[start, end] = low, high
        else:
            others.append((low, high))
    return kept, others


def _divide(
    rungs: Sequence[int], kept: Mapping[tuple[int, int], PriceRange]
) -> list[tuple[int, int]]:
    """The ranges between rungs that divide the counts below them (``rungs``) best.

    Best is the least sum of squared counts, with a price for each range and each uneven bound;
    at least ``FEWEST`` ranges, where so many can hold something. Those ``kept`` are among them,
    whole. Of equally good ways always the same one is taken.
    """
    last = len(rungs) - 1
    fewest = min(FEWEST, sum(low < high for low, high in pairwise(rungs)))
    square = rungs[-1] * rungs[-1]
    # The best way to every rung, by the number of filled ranges, of which more than enough is as
    # good as enough: what it costs, the rung before the last step, and the number there.
    best: list[dict[int, tuple[int, int, int]]] = [{0: (0, 0, 0)}]
    for end in range(1, last + 1):
        ways: dict[int, tuple[int, int, int]] = {}
        price = square * (_RANGE + _UNEVENNESS[end])
        for start in range(end):
            if kept and _cuts(start, end, kept):
                continue
            count = rungs[end] - rungs[start]
            step = count * count * _WHOLE + price
            for number, (cost, _, _) in best[start].items():
                reached = number + 1 if count and number < fewest else number
                known = ways.get(reached)
                if known is None or cost + step < known[0]:
                    ways[reached] = cost + step, start, number
        best.append(ways)
    # What was chosen may leave too few places to divide at.
    return _shown(rungs, kept, _trace(best, max(best[-1])))


def _cuts(start: int, end: int, kept: Iterable[tuple[int, int]]) -> bool:
    """Whether a range has a part of one to be kept, or more than that."""
    return any(
        start < stop and begin < end and (start, end) != (begin, stop) for begin, stop in kept
    )


def _trace(
    best: Sequence[Mapping[int, tuple[int, int, int]]], number: int
) -> list[tuple[int, int]]:
    steps = []
    end = len(best) - 1
    while end:
        _, start, before = best[end][number]
        steps.append((start, end))
        end, number = start, before
    return steps[::-1]


def _shown(
    rungs: Sequence[int],
    kept: Mapping[tuple[int, int], PriceRange],
    steps: Sequence[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Those that hold something or were chosen; a lone one only as wide as it need be."""
    shown = [(start, end) for start, end in steps if rungs[start] < rungs[end]]
    if len(shown) == 1 and shown[0] not in kept:
        [(start, end)] = shown
        while rungs[start + 1] == rungs[start]:
            start += 1
        while rungs[end - 1] == rungs[end]:
            end -= 1
        shown = [(start, end)]
    return [*shown, *(each for each in kept if each not in shown)]


# --- as they are sent and shown ------------------------------------------------------------


def price_value(low: int | None, high: int | None) -> str:
    """A range as the ``price`` parameter takes it: both ends inclusive, open where unknown."""
    return f"{'' if low is None else low}-{'' if high is None else high}"


def parse_price(value: str) -> PriceRange:
    """The bounds of a ``price`` parameter.

    Raises:
        ValueError: it is not of the form ``min-max``, ``min-`` or ``-max``.
    """
    low, separator, high = value.partition("-")
    if (
        not separator
        or not (low or high)
        or not _BOUND.fullmatch(low)
        or not _BOUND.fullmatch(high)
    ):
        raise ValueError("a price range is written as min-max, in fen")
    return int(low) if low else None, int(high) if high else None


def price_label(low: int | None, high: int | None) -> str:
    """A range in words: ``100–200元`` for all from 100 yuan to below 200."""
    if high is None:
        return f"{_yuan(low or 0)}元以上"
    top = _yuan(high + 1 if (high + 1) % 100 == 0 else high)
    return f"{_yuan(low)}–{top}元" if low else f"{top}元以下"


def _yuan(minor: int) -> str:
    return str(minor // 100) if minor % 100 == 0 else f"{minor // 100}.{minor % 100:02d}"
