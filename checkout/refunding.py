"""What goes back for a returned quantity: pure rules (Domain rule 7).

Every share is f(cumulative quantity returned) − already refunded, with f(q) = share × q / quantity
rounded half up. f grows with q and f(quantity) is the whole share, so any sequence of returns ends
at the same fen as one of everything, and no step is ever negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel.money import round_half_up


@dataclass(frozen=True, slots=True)
class FundedShare:
    """One row of the funding receipt: who paid how much of a line, and what went back so far."""

    number: int
    line: int
    kind: str  # credit, points, cash
    lot_id: str | None
    amount_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """A line with its bought, earlier returned and now returned quantity."""

    line: int
    quantity: int
    returned_before: int
    returned_now: int
    commission_minor: int


def cumulative(share: int, returned: int, quantity: int) -> int:
    """f(returned): what of ``share`` is back when ``returned`` of ``quantity`` are."""
    return round_half_up(share * returned, quantity)


def step(share: int, line: ReturnedLine) -> int:
    """What of a share goes back now."""
    after = line.returned_before + line.returned_now
    return cumulative(share, after, line.quantity) - cumulative(
        share, line.returned_before, line.quantity
    )


def refund_shares(lines: Sequence[ReturnedLine], funding: Sequence[FundedShare]) -> dict[int, int]:
    """Fen that go back now by funding row number; rows that get nothing are left out."""
    by_line = {line.line: line for line in lines}
    shares = {}
    for row in funding:
        line = by_line.get(row.line)
        amount = step(row.amount_minor, line) if line else 0
        if amount:
            shares[row.number] = amount
    return shares


def split_points_over_lots(
    refunded_before: int, refunded_now: int, lots: Sequence[tuple[str, int]]
) -> Mapping[str, int]:
    """Points back to the lots they came from, what expires last first.

    ``lots`` are (id, points taken) in the order in which they were spent, soonest expiry first.
    Cumulative, so that any number of steps fills each lot exactly.
    """
    shares: dict[str, int] = {}
    low, high, start = refunded_before, refunded_before + refunded_now, 0
    for lot_id, taken in reversed(lots):
        end = start + taken
        amount = max(0, min(high, end) - max(low, start))
        if amount:
            shares[lot_id] = amount
        start = end
    return shares
