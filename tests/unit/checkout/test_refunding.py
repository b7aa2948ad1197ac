"""What goes back for a returned quantity (Domain rule 7): any sequence sums to the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout.refunding import (
    FundedShare,
    ReturnedLine,
    cumulative,
    refund_shares,
    split_points_over_lots,
    step,
)


def returned(quantity: int, before: int, now: int, *, line: int = 0, fee: int = 0) -> ReturnedLine:
    return ReturnedLine(line, quantity, before, now, fee)


@pytest.mark.parametrize(
    ("share", "quantity", "steps"),
    [
        (100, 3, [33, 34, 33]),  # 33.3, 66.7, 100 rounded
        (99, 3, [33, 33, 33]),
        (1, 2, [1, 0]),  # half a fen is rounded up
        (1, 3, [0, 1, 0]),
        (2, 3, [1, 0, 1]),
        (0, 2, [0, 0]),
        (29900, 1, [29900]),
    ],
)
def test_golden_steps(share: int, quantity: int, steps: list[int]) -> None:
    assert [step(share, returned(quantity, n, 1)) for n in range(quantity)] == steps
    assert cumulative(share, quantity, quantity) == share


@dataclass(frozen=True)
class Story:
    """Lines with their quantities, the funding receipt, and returns as (line, units)."""

    quantities: list[int]
    funding: list[FundedShare]
    returns: list[tuple[int, int]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    quantities = draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
    amounts = st.one_of(st.integers(0, 9), st.integers(0, 10**9))
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, len(quantities) - 1),
                st.sampled_from(["credit", "points", "cash"]),
                amounts,
            ),
            max_size=8,
        )
    )
    funding = [
        FundedShare(n, line, kind, f"lot_{n}" if kind == "credit" else None, amount, 0)
        for n, (line, kind, amount) in enumerate(rows)
    ]
    left = list(quantities)
    returns: list[tuple[int, int]] = []
    while any(left) and len(returns) < 30:
        line = draw(st.sampled_from([i for i, units in enumerate(left) if units]))
        units = draw(st.integers(1, left[line]))
        left[line] -= units
        returns.append((line, units))
    returns += [(line, units) for line, units in enumerate(left) if units]
    return Story(quantities, funding, returns)


@settings(max_examples=250, deadline=None)
@given(stories())
def test_any_sequence_of_returns_gives_back_each_funding_row_exactly(story: Story) -> None:
    rows = {row.number: row for row in story.funding}
    before = [0] * len(story.quantities)
    for line, units in story.returns:
        quantity = story.quantities[line]
        shares = refund_shares(
            [returned(quantity, before[line], units, line=line)], list(rows.values())
        )
        before[line] += units
        assert all(rows[number].line == line and fen > 0 for number, fen in shares.items())
        for number, fen in shares.items():
            rows[number] = replace(rows[number], refunded_minor=rows[number].refunded_minor + fen)
        for row in rows.values():
            # What is back is a function of the quantity that is back, not of the way there.
            expected = cumulative(row.amount_minor, before[row.line], story.quantities[row.line])
            assert row.refunded_minor == expected <= row.amount_minor
    assert all(row.refunded_minor == row.amount_minor for row in rows.values())


@settings(max_examples=100, deadline=None)
@given(stories())
def test_all_at_once_is_the_sum_of_its_parts(story: Story) -> None:
    whole = refund_shares(
        [returned(q, 0, q, line=line) for line, q in enumerate(story.quantities)], story.funding
    )
    assert whole == {row.number: row.amount_minor for row in story.funding if row.amount_minor}


def test_lines_that_are_not_returned_give_nothing() -> None:
    funding = [FundedShare(0, 0, "cash", None, 900, 0), FundedShare(1, 1, "cash", None, 500, 0)]
    assert refund_shares([returned(3, 0, 1, line=0)], funding) == {0: 300}
    assert refund_shares([], funding) == {}


def test_points_go_back_to_what_expires_last_first() -> None:
    lots = [("soon", 100), ("later", 50), ("last", 30)]
    assert split_points_over_lots(0, 20, lots) == {"last": 20}
    assert split_points_over_lots(20, 20, lots) == {"last": 10, "later": 10}
    assert split_points_over_lots(40, 140, lots) == {"later": 40, "soon": 100}
    assert split_points_over_lots(0, 0, lots) == {}
    assert split_points_over_lots(0, 180, lots) == {"soon": 100, "later": 50, "last": 30}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=6),
    st.lists(st.integers(1, 5000), max_size=8),
)
def test_any_steps_fill_each_points_lot_exactly(taken: list[int], steps: list[int]) -> None:
    lots = [(f"lot_{n}", amount) for n, amount in enumerate(taken)]
    back = dict.fromkeys((lot_id for lot_id, _ in lots), 0)
    before, whole = 0, sum(taken)
    for wanted in [*steps, whole]:
        now = min(wanted, whole - before)
        shares = split_points_over_lots(before, now, lots)
        assert sum(shares.values()) == now
        for lot_id, amount in shares.items():
            back[lot_id] += amount
            assert amount > 0
            assert back[lot_id] <= dict(lots)[lot_id]
        before += now
    assert back == dict(lots)
