"""Budgets, grants by maker and checker, and the credit limit (N2, N3, N4, Domain rule 34)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert, select, update

from enterprises.models import Budget, Employee, Enterprise, Grant, GrantItem
from kernel import clock
from kernel.audit.services import record
from kernel.auth.models import Membership, Tenant
from kernel.auth.policy import Actor
from kernel.db import changed_rows, db, write_transaction
from kernel.errors import InvalidInput, NotFound, Problem
from kernel.ids import public_id
from kernel.ledger.chart import (
    Asset,
    budget_open,
    budget_reserved,
    enterprise_issued,
    enterprise_prepaid,
    enterprise_receivable,
)
from kernel.ledger.services import balance, balances, move, post
from points.services.holds import expire_lots, expired_lots
from points.services.pots import GrantShare, find_pot, grant_credit, unspent_credit

SUBMITTED, APPROVED, REJECTED = "submitted", "approved", "rejected"


class BudgetExceeded(Problem):
    code = "budget_exceeded"
    status = 409
    title = "预算余额不足"


class CreditLimitExceeded(Problem):
    code = "credit_limit_exceeded"
    status = 409
    title = "超出授信额度"


class MakerIsChecker(Problem):
    code = "maker_is_checker"
    status = 403
    title = "经办人不能复核自己提交的发放"


class GrantDecided(Problem):
    code = "grant_decided"
    status = 409
    title = "这笔发放已经处理过"


def open_budget(*, enterprise_id: int, name: str, amount_minor: int, key: str) -> str:
    """Open a budget of ``amount_minor`` fen; returns its public id."""
    budget = Budget(
        public_id=public_id("bud"),
        enterprise_id=enterprise_id,
        name=name,
        open_minor=amount_minor,
        reserved_minor=0,
    )
    db.session.add(budget)
    db.session.flush()
    post(
        key=f"budget:{key}",
        reason="budget",
        entries=move(
            Asset.CREDIT,
            amount_minor,
            source=enterprise_issued(_tenant_public_id(enterprise_id)),
            target=budget_open(budget.public_id),
        ),
    )
    return budget.public_id


def _tenant_public_id(enterprise_id: int) -> str:
    return db.session.scalars(select(Tenant.public_id).where(Tenant.id == enterprise_id)).one()


def _find_budget(enterprise_id: int, budget_id: str) -> Budget:
    budget = db.session.scalar(
        select(Budget).where(Budget.public_id == budget_id, Budget.enterprise_id == enterprise_id)
    )
    if budget is None:
        raise NotFound("没有这个预算")
    return budget


def submit_grant(
    *,
    actor: Actor,
    key: str,
    budget_id: str,
    pot_id: str,
    name: str,
    expires_at: datetime,
    amounts: Mapping[int, int],
) -> str:
    """Ask for ``membership id → fen`` out of a budget; its share is reserved until decided.

    The same ``key`` again returns the first grant's public id and reserves nothing (N3). Raises
    :class:`InvalidInput`, :class:`BudgetExceeded`, :class:`CreditLimitExceeded`.
    """
    enterprise_id = actor.tenant_id
    _lock_enterprise(enterprise_id)  # of two with one key the second finds the first's grant
    earlier = db.session.scalar(
        select(Grant.public_id).where(Grant.enterprise_id == enterprise_id, Grant.key == key)
    )
    if earlier is not None:
        return earlier
    pot = find_pot(enterprise_id=enterprise_id, pot_id=pot_id)
    budget = _find_budget(enterprise_id, budget_id)
    _check_shares(enterprise_id, amounts, expires_at)
    total = sum(amounts.values())
    _check_limit(enterprise_id, total)
    grant = Grant(
        public_id=public_id("gra"),
        enterprise_id=enterprise_id,
        key=key,
        budget_id=budget.id,
        pot_id=pot.public_id,
        name=name,
        total_minor=total,
        expires_at=expires_at,
        state=SUBMITTED,
        maker_id=actor.person_id,
        created_at=clock.now(),
    )
    db.session.add(grant)
    db.session.flush()
    db.session.execute(
        insert(GrantItem),
        [
            {"grant_id": grant.id, "membership_id": m, "amount_minor": a}
            for m, a in sorted(amounts.items())
        ],
    )
    _reserve(budget, total, key=grant.public_id)
    record(
        actor=actor.person_public_id,
        action="grant_submitted",
        subject=grant.public_id,
        details={"people": len(amounts), "total_minor": total},
    )
    return grant.public_id


def _reserve(budget: Budget, total: int, *, key: str) -> None:
    """Put ``total`` fen of a budget aside. Raises :class:`BudgetExceeded`."""
    reserved = changed_rows(
        update(Budget)
        .where(Budget.id == budget.id, Budget.open_minor >= total)
        .values(open_minor=Budget.open_minor - total, reserved_minor=Budget.reserved_minor + total)
    )
    if reserved == 0:
        raise BudgetExceeded
    post(
        key=f"reserve:{key}",
        reason="reserve",
        entries=move(
            Asset.CREDIT,
            total,
            source=budget_open(budget.public_id),
            target=budget_reserved(budget.public_id),
        ),
    )


def _check_shares(enterprise_id: int, amounts: Mapping[int, int], expires_at: datetime) -> None:
    if not amounts or any(amount <= 0 for amount in amounts.values()):
        raise InvalidInput("每人的发放金额必须大于零")
    if expires_at <= clock.now():
        raise InvalidInput("到期时间必须在将来")
    known = set(
        db.session.scalars(
            select(Employee.membership_id)
            .join(Membership, Membership.id == Employee.membership_id)
            .where(
                Employee.enterprise_id == enterprise_id,
                Employee.membership_id.in_(amounts),
                Membership.active.is_(True),
            )
        )
    )
    if known != set(amounts):
        raise InvalidInput("名单里有不在职的员工")


def credit_headroom(*, enterprise_id: int) -> int:
    """Fen that may still be granted: limit + prepaid - unpaid receivable - unspent lots."""
    limit = db.session.scalars(
        select(Enterprise.credit_limit_minor).where(Enterprise.id == enterprise_id)
    ).one()
    tenant = _tenant_public_id(enterprise_id)
    unpaid = balance(enterprise_receivable(tenant), Asset.CNY)
    prepaid = -balance(enterprise_prepaid(tenant), Asset.CNY)
    return limit + prepaid - unpaid - unspent_credit(enterprise_id=enterprise_id)


def _lock_enterprise(enterprise_id: int) -> None:
    """One grant at a time is measured against an enterprise's limit."""
    db.session.execute(
        select(Enterprise.id).where(Enterprise.id == enterprise_id).with_for_update()
    )


def _check_limit(enterprise_id: int, amount_minor: int) -> None:
    """The caller holds the enterprise. Raises :class:`CreditLimitExceeded`."""
    if amount_minor > credit_headroom(enterprise_id=enterprise_id):
        raise CreditLimitExceeded


def _find_grant(actor: Actor, grant_id: str) -> Grant:
    grant = db.session.scalar(
        select(Grant)
        .where(Grant.public_id == grant_id, Grant.enterprise_id == actor.tenant_id)
        .with_for_update()
    )
    if grant is None:
        raise NotFound("没有这笔发放")
    return grant


def _decide(actor: Actor, grant_id: str, state: str) -> Grant:
    grant = _find_grant(actor, grant_id)
    if grant.maker_id == actor.person_id:
        raise MakerIsChecker
    moved = changed_rows(
        update(Grant)
        .where(Grant.id == grant.id, Grant.state == SUBMITTED)
        .values(state=state, checker_id=actor.person_id, decided_at=clock.now())
    )
    if moved == 0:
        raise GrantDecided
    record(
        actor=actor.person_public_id,
        action=f"grant_{state}",
        subject=grant.public_id,
        details={"total_minor": grant.total_minor},
    )
    return grant


def approve_grant(*, actor: Actor, grant_id: str) -> list[str]:
    """Turn a submitted grant into lots; returns their public ids.

    Raises :class:`MakerIsChecker`, :class:`GrantDecided`, :class:`CreditLimitExceeded`.
    """
    grant = _decide(actor, grant_id, APPROVED)
    _lock_enterprise(grant.enterprise_id)
    _check_limit(grant.enterprise_id, grant.total_minor)
    budget_id = db.session.scalars(
        select(Budget.public_id).where(Budget.id == grant.budget_id)
    ).one()
    shares = [
        GrantShare(row.membership_id, row.person_id, row.amount_minor)
        for row in db.session.execute(
            select(GrantItem.membership_id, GrantItem.amount_minor, Membership.person_id)
            .join(Membership, Membership.id == GrantItem.membership_id)
            .where(GrantItem.grant_id == grant.id)
            .order_by(GrantItem.membership_id)
        )
    ]
    db.session.execute(
        update(Budget)
        .where(Budget.id == grant.budget_id)
        .values(reserved_minor=Budget.reserved_minor - grant.total_minor)
    )
    return grant_credit(
        key=grant.public_id,
        pot=find_pot(enterprise_id=grant.enterprise_id, pot_id=grant.pot_id),
        budget_id=budget_id,
        source=grant.name,
        expires_at=grant.expires_at,
        shares=shares,
    )


def reject_grant(*, actor: Actor, grant_id: str) -> None:
    """Send a submitted grant back; what was reserved is open again."""
    grant = _decide(actor, grant_id, REJECTED)
    budget_id = db.session.scalars(
        select(Budget.public_id).where(Budget.id == grant.budget_id)
    ).one()
    db.session.execute(
        update(Budget)
        .where(Budget.id == grant.budget_id)
        .values(
            open_minor=Budget.open_minor + grant.total_minor,
            reserved_minor=Budget.reserved_minor - grant.total_minor,
        )
    )
    post(
        key=f"unreserve:{grant.public_id}",
        reason="unreserve",
        entries=move(
            Asset.CREDIT,
            grant.total_minor,
            source=budget_reserved(budget_id),
            target=budget_open(budget_id),
        ),
    )


def return_to_budgets(*, amounts: Mapping[str, int]) -> None:
    """Add ``budget public id → fen`` that wallets booked back to their budgets."""
    for budget_id in sorted(amounts):
        db.session.execute(
            update(Budget)
            .where(Budget.public_id == budget_id)
            .values(open_minor=Budget.open_minor + amounts[budget_id])
        )


def expire_credit() -> int:
    """The job: take what is left of expired credit, in transactions of a hundred lots."""
    done = 0
    while True:
        with write_transaction():
            lot_ids = expired_lots(asset=Asset.CREDIT, limit=100)
            return_to_budgets(amounts=expire_lots(lot_ids=lot_ids))
        done += len(lot_ids)
        if not lot_ids:
            return done


def open_budgets_total(*, enterprise_id: int) -> int:
    """Fen that stand open in all budgets of an enterprise."""
    rows = db.session.scalars(
        select(Budget.open_minor).where(Budget.enterprise_id == enterprise_id)
    )
    return sum(rows)


def verify_budgets() -> list[str]:
    """Every budget's stored balances against the ledger; what differs, in words."""
    booked = balances("budget/", asset=Asset.CREDIT)
    faults = []
    for row in db.session.execute(
        select(Budget.public_id, Budget.open_minor, Budget.reserved_minor)
    ):
        for name, stored in (
            (budget_open(row.public_id), row.open_minor),
            (budget_reserved(row.public_id), row.reserved_minor),
        ):
            expected = booked.get((name, Asset.CREDIT.value), 0)
            if stored != expected:
                faults.append(f"{name}: {stored} stored, {expected} in the ledger")
    return faults
