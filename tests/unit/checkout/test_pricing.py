"""What an order costs: goods, freight by merchant, commission (Domain rules 5, 10, 26)."""

from __future__ import annotations

import pytest

from checkout.pricing import (
    FreightRule,
    PricedItem,
    commission,
    freight_by_merchant,
    is_sane_total,
)
from kernel.money import MAX_MINOR


def test_payable_is_gross_less_discount_and_never_below_zero() -> None:
    assert PricedItem(1, 9_900, 3).payable_minor == 29_700
    assert PricedItem(1, 9_900, 3, discount_minor=700).payable_minor == 29_000
    over = PricedItem(1, 100, 1, discount_minor=150)
    assert (over.gross_minor, over.payable_minor) == (100, 0)


NORTH, SOUTH, EAST = 1, 2, 3
RULES = {
    NORTH: FreightRule(1_000, 9_900),
    SOUTH: FreightRule(600, None),
    EAST: FreightRule(0, None),
}


@pytest.mark.parametrize(
    ("items", "freight"),
    [
        ([PricedItem(NORTH, 9_899, 1)], {NORTH: 1_000}),
        ([PricedItem(NORTH, 9_900, 1)], {}),
        ([PricedItem(NORTH, 4_950, 1), PricedItem(NORTH, 4_950, 1)], {}),
        # What a discount takes away no longer counts towards free freight.
        ([PricedItem(NORTH, 10_000, 1, discount_minor=101)], {NORTH: 1_000}),
        ([PricedItem(SOUTH, 1_000_000, 9)], {SOUTH: 600}),
        ([PricedItem(EAST, 1, 1)], {}),
        # By merchant, in order of appearance, whatever the others buy.
        (
            [PricedItem(SOUTH, 5_000, 1), PricedItem(EAST, 1, 1), PricedItem(NORTH, 5_000, 1)],
            {SOUTH: 600, NORTH: 1_000},
        ),
        ([], {}),
    ],
)
def test_freight(items: list[PricedItem], freight: dict[int, int]) -> None:
    found = freight_by_merchant(items, RULES)
    assert found == freight
    assert list(found) == list(freight)


def test_free_from_zero_is_free() -> None:
    assert freight_by_merchant([PricedItem(NORTH, 1, 1)], {NORTH: FreightRule(900, 0)}) == {}


@pytest.mark.parametrize(
    ("payable", "rate_bp", "fee"),
    [(9_900, 500, 495), (9_901, 500, 495), (9_910, 500, 496), (1, 500, 0), (0, 500, 0), (99, 0, 0)],
)
def test_commission_is_rounded_half_up(payable: int, rate_bp: int, fee: int) -> None:
    assert commission(payable, rate_bp) == fee


def test_totals_have_bounds() -> None:
    assert is_sane_total(0)
    assert is_sane_total(MAX_MINOR)
    assert not is_sane_total(MAX_MINOR + 1)
    assert not is_sane_total(-1)
