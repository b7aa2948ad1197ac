"""Which lot pays which line (Domain rule 25): always a maximum flow, soonest expiry first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout.funding import Funding, FundingLot, assign_credit, choose_entity, fund
from kernel.money import split_by_largest_remainder

START = datetime(2026, 9, 1, tzinfo=UTC)


def lot(
    number: int, available: int, *lines: int, days: int = 30, entity: str = "company"
) -> FundingLot:
    return FundingLot(number, entity, START + timedelta(days=days), available, frozenset(lines))


def smallest_cut(lots: Sequence[FundingLot], payables: Sequence[int]) -> int:
    """The largest flow by the other side of the theorem: the cheapest of all cuts, tried one by
    one. Shares nothing with augmenting paths."""
    # (fen of the lots that are cut off, lines that the other lots reach) for every choice.
    cuts: list[tuple[int, frozenset[int]]] = [(0, frozenset())]
    for one in lots:
        cuts = [
            *((cut + one.available_minor, reached) for cut, reached in cuts),
            *((cut, reached | one.lines) for cut, reached in cuts),
        ]
    return min(cut + sum(payables[i] for i in reached) for cut, reached in cuts)


def in_order(lots: Sequence[FundingLot]) -> list[FundingLot]:
    return sorted(lots, key=lambda one: (one.expires_at, len(one.lines), one.id))


def given_by(flow: dict[tuple[int, int], int], lots: Sequence[FundingLot]) -> int:
    ids = {one.id for one in lots}
    return sum(amount for (lot_id, _), amount in flow.items() if lot_id in ids)


@dataclass(frozen=True)
class Basket:
    payables: list[int]
    lots: list[FundingLot]


@st.composite
def baskets(draw: st.DrawFn, *, entities: Sequence[str] = ("company",)) -> Basket:
    """Few lots and lines, small and large amounts, many ties: where mistakes are."""
    amounts = st.one_of(st.integers(0, 12), st.integers(0, 2_000_000))
    payables = draw(st.lists(amounts, min_size=1, max_size=6))
    numbers = draw(st.permutations(range(1, draw(st.integers(0, 6)) + 1)))
    lots = [
        FundingLot(
            number,
            draw(st.sampled_from(entities)),
            START + timedelta(days=draw(st.integers(1, 3))),
            draw(amounts),
            draw(st.frozensets(st.integers(0, len(payables) - 1))),
        )
        for number in numbers
    ]
    return Basket(payables, lots)


@settings(max_examples=1200, deadline=None)
@given(baskets())
def test_credit_is_the_largest_possible_and_soonest_expiry_is_used_first(basket: Basket) -> None:
    flow = assign_credit(basket.lots, basket.payables)
    by_id = {one.id: one for one in basket.lots}
    assert all(amount > 0 for amount in flow.values())
    assert all(line in by_id[lot_id].lines for lot_id, line in flow)
    for one in basket.lots:
        assert given_by(flow, [one]) <= one.available_minor
    for line, payable in enumerate(basket.payables):
        assert sum(a for (_, i), a in flow.items() if i == line) <= payable
    # Each first k lots give as much as they could if there were no others: so no fen is taken
    # from a later lot that an earlier one could have paid.
    ordered = in_order(basket.lots)
    for k in range(len(ordered) + 1):
        assert given_by(flow, ordered[:k]) == smallest_cut(ordered[:k], basket.payables)


@settings(max_examples=500, deadline=None)
@given(baskets(), st.integers(0, 3_000_000))
def test_a_smaller_amount_stops_early_and_takes_the_same_lots_first(
    basket: Basket, limit: int
) -> None:
    flow = assign_credit(basket.lots, basket.payables, limit)
    ordered = in_order(basket.lots)
    for k in range(len(ordered) + 1):
        expected = min(limit, smallest_cut(ordered[:k], basket.payables))
        assert given_by(flow, ordered[:k]) == expected
    for line, payable in enumerate(basket.payables):
        assert sum(a for (_, i), a in flow.items() if i == line) <= payable


@settings(max_examples=500, deadline=None)
@given(
    baskets(entities=("company", "union")),
    st.one_of(st.none(), st.integers(0, 3_000_000)),
    st.integers(0, 3_000_000),
)
def test_credit_points_and_card_pay_every_line_exactly(
    basket: Basket, credit: int | None, points: int
) -> None:
    paid = fund(basket.lots, basket.payables, credit_minor=credit, points_minor=points)
    by_entity = {
        entity: smallest_cut([o for o in basket.lots if o.entity_id == entity], basket.payables)
        for entity in ("company", "union")
    }
    largest = max(by_entity.values())
    assert paid.credit_minor == (largest if credit is None else min(credit, largest))
    entities = {
        o.entity_id for o in basket.lots if any(lot_id == o.id for lot_id, _ in paid.credit)
    }
    assert entities == ({paid.entity_id} if paid.credit_minor else set())
    if paid.credit_minor:
        assert by_entity[paid.entity_id or ""] == largest
    rest = [
        whole - sum(a for (_, i), a in paid.credit.items() if i == line)
        for line, whole in enumerate(basket.payables)
    ]
    assert sum(paid.points) == min(points, sum(rest))
    assert list(paid.points) == split_by_largest_remainder(min(points, sum(rest)), rest)
    assert [p + c for p, c in zip(paid.points, paid.cash, strict=True)] == rest
    assert min(*paid.points, *paid.cash, 0) == 0


@settings(max_examples=150, deadline=None)
@given(baskets())
def test_the_order_in_which_lots_are_given_changes_nothing(basket: Basket) -> None:
    assert assign_credit(basket.lots, basket.payables) == assign_credit(
        list(reversed(basket.lots)), basket.payables
    )


# Overlapping pots where greedy is wrong: (name, payables, lots, {(lot, line): fen}).
GOLDEN: list[tuple[str, list[int], list[FundingLot], dict[tuple[int, int], int]]] = [
    (
        "the general pot comes first and must leave the food to the festival pot",
        [100, 100],
        [lot(1, 100, 0, 1, days=10), lot(2, 100, 0, days=20)],
        {(1, 1): 100, (2, 0): 100},
    ),
    (
        "of two that expire together the one that may pay less goes first",
        [100, 100],
        [lot(1, 150, 0, 1, days=10), lot(2, 60, 0, days=10)],
        {(2, 0): 60, (1, 0): 40, (1, 1): 100},
    ),
    (
        "the same in all goes by id",
        [100],
        [lot(7, 60, 0), lot(3, 60, 0)],
        {(3, 0): 60, (7, 0): 40},
    ),
    (
        "a chain: each lot moves one line on for the next",
        [50, 50, 50],
        [lot(1, 50, 0, 1, days=1), lot(2, 50, 0, 2, days=2), lot(3, 50, 0, days=3)],
        {(1, 1): 50, (2, 2): 50, (3, 0): 50},
    ),
    (
        "a chain of two hops: the second lot's place is given up by the first, whose next is full",
        [30, 30, 30],
        [lot(1, 30, 0, 1, days=1), lot(2, 30, 1, 2, days=2), lot(3, 40, 0, days=3)],
        {(1, 1): 30, (2, 2): 30, (3, 0): 30},
    ),
    (
        "an earlier lot keeps giving all it has, though a later one could pay alone",
        [100],
        [lot(1, 30, 0, days=1), lot(2, 100, 0, days=2)],
        {(1, 0): 30, (2, 0): 70},
    ),
    (
        "only part of an earlier lot has to move",
        [100, 40],
        [lot(1, 100, 0, 1, days=1), lot(2, 30, 0, days=2)],
        {(1, 0): 70, (1, 1): 30, (2, 0): 30},
    ),
    (
        "a restricted pot with more than its line keeps the rest",
        [80, 500],
        [lot(1, 1000, 0, days=1), lot(2, 300, 1, days=2)],
        {(1, 0): 80, (2, 1): 300},
    ),
    ("a lot that may pay nothing of it is not touched", [80], [lot(1, 1000)], {}),
    ("an empty lot is not used", [80], [lot(1, 0, 0), lot(2, 5, 0)], {(2, 0): 5}),
    (
        "a line that costs nothing needs nobody",
        [0, 10],
        [lot(1, 10, 0, 1)],
        {(1, 1): 10},
    ),
    (
        "the order of lines decides where there is no other reason",
        [40, 40, 40],
        [lot(1, 100, 0, 1, 2)],
        {(1, 0): 40, (1, 1): 40, (1, 2): 20},
    ),
]


@pytest.mark.parametrize(
    ("payables", "lots", "expected"), [g[1:] for g in GOLDEN], ids=[g[0] for g in GOLDEN]
)
def test_golden_splits(
    payables: list[int], lots: list[FundingLot], expected: dict[tuple[int, int], int]
) -> None:
    assert assign_credit(lots, payables) == expected


def test_a_smaller_amount_goes_to_the_soonest_expiry_and_the_first_lines() -> None:
    lots = [lot(1, 100, 0, 1, days=10), lot(2, 100, 0, days=20)]
    assert assign_credit(lots, [100, 100], 130) == {(1, 0): 70, (1, 1): 30, (2, 0): 30}
    assert assign_credit(lots, [100, 100], 60) == {(1, 0): 60}
    assert assign_credit(lots, [100, 100], 0) == {}


def test_the_entity_that_pays_most_is_chosen() -> None:
    lots = [lot(1, 90, 0, days=1, entity="union"), lot(2, 100, 0, days=50, entity="company")]
    assert choose_entity(lots, [100]) == ("company", {(2, 0): 100})
    assert choose_entity(lots, [90]) == ("union", {(1, 0): 90})


def test_a_tie_goes_to_the_entity_whose_credit_expires_first() -> None:
    lots = [lot(1, 90, 0, days=9, entity="union"), lot(2, 90, 0, days=5, entity="company")]
    assert choose_entity(lots, [90])[0] == "company"
    same_day = [replace(one, expires_at=START) for one in lots]
    assert choose_entity(same_day, [90])[0] == "union"  # then the older lot


@pytest.mark.parametrize(
    "useless",
    [lot(1, 0, 0, days=1, entity="union"), lot(1, 500, days=1, entity="union")],
    ids=["all of it is held", "it may pay none of this"],
)
def test_credit_that_cannot_be_used_here_decides_no_tie(useless: FundingLot) -> None:
    lots = [
        useless,
        lot(2, 90, 0, days=60, entity="union"),
        lot(3, 90, 0, days=5, entity="company"),
    ]
    assert choose_entity(lots, [90])[0] == "company"


def test_no_credit_asked_for_names_no_entity() -> None:
    assert fund([lot(1, 90, 0)], [90], credit_minor=0, points_minor=0) == Funding(
        None, {}, [0], [90]
    )
    assert fund([], [90], credit_minor=None, points_minor=0) == Funding(None, {}, [0], [90])


def test_points_then_card_over_what_is_left_by_largest_remainder() -> None:
    paid = fund([lot(1, 100, 0)], [100, 50, 100], credit_minor=None, points_minor=50)
    # 50 over [0, 50, 100]: 16.67 and 33.33, the larger remainder gets the fen.
    assert paid == Funding("company", {(1, 0): 100}, [0, 17, 33], [0, 33, 67])
    assert fund([], [3, 3], credit_minor=None, points_minor=3).points == [2, 1]
    assert fund([], [30], credit_minor=None, points_minor=10**9).cash == [0]
