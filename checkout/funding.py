"""Which lot pays which line (Domain rule 25), and points and card over what is left.

The credit used is the largest possible, a maximum flow of lots to payables: where pots overlap,
paying greedily pot by pot gets it wrong. The one answer: lots in the order (expires_at, number of
payables each may pay, id), each augmented as far as it goes over payables in line order, by
shortest augmenting paths; an earlier lot never loses what it gives, only where it goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.money import split_by_largest_remainder


@dataclass(frozen=True, slots=True)
class FundingLot:
    """A lot of credit with ``available_minor`` fen; ``lines`` are the payables it may pay."""

    id: int
    entity_id: str
    expires_at: datetime
    available_minor: int
    lines: frozenset[int]


@dataclass(frozen=True)
class Funding:
    """``credit`` by (lot id, line) and points and cash by line, all in fen.

    ``entity_id`` is the billing entity whose pots were used; None where no credit was.
    """

    entity_id: str | None
    credit: Mapping[tuple[int, int], int]
    points: Sequence[int]
    cash: Sequence[int]

    @property
    def credit_minor(self) -> int:
        return sum(self.credit.values())


def assign_credit(
    lots: Sequence[FundingLot], payables: Sequence[int], limit_minor: int | None = None
) -> dict[tuple[int, int], int]:
    """Fen by (lot id, line) for one billing entity; at most ``limit_minor`` in all."""
    flow: dict[tuple[int, int], int] = {}
    paid = [0] * len(payables)
    left = sum(payables) if limit_minor is None else limit_minor
    ordered = sorted(lots, key=lambda lot: (lot.expires_at, len(lot.lines), lot.id))
    by_id = {lot.id: lot for lot in ordered}
    for lot in ordered:
        spare = min(lot.available_minor, left)
        while spare > 0:
            path = _shortest_path(lot, by_id, payables, paid, flow)
            if path is None:
                break
            pushed = min(spare, _room(path, payables, paid, flow))
            _push(path, pushed, paid, flow)
            spare -= pushed
            left -= pushed
    return {edge: amount for edge, amount in flow.items() if amount}


# A path alternates lots and lines: [lot, line, lot, line, …], ending at a line with room. Each
# lot after the first takes over from the line before it, which it was paying.
Path = list[int]


def _shortest_path(
    start: FundingLot,
    by_id: Mapping[int, FundingLot],
    payables: Sequence[int],
    paid: Sequence[int],
    flow: Mapping[tuple[int, int], int],
) -> Path | None:
    seen_lines: set[int] = set()
    queue: deque[Path] = deque([[start.id]])
    while queue:
        path = queue.popleft()
        reachable = [i for i in sorted(by_id[path[-1]].lines) if i not in seen_lines]
        for line in reachable:
            if paid[line] < payables[line]:
                return [*path, line]
        for line in reachable:
            seen_lines.add(line)
            used = {path[i] for i in range(0, len(path), 2)}
            for lot_id in by_id:
                if lot_id not in used and flow.get((lot_id, line), 0) > 0:
                    queue.append([*path, line, lot_id])
    return None


def _room(
    path: Path,
    payables: Sequence[int],
    paid: Sequence[int],
    flow: Mapping[tuple[int, int], int],
) -> int:
    room = payables[path[-1]] - paid[path[-1]]
    for i in range(1, len(path) - 1, 2):
        room = min(room, flow[(path[i + 1], path[i])])
    return room


def _push(path: Path, amount: int, paid: list[int], flow: dict[tuple[int, int], int]) -> None:
    for i in range(0, len(path), 2):
        edge = (path[i], path[i + 1])
        flow[edge] = flow.get(edge, 0) + amount
        if i:
            flow[(path[i], path[i - 1])] -= amount
    paid[path[-1]] += amount


def choose_entity(
    lots: Sequence[FundingLot], payables: Sequence[int]
) -> tuple[str | None, dict[tuple[int, int], int]]:
    """The billing entity that can pay most (Domain rule 11) and how; a tie goes to the entity
    whose credit expires first, of what can be used here."""
    usable = [lot for lot in lots if lot.available_minor > 0 and lot.lines]
    entities = dict.fromkeys(
        lot.entity_id for lot in sorted(usable, key=lambda lot: (lot.expires_at, lot.id))
    )
    best: tuple[str | None, dict[tuple[int, int], int]] = (None, {})
    for entity in entities:
        flow = assign_credit([lot for lot in usable if lot.entity_id == entity], payables)
        if sum(flow.values()) > sum(best[1].values()):
            best = (entity, flow)
    return best


def fund(
    lots: Sequence[FundingLot],
    payables: Sequence[int],
    *,
    credit_minor: int | None,
    points_minor: int,
) -> Funding:
    """Pay ``payables`` (fen by line) by credit, then points, then card.

    ``credit_minor`` is how much credit at most (None: as much as possible); ``points_minor`` how
    much the points pay at most. Points and card go over what is left by largest remainder.
    """
    entity, flow = choose_entity(lots, payables)
    if credit_minor is not None and credit_minor < sum(flow.values()):
        flow = assign_credit(
            [lot for lot in lots if lot.entity_id == entity], payables, credit_minor
        )
    rest = list(payables)
    for (_, line), amount in flow.items():
        rest[line] -= amount
    points = split_by_largest_remainder(min(points_minor, sum(rest)), rest)
    cash = [whole - part for whole, part in zip(rest, points, strict=True)]
    return Funding(entity if flow else None, flow, points, cash)
