"""Whole amounts only; splits that sum to the whole."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import (
    MAX_MINOR,
    MixedAssets,
    Money,
    Points,
    format_yuan,
    minor_to_points,
    parse_yuan,
    points_to_minor,
    round_half_up,
    split_by_largest_remainder,
)

WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=30)


def test_money_adds_and_subtracts_in_its_own_currency() -> None:
    assert Money(150) + Money(50) == Money(200)
    assert Money(150) - Money(200) == Money(-50)
    assert Money(1) < Money(2)
    assert not Money(2) < Money(2)
    assert (Money(7).minor, Money(7).currency) == (7, "CNY")
    assert Money(7) != Money(7, "USD")
    assert str(Money(123_456)) == "CNY 1,234.56"


def test_points_add_and_subtract() -> None:
    assert Points(30) + Points(12) == Points(42)
    assert Points(30) - Points(12) == Points(18)
    assert Points(30_000).worth() == Money(30_000)


@pytest.mark.parametrize("amount", [1.0, 1.5, True, "1", None])
def test_an_amount_that_is_not_a_whole_number_is_refused(amount: Any) -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        Money(amount)
    with pytest.raises(TypeError, match="whole numbers"):
        Points(amount)


@pytest.mark.parametrize(
    ("left", "right"),
    [(Money(1), Money(1, "USD")), (Money(1), Points(1)), (Points(1), Money(1))],
)
def test_assets_never_mix(left: Any, right: Any) -> None:
    with pytest.raises(MixedAssets):
        left + right
    with pytest.raises(MixedAssets):
        left - right


def test_currencies_do_not_compare() -> None:
    with pytest.raises(MixedAssets):
        assert Money(1) < Money(2, "USD")


@pytest.mark.parametrize("minor", [0, 1, 99, 100, 12_345])
def test_a_hundred_points_pay_a_yuan(minor: int) -> None:
    assert minor_to_points(minor) == minor
    assert points_to_minor(minor) == minor


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [
        (1, 2, 1),
        (-1, 2, -1),
        (3, 2, 2),
        (1, 3, 0),
        (2, 3, 1),
        (-2, 3, -1),
        (0, 7, 0),
        (5, 1, 5),
        # The tax in ¥99.00 at 13 %: 9900 × 1300 / 11300 = 1138.938…
        (9_900 * 1_300, 11_300, 1_139),
    ],
)
def test_halves_round_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert round_half_up(numerator, denominator) == rounded


@pytest.mark.parametrize("denominator", [0, -3])
def test_rounding_needs_a_positive_denominator(denominator: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        round_half_up(1, denominator)


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_rounding_is_off_by_half_at_most(numerator: int, denominator: int) -> None:
    distance = round_half_up(numerator, denominator) - Fraction(numerator, denominator)
    assert abs(distance) <= Fraction(1, 2)
    assert round_half_up(-numerator, denominator) == -round_half_up(numerator, denominator)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (1, [0, 5, 5], [0, 1, 0]),
        (10, [3, 7], [3, 7]),
        (7, [1, 2, 4], [1, 2, 4]),
        (0, [5, 9], [0, 0]),
        (0, [0, 0], [0, 0]),
        (0, [], []),
        (-100, [1, 1, 1], [-34, -33, -33]),
        # 5.5 and 4.5: equal remainders, so the earlier line gets the fen.
        (10, [11, 9], [6, 4]),
        # Remainders .25 and .75: the later line gets it.
        (5, [9, 11], [2, 3]),
    ],
)
def test_largest_remainder(total: int, weights: list[int], parts: list[int]) -> None:
    assert split_by_largest_remainder(total, weights) == parts


@given(WEIGHTS.filter(any), st.integers(0, 10**9))
def test_parts_sum_to_the_whole_and_are_within_one_of_their_share(
    weights: list[int], total: int
) -> None:
    parts = split_by_largest_remainder(total, weights)
    whole = sum(weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, whole)) < 1
        assert weight or not part
    assert split_by_largest_remainder(-total, weights) == [-part for part in parts]


@given(WEIGHTS, st.data())
def test_no_part_exceeds_its_weight(weights: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    parts = split_by_largest_remainder(total, weights)
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


@given(st.integers(1, 50), st.integers(1, 10**6), st.integers(0, 10**6))
def test_ties_go_to_the_earlier_line(lines: int, weight: int, total: int) -> None:
    parts = split_by_largest_remainder(total, [weight] * lines)
    assert parts == sorted(parts, reverse=True)
    assert max(parts) - min(parts) <= 1


def test_a_split_over_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to split over"):
        split_by_largest_remainder(1, [0, 0])
    with pytest.raises(ValueError, match="nothing to split over"):
        split_by_largest_remainder(1, [])
    with pytest.raises(ValueError, match="negative"):
        split_by_largest_remainder(1, [2, -1])


@pytest.mark.parametrize(
    ("minor", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (-5, "-0.05"),
        (123_450, "1,234.50"),
        (-100_000_000, "-1,000,000.00"),
    ],
)
def test_fen_are_written_as_yuan(minor: int, text: str) -> None:
    assert format_yuan(minor) == text
    assert parse_yuan(text) == minor


@given(st.integers(-MAX_MINOR, MAX_MINOR))
def test_what_is_written_is_read_back(minor: int) -> None:
    assert parse_yuan(format_yuan(minor)) == minor


@pytest.mark.parametrize(
    ("text", "minor"),
    [("99", 9_900), (" ¥1,299.9 ", 129_990), ("0", 0), ("1e2", 10_000), ("9.900", 990)],
)
def test_yuan_as_people_write_them(text: str, minor: int) -> None:
    assert parse_yuan(text) == minor


@pytest.mark.parametrize(
    "text", ["", "一百", "1.234", "12.5.0", "NaN", "Infinity", "10000000000.01", "-10000000000.01"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parse_yuan(text)
