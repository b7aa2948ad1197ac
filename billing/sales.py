"""A paid order and a refund as billing takes them: plain snapshots, no order model (HOUSE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GOODS, FREIGHT = "goods", "freight"


@dataclass(frozen=True, slots=True)
class SaleLine:
    """One payable of the order; ``payable = credit + points + cash``, all in fen."""

    line_id: str
    kind: str
    merchant_id: int
    merchant_public_id: str
    name: str
    spec: str
    unit: str
    tax_code: str
    category_name: str
    rate_bp: int
    treatment: str
    quantity: int
    unit_price_minor: int
    payable_minor: int
    commission_minor: int
    credit_minor: int
    points_minor: int
    cash_minor: int

    def __post_init__(self) -> None:
        if self.credit_minor + self.points_minor + self.cash_minor != self.payable_minor:
            raise ValueError(f"line {self.line_id}: its tenders do not pay it")


@dataclass(frozen=True)
class Sale:
    """``sequence`` numbers orders; ``funded_discounts`` are fen by (funder kind, funder id).

    Discounts that the merchant itself funds are not in it: they lower what it is owed.
    """

    order_id: str
    sequence: int
    enterprise_id: int
    enterprise_public_id: str
    billing_entity_id: str | None
    gateway: str
    lines: tuple[SaleLine, ...]
    # (funder kind, funder id, merchant public id) → fen added to what the merchant is owed.
    funded_discounts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefundLine:
    """What of one line goes back now, by tender, and the commission that goes back with it."""

    line_id: str
    kind: str
    merchant_id: int
    merchant_public_id: str
    credit_minor: int
    points_minor: int
    cash_minor: int
    commission_minor: int

    @property
    def total_minor(self) -> int:
        return self.credit_minor + self.points_minor + self.cash_minor


@dataclass(frozen=True)
class SaleRefund:
    order_id: str
    refund_id: str
    sequence: int
    enterprise_public_id: str
    gateway: str
    lines: tuple[RefundLine, ...]
    # Credit of each line that earlier refunds have given back, for the red invoice.
    credit_before: Mapping[str, int]
