"""Pots and lots as people see them, and how they are filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, func, select

from kernel import clock
from kernel.db import db, run
from kernel.errors import NotFound
from kernel.ids import public_id
from kernel.ledger.chart import (
    Asset,
    bank_issued,
    budget_reserved,
    lot_available,
)
from kernel.ledger.services import move, post
from points.models import Lot, Pot


@dataclass(frozen=True, slots=True)
class PotView:
    id: int
    public_id: str
    enterprise_id: int
    billing_entity_id: str
    name: str
    rule: Mapping[str, Any]
    rule_text: str
    pays_freight: bool
    fund_source: str
    on_expiry: str
    refund_after_expiry: str
    grace_days: int


@dataclass(frozen=True, slots=True)
class LotView:
    """``available`` and ``held`` in fen for credit, in points for points."""

    id: int
    public_id: str
    asset: Asset
    pot_id: int | None
    source: str
    granted: int
    available: int
    held: int
    expires_at: datetime


# Statements of the hot path are made once: building one costs more than running it.
_POTS = select(cast("Table", Pot.__table__)).order_by(Pot.id).limit(100)
_POTS_OF_ENTERPRISE = _POTS.where(Pot.enterprise_id == bindparam("the_enterprise"))
_POTS_OF_MEMBER = _POTS.where(
    Pot.id.in_(select(Lot.pot_id).where(Lot.membership_id == bindparam("the_owner")))
)
_LOTS = (
    select(cast("Table", Lot.__table__))
    .where(Lot.expires_at > bindparam("the_time"), (Lot.available > 0) | (Lot.held > 0))
    .order_by(Lot.expires_at, Lot.id)
    .limit(200)
)
_CREDIT_LOTS = _LOTS.where(Lot.membership_id == bindparam("the_owner"))
_POINT_LOTS = _LOTS.where(Lot.person_id == bindparam("the_owner"), Lot.asset == Asset.POINT.value)


def create_pot(
    *,
    enterprise_id: int,
    billing_entity_id: str,
    name: str,
    rule: Mapping[str, Any],
    rule_text: str,
    pays_freight: bool,
    fund_source: str = "welfare",
    on_expiry: str = "budget",
    refund_after_expiry: str = "restore",
    grace_days: int = 30,
) -> PotView:
    """A new pot of an enterprise; ``rule`` is the caller's to check."""
    pot = Pot(
        public_id=public_id("pot"),
        enterprise_id=enterprise_id,
        billing_entity_id=billing_entity_id,
        name=name,
        rule=dict(rule),
        rule_text=rule_text,
        pays_freight=pays_freight,
        fund_source=fund_source,
        on_expiry=on_expiry,
        refund_after_expiry=refund_after_expiry,
        grace_days=grace_days,
    )
    db.session.add(pot)
    db.session.flush()
    return _pot_view(pot)


def _pot_view(pot: Pot | Row[Any]) -> PotView:
    return PotView(
        id=pot.id,
        public_id=pot.public_id,
        enterprise_id=pot.enterprise_id,
        billing_entity_id=pot.billing_entity_id,
        name=pot.name,
        rule=pot.rule,
        rule_text=pot.rule_text,
        pays_freight=pot.pays_freight,
        fund_source=pot.fund_source,
        on_expiry=pot.on_expiry,
        refund_after_expiry=pot.refund_after_expiry,
        grace_days=pot.grace_days,
    )


def find_pot(*, enterprise_id: int, pot_id: str) -> PotView:
    """Raises :class:`NotFound` also for another enterprise's."""
    pot = db.session.scalar(
        select(Pot).where(Pot.public_id == pot_id, Pot.enterprise_id == enterprise_id)
    )
    if pot is None:
        raise NotFound("没有这个额度")
    return _pot_view(pot)


def pots_of_enterprise(*, enterprise_id: int) -> list[PotView]:
    rows = run(_POTS_OF_ENTERPRISE, [{"the_enterprise": enterprise_id}]).all()
    return [_pot_view(row) for row in rows]


def _lot_view(row: Row[Any]) -> LotView:
    return LotView(
        id=row.id,
        public_id=row.public_id,
        asset=Asset(row.asset),
        pot_id=row.pot_id,
        source=row.source,
        granted=row.granted,
        available=row.available,
        held=row.held,
        expires_at=row.expires_at,
    )


def credit_lots(*, membership_id: int, at: datetime) -> list[LotView]:
    """Lots of credit that have something left and have not expired, soonest expiry first."""
    rows = run(_CREDIT_LOTS, [{"the_owner": membership_id, "the_time": at}]).all()
    return [_lot_view(row) for row in rows]


def pots_of_member(*, membership_id: int) -> list[PotView]:
    """The pots that a membership ever had credit in, spent ones too."""
    rows = run(_POTS_OF_MEMBER, [{"the_owner": membership_id}]).all()
    return [_pot_view(row) for row in rows]


def point_lots(*, person_id: int, at: datetime) -> list[LotView]:
    """The same of points, which belong to the person (Domain rule 21a)."""
    rows = run(_POINT_LOTS, [{"the_owner": person_id, "the_time": at}]).all()
    return [_lot_view(row) for row in rows]


@dataclass(frozen=True, slots=True)
class GrantShare:
    membership_id: int
    person_id: int
    amount_minor: int


def grant_credit(
    *,
    key: str,
    pot: PotView,
    budget_id: str,
    source: str,
    expires_at: datetime,
    shares: Sequence[GrantShare],
) -> list[str]:
    """Turn reserved budget into lots, one for each share; returns their public ids.

    ``key`` names the grant; ``budget_id`` is public. The caller lowers the budget's reserve.
    """
    lots = [
        Lot(
            public_id=public_id("lot"),
            asset=Asset.CREDIT.value,
            person_id=share.person_id,
            membership_id=share.membership_id,
            pot_id=pot.id,
            budget_id=budget_id,
            source=source,
            granted=share.amount_minor,
            available=share.amount_minor,
            held=0,
            expires_at=expires_at,
            created_at=clock.now(),
        )
        for share in shares
    ]
    db.session.add_all(lots)
    db.session.flush()
    post(
        key=f"grant:{key}",
        reason="grant",
        entries=[
            entry
            for lot in lots
            for entry in move(
                Asset.CREDIT,
                lot.granted,
                source=budget_reserved(budget_id),
                target=lot_available(lot.public_id),
            )
        ],
    )
    return [lot.public_id for lot in lots]


def issue_points(
    *, key: str, person_id: int, points: int, source: str, expires_at: datetime
) -> str:
    """The bank gives points to a person; returns the lot's public id."""
    lot = Lot(
        public_id=public_id("lot"),
        asset=Asset.POINT.value,
        person_id=person_id,
        source=source,
        granted=points,
        available=points,
        held=0,
        expires_at=expires_at,
        created_at=clock.now(),
    )
    db.session.add(lot)
    db.session.flush()
    post(
        key=f"points:{key}",
        reason="issue_points",
        entries=move(
            Asset.POINT, points, source=bank_issued(), target=lot_available(lot.public_id)
        ),
    )
    return lot.public_id


def unspent_credit(*, enterprise_id: int) -> int:
    """Fen of credit that an enterprise's people hold and have not spent."""
    total = db.session.scalar(
        select(func.coalesce(func.sum(Lot.available + Lot.held), 0))
        .join(Pot, Pot.id == Lot.pot_id)
        .where(Pot.enterprise_id == enterprise_id)
    )
    return int(total or 0)


def expiring_credit(*, enterprise_id: int, before: datetime) -> int:
    """Fen of unspent credit that expires before a time."""
    total = db.session.scalar(
        select(func.coalesce(func.sum(Lot.available), 0))
        .join(Pot, Pot.id == Lot.pot_id)
        .where(Pot.enterprise_id == enterprise_id, Lot.expires_at < before)
    )
    return int(total or 0)
