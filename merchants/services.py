"""Merchants: who they are, and whether their goods may be sold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, select, update

from kernel import clock
from kernel.auth.models import Tenant
from kernel.auth.policy import TenantKind
from kernel.auth.services import create_tenant
from kernel.db import db, run
from kernel.errors import NotFound, Problem
from merchants.models import Merchant
from shop.services.catalogue import open_seller

APPLIED, APPROVED, SUSPENDED = "applied", "approved", "suspended"

# Made once: building a statement costs more than running it.
_MERCHANTS: BindParameter[Any] = bindparam("the_merchants", expanding=True)
_COMMISSIONS = select(Merchant.id, Merchant.commission_bp).where(Merchant.id.in_(_MERCHANTS))


class MerchantNotApproved(Problem):
    code = "merchant_not_approved"
    status = 409
    title = "商户尚未通过审核"


@dataclass(frozen=True, slots=True)
class MerchantView:
    id: int
    public_id: str
    code: str
    name: str
    state: str
    tax_number: str
    commission_bp: int


def create_merchant(*, code: str, name: str, tax_number: str, commission_bp: int) -> MerchantView:
    """A merchant that has applied; nothing of it sells until :func:`approve_merchant`."""
    tenant = create_tenant(kind=TenantKind.MERCHANT, name=name, prefix="mer")
    db.session.add(
        Merchant(
            id=tenant.id,
            code=code,
            state=APPLIED,
            tax_number=tax_number,
            commission_bp=commission_bp,
            created_at=clock.now(),
        )
    )
    db.session.flush()
    open_seller(merchant_id=tenant.id, open_=False, freight_minor=0, free_from_minor=None)
    return find_merchant(code=code)


def approve_merchant(*, merchant_id: int, freight_minor: int, free_from_minor: int | None) -> None:
    """Let its goods be sold, with a flat freight that is free from an amount on."""
    db.session.execute(update(Merchant).where(Merchant.id == merchant_id).values(state=APPROVED))
    open_seller(
        merchant_id=merchant_id,
        open_=True,
        freight_minor=freight_minor,
        free_from_minor=free_from_minor,
    )


def find_merchant(*, code: str) -> MerchantView:
    """Raises :class:`NotFound`."""
    row = db.session.execute(
        select(Merchant, Tenant.public_id, Tenant.name)
        .join(Tenant, Tenant.id == Merchant.id)
        .where(Merchant.code == code)
    ).one_or_none()
    if row is None:
        raise NotFound(f"没有代码为 {code} 的商户")
    merchant: Merchant = row.Merchant
    return MerchantView(
        id=merchant.id,
        public_id=row.public_id,
        code=merchant.code,
        name=row.name,
        state=merchant.state,
        tax_number=merchant.tax_number,
        commission_bp=merchant.commission_bp,
    )


def commission_rates(*, merchant_ids: Iterable[int]) -> dict[int, int]:
    """Commission in basis points by merchant, to be snapshotted on the order (rule 5)."""
    rows = run(_COMMISSIONS, [{"the_merchants": list(merchant_ids)}])
    return {row.id: row.commission_bp for row in rows}
