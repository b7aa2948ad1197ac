"""The chart of accounts: every account name is made here (Domain rule 24). Debit is positive.

Ids in names are public ids, since auditors read them.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Asset(StrEnum):
    CREDIT = "CREDIT"  # fen of welfare entitlement
    POINT = "POINT"  # points
    CNY = "CNY"  # fen of money


# CREDIT ------------------------------------------------------------------------------------------
def enterprise_issued(enterprise_id: str) -> str:
    """Contra of all entitlement an enterprise ever opened."""
    return f"enterprise/{enterprise_id}/issued"


def budget_open(budget_id: str) -> str:
    return f"budget/{budget_id}/open"


def budget_reserved(budget_id: str) -> str:
    """Put aside for grants that wait for approval."""
    return f"budget/{budget_id}/reserved"


def lot_available(lot_id: str) -> str:
    """CREDIT or POINT, as the lot is."""
    return f"lot/{lot_id}/available"


def lot_held(lot_id: str) -> str:
    return f"lot/{lot_id}/held"


def enterprise_consumed(enterprise_id: str) -> str:
    return f"enterprise/{enterprise_id}/consumed"


def enterprise_lapsed(enterprise_id: str) -> str:
    return f"enterprise/{enterprise_id}/lapsed"


# POINT -------------------------------------------------------------------------------------------
def bank_issued() -> str:
    """Contra of all points ever issued."""
    return "bank/issued"


def bank_redeemed() -> str:
    return "bank/redeemed"


def bank_lapsed() -> str:
    return "bank/lapsed"


# CNY ---------------------------------------------------------------------------------------------
def enterprise_receivable(enterprise_id: str) -> str:
    return f"enterprise/{enterprise_id}/receivable"


def enterprise_prepaid(enterprise_id: str) -> str:
    return f"enterprise/{enterprise_id}/prepaid"


def bank_points_receivable() -> str:
    """Points used are owed by the bank (Domain rule 4)."""
    return "bank/receivable/points"


def gateway_clearing(gateway: str) -> str:
    return f"gateway/{gateway}/clearing"


def gateway_unapplied(gateway: str) -> str:
    """Paid after the order had closed."""
    return f"gateway/{gateway}/unapplied"


def gateway_refunds_in_transit(gateway: str) -> str:
    return f"gateway/{gateway}/refunds_in_transit"


def gateway_fees(gateway: str) -> str:
    return f"gateway/{gateway}/fees"


def funder_discount(kind: str, funder_id: str) -> str:
    return f"funder/{kind}/{funder_id}/discount"


def merchant_payable(merchant_id: str) -> str:
    return f"merchant/{merchant_id}/payable"


def platform_commission() -> str:
    return "platform/commission"


def platform_bank() -> str:
    return "platform/bank"


_ID = r"[a-z0-9_]+"
_SHAPES: dict[Asset, str] = {
    Asset.CREDIT: rf"enterprise/{_ID}/(issued|consumed|lapsed)|budget/{_ID}/(open|reserved)"
    rf"|lot/{_ID}/(available|held)",
    Asset.POINT: rf"bank/(issued|redeemed|lapsed)|lot/{_ID}/(available|held)",
    Asset.CNY: rf"enterprise/{_ID}/(receivable|prepaid)|bank/receivable/points"
    rf"|gateway/{_ID}/(clearing|unapplied|refunds_in_transit|fees)"
    rf"|funder/{_ID}/{_ID}/discount|merchant/{_ID}/payable|platform/(commission|bank)",
}
_PATTERNS = {asset: re.compile(shape) for asset, shape in _SHAPES.items()}


def is_account(asset: Asset, name: str) -> bool:
    """Whether the chart has such an account in this asset."""
    return _PATTERNS[asset].fullmatch(name) is not None
