"""What an enterprise looks at first: what waits, and the figures of several rooms. Reads only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from enterprises.services.budgets import credit_headroom, open_budgets_total
from enterprises.services.companies import find_enterprise
from kernel import clock
from kernel.clock import rfc3339
from kernel.ledger.chart import Asset, enterprise_receivable
from kernel.ledger.services import balance
from points.services.pots import expiring_credit

_SOON = timedelta(days=30)


def overview(*, enterprise_id: int) -> dict[str, Any]:
    """Figures in fen: open budgets, credit still grantable, expiring soon, owed."""
    company = find_enterprise(enterprise_id=enterprise_id)
    at = clock.now()
    soon = expiring_credit(enterprise_id=enterprise_id, before=at + _SOON)
    figures = [
        ("budget_open", open_budgets_total(enterprise_id=enterprise_id), "尚未发放的预算"),
        (
            "expiring_30d",
            soon,
            "30 天内到期，建议提醒" if soon else "30 天内没有到期的额度",
        ),
        (
            "receivable",
            balance(enterprise_receivable(company.public_id), Asset.CNY),
            f"账期 {company.term_days} 天",
        ),
        (
            "credit_available",
            credit_headroom(enterprise_id=enterprise_id),
            f"授信 ¥{company.credit_limit_minor // 100:,}",
        ),
    ]
    return {
        "enterprise": {"id": company.public_id, "name": company.name},
        "as_of": rfc3339(at),
        "figures": [
            {"key": key, "amount_minor": amount, "note": note} for key, amount, note in figures
        ],
    }
