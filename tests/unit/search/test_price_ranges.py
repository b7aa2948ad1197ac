"""Price ranges fitted to counts: what they promise, for any counts and any choice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.goods_filters import PriceRange
from search.price_ranges import (
    FEWEST,
    LADDER,
    PriceCount,
    cells,
    fitted,
    parse_price,
    price_label,
    price_value,
)

MOST = 6
_prices = st.lists(st.integers(0, 6_000_000) | st.integers(0, 60_000), min_size=1, max_size=60)
_bound = st.none() | st.integers(0, 6_000_000)
_any_range = st.tuples(_bound, _bound).filter(lambda bounds: bounds != (None, None))


def fit(prices: list[int], chosen: list[PriceRange]) -> list[PriceCount]:
    counts = {
        place: sum(low <= price and (high is None or price < high) for price in prices)
        for place, (low, high) in enumerate(cells(chosen))
    }
    return fitted(counts, chosen)


def holds(low: int | None, high: int | None, price: int) -> bool:
    return (low or 0) <= price and (high is None or price <= high)


@given(prices=_prices)
def test_ranges_are_disjoint_hold_everything_and_have_round_bounds(prices: list[int]) -> None:
    found = fit(prices, [])

    assert sum(each.found for each in found) == len(prices)
    for each in found:
        assert each.found == sum(holds(each.low, each.high, price) for price in prices) > 0
        assert each.low in LADDER
        assert each.high is None or each.high + 1 in LADDER
    for left, right in pairwise(found):
        assert left.high is not None
        assert left.high + 1 == right.low
    filled = len({max(bound for bound in LADDER if bound <= price) for price in prices})
    assert min(FEWEST, filled) <= len(found) <= MOST
    if filled > 1:
        assert (found[0].low, found[-1].high) == (0, None)


@given(prices=_prices, data=st.data())
def test_choosing_offered_ranges_moves_none(prices: list[int], data: st.DataObject) -> None:
    before = fit(prices, [])
    chosen = data.draw(st.lists(st.sampled_from(before), unique=True))

    assert fit(prices, [(each.low, each.high) for each in chosen]) == before


@given(prices=_prices, chosen=st.lists(_any_range, max_size=5))
def test_whatever_was_chosen_is_offered_with_its_count(
    prices: list[int], chosen: list[PriceRange]
) -> None:
    found = fit(prices, chosen)

    offered = {(each.low, each.high): each.found for each in found}
    assert len(offered) == len(found)
    assert set(chosen) <= set(offered)
    for (low, high), count in offered.items():
        assert count == sum(holds(low, high, price) for price in prices)


@given(prices=_prices, others=_prices, data=st.data())
def test_a_chosen_range_stays_offered_when_other_goods_are_found(
    prices: list[int], others: list[int], data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(fit(prices, [])))

    found = fit(others, [(chosen.low, chosen.high)])

    assert [(each.low, each.high) for each in found].count((chosen.low, chosen.high)) == 1
    assert sum(each.found for each in found) == len(others)
    for left, right in pairwise(found):
        assert left.high is not None
        assert right.low is not None
        assert left.high < right.low


@pytest.mark.parametrize(
    ("prices", "values"),
    [
        ([12_345], ["10000-14999"]),
        ([9_900, 9_900, 19_900], ["0-9999", "10000-"]),
        (
            [yuan * 100 for yuan in range(1, 1_000, 3)],
            ["0-19999", "20000-49999", "50000-69999", "70000-"],
        ),
        (
            [3_900] * 30 + [8_800] * 28 + [12_800] * 31 + [25_900] * 27 + [69_900] * 30,
            ["0-4999", "5000-9999", "10000-19999", "20000-49999", "50000-"],
        ),
        ([], []),
    ],
)
def test_how_prices_are_divided(prices: list[int], values: list[str]) -> None:
    assert [price_value(each.low, each.high) for each in fit(prices, [])] == values


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("0-4999", "50元以下"),
        ("-5000", "50元以下"),
        ("10000-19999", "100–200元"),
        ("8850-18800", "88.50–188元"),
        ("100000-", "1000元以上"),
    ],
)
def test_how_ranges_are_sent_and_shown(value: str, label: str) -> None:
    low, high = parse_price(value)

    assert price_label(low, high) == label
    assert price_value(low, high) == value
