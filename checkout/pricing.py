"""What an order costs: goods, discounts, then freight by merchant (Domain rules 5 and 26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel.money import MAX_MINOR, round_half_up

GOODS, FREIGHT = "goods", "freight"


@dataclass(frozen=True, slots=True)
class PricedItem:
    """Goods asked for: ``quantity`` pieces at ``unit_price_minor`` fen, tax included."""

    merchant_id: int
    unit_price_minor: int
    quantity: int
    discount_minor: int = 0

    @property
    def gross_minor(self) -> int:
        return self.unit_price_minor * self.quantity

    @property
    def payable_minor(self) -> int:
        return max(self.gross_minor - self.discount_minor, 0)


@dataclass(frozen=True, slots=True)
class FreightRule:
    """A flat price for a merchant's parcel, free from an amount of goods on (None: never free)."""

    price_minor: int
    free_from_minor: int | None


def freight_by_merchant(
    items: Sequence[PricedItem], rules: Mapping[int, FreightRule]
) -> dict[int, int]:
    """Fen of freight for each merchant, in the order in which they appear; free ones left out."""
    goods: dict[int, int] = {}
    for item in items:
        goods[item.merchant_id] = goods.get(item.merchant_id, 0) + item.payable_minor
    freight = {}
    for merchant_id, amount in goods.items():
        rule = rules[merchant_id]
        free = rule.free_from_minor is not None and amount >= rule.free_from_minor
        if rule.price_minor and not free:
            freight[merchant_id] = rule.price_minor
    return freight


def commission(payable_minor: int, rate_bp: int) -> int:
    """On the line after merchant-funded discounts, tax included (Domain rule 10)."""
    return round_half_up(payable_minor * rate_bp, 10_000)


def is_sane_total(payable_minor: int) -> bool:
    """Whether an order's total is within what money columns and people can bear."""
    return 0 <= payable_minor <= MAX_MINOR
