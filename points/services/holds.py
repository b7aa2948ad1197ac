"""Hold, capture, void, refund, expire: every move of a lot, with its posting.

Balances change by conditional updates in primary-key order, never by read, decide, write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import BigInteger, BindParameter, Row, Table, bindparam, insert, select, update

from kernel import clock
from kernel.auth.models import Membership, Tenant
from kernel.db import changed_rows, db, run, write_transaction
from kernel.errors import Problem
from kernel.ids import public_id
from kernel.ledger.chart import (
    Asset,
    bank_lapsed,
    bank_redeemed,
    budget_open,
    enterprise_consumed,
    enterprise_lapsed,
    lot_available,
    lot_held,
)
from kernel.ledger.services import Entry, balances, move, post
from points.models import Lot, Pot, WalletHold, WalletHoldItem

HELD, CAPTURED, VOIDED = "held", "captured", "voided"

_LOT = bindparam("the_lot", type_=BigInteger)
_AMOUNT = bindparam("units", type_=BigInteger)
_LOTS: BindParameter[Any] = bindparam("the_lots", expanding=True)
_ORDER: BindParameter[Any] = bindparam("the_order")
_HOLD = cast("Table", WalletHold.__table__)
_HOLD_ITEM = cast("Table", WalletHoldItem.__table__)

# Statements of the hot path are made once: building one costs more than running it.
_FIND_LOTS = (
    select(Lot.id, Lot.public_id, Lot.asset, Pot.refund_after_expiry, Pot.grace_days)
    .outerjoin(Pot, Pot.id == Lot.pot_id)
    .where(Lot.public_id.in_(_LOTS))
    .order_by(Lot.id)
)
_TAKE = (
    update(Lot)
    .where(Lot.id == _LOT, Lot.available >= _AMOUNT, Lot.expires_at > bindparam("the_time"))
    .values(available=Lot.available - _AMOUNT, held=Lot.held + _AMOUNT)
)
_SPEND = update(Lot).where(Lot.id == _LOT).values(held=Lot.held - _AMOUNT)
_GIVE_BACK = (
    update(Lot)
    .where(Lot.id == _LOT)
    .values(held=Lot.held - _AMOUNT, available=Lot.available + _AMOUNT)
)
_INSERT_HOLD = insert(_HOLD)
_INSERT_ITEMS = insert(_HOLD_ITEM)
_CLOSE = (
    update(_HOLD)
    .where(_HOLD.c.order_id == _ORDER, _HOLD.c.state == HELD)
    .values(state=bindparam("new_state"))
)
_ITEMS = (
    select(
        WalletHold.id.label("hold_id"),
        WalletHold.state,
        WalletHoldItem.position,
        WalletHoldItem.amount,
        WalletHoldItem.refunded,
        WalletHoldItem.refund_after_expiry,
        WalletHoldItem.grace_days,
        Lot.id.label("lot_id"),
        Lot.public_id,
        Lot.asset,
        Lot.budget_id,
        Lot.expires_at,
        Lot.source,
        Membership.active.label("owner_active"),  # None for points, which are the person's
        Pot.public_id.label("pot_id"),
        Pot.on_expiry,
        Tenant.public_id.label("enterprise_id"),
    )
    .join(WalletHoldItem, WalletHoldItem.hold_id == WalletHold.id)
    .join(Lot, Lot.id == WalletHoldItem.lot_id)
    .outerjoin(Membership, Membership.id == Lot.membership_id)
    .outerjoin(Pot, Pot.id == Lot.pot_id)
    .outerjoin(Tenant, Tenant.id == Pot.enterprise_id)
    .where(WalletHold.order_id == _ORDER)
    .order_by(Lot.id)
)


class InsufficientCredit(Problem):
    code = "insufficient_credit"
    status = 409
    title = "福利额度不足"


class InsufficientPoints(Problem):
    code = "insufficient_points"
    status = 409
    title = "积分不足"


def hold_lots(*, order_id: str, amounts: Mapping[str, int]) -> None:
    """Keep ``lot public id → amount`` for an order, all or none.

    Raises :class:`InsufficientCredit` or :class:`InsufficientPoints` where a lot has too little
    left, or has expired; nothing has moved then.
    """
    if not amounts:
        return
    lots = run(_FIND_LOTS, [{"the_lots": list(amounts)}]).all()
    at = clock.now()
    for lot in lots:
        taken = changed_rows(
            _TAKE, [{"the_lot": lot.id, "units": amounts[lot.public_id], "the_time": at}]
        )
        if taken == 0:
            raise InsufficientPoints if lot.asset == Asset.POINT else InsufficientCredit
    if len(lots) != len(amounts):
        raise InsufficientCredit
    positions = {lot_id: position for position, lot_id in enumerate(amounts)}
    hold_id = run(_INSERT_HOLD, [{"order_id": order_id, "state": HELD, "created_at": at}]).lastrowid
    run(
        _INSERT_ITEMS,
        [
            {
                "hold_id": hold_id,
                "lot_id": lot.id,
                "position": positions[lot.public_id],
                "amount": amounts[lot.public_id],
                "refund_after_expiry": lot.refund_after_expiry or "restore",
                "grace_days": lot.grace_days or 0,
                "refunded": 0,
            }
            for lot in lots
        ],
    )
    post(
        key=f"hold:{order_id}",
        reason="hold",
        order_id=order_id,
        entries=[
            entry
            for lot in lots
            for entry in move(
                Asset(lot.asset),
                amounts[lot.public_id],
                source=lot_available(lot.public_id),
                target=lot_held(lot.public_id),
            )
        ],
    )


def _items(order_id: str) -> Sequence[Row[*tuple[Any, ...]]]:
    """What an order holds, lot by lot."""
    return run(_ITEMS, [{"the_order": order_id}]).all()


def _close(order_id: str, state: str) -> bool:
    """Move the hold on, once; False where somebody did so before."""
    return bool(changed_rows(_CLOSE, [{"the_order": order_id, "new_state": state}]))


def capture_hold(*, order_id: str) -> None:
    """What was held is spent. A second call, or an order that held nothing, changes nothing."""
    if not _close(order_id, CAPTURED):
        return
    items = _items(order_id)
    run(_SPEND, [{"the_lot": i.lot_id, "units": i.amount} for i in items])
    entries: list[Entry] = []
    for item in items:
        target = (
            bank_redeemed()
            if item.asset == Asset.POINT
            else enterprise_consumed(item.enterprise_id)
        )
        entries += move(
            Asset(item.asset), item.amount, source=lot_held(item.public_id), target=target
        )
    post(key=f"capture:{order_id}", reason="capture", order_id=order_id, entries=entries)


def void_hold(*, order_id: str) -> None:
    """What was held can be spent again. A second call changes nothing."""
    if not _close(order_id, VOIDED):
        return
    items = _items(order_id)
    run(_GIVE_BACK, [{"the_lot": i.lot_id, "units": i.amount} for i in items])
    entries: list[Entry] = []
    for item in items:
        entries += move(
            Asset(item.asset),
            item.amount,
            source=lot_held(item.public_id),
            target=lot_available(item.public_id),
        )
    post(key=f"void:{order_id}", reason="release", order_id=order_id, entries=entries)


def captured_lots(*, order_id: str, asset: Asset) -> list[tuple[str, int]]:
    """The lots (public id, amount) that an order spent of an asset, soonest expiry at purchase
    first."""
    return [
        (item.public_id, item.amount)
        for item in sorted(_items(order_id), key=lambda item: item.position)
        if item.asset == asset
    ]


@dataclass(frozen=True, slots=True)
class LotRefund:
    """Where a refunded amount goes: ``to`` is ``pot`` or ``budget``."""

    lot_id: str
    pot_id: str | None
    asset: Asset
    amount: int
    to: str
    budget_id: str | None
    source: str


class RefundBeyondPayment(ValueError):
    """More would go back to a lot than it paid: a programming error."""


def plan_refund(*, order_id: str, amounts: Mapping[str, int]) -> list[LotRefund]:
    """Say where ``lot public id → amount`` would go back to, by the policy at purchase.

    A lot that has expired meanwhile is restored with days of grace, or its share goes back to the
    employer's budget; a leaver's credit always does (Domain rule 7).
    Raises :class:`RefundBeyondPayment`, also for a lot that the order did not spend.
    """
    at = clock.now()
    plan = []
    left = {lot_id: amount for lot_id, amount in amounts.items() if amount}
    for item in _items(order_id):
        amount = left.pop(item.public_id, 0)
        if amount == 0:
            continue
        if item.state != CAPTURED or item.refunded + amount > item.amount:
            raise RefundBeyondPayment(f"{order_id}: {amount} to {item.public_id}")
        expired = item.expires_at <= at
        to_budget = item.owner_active is False or (expired and item.refund_after_expiry == "budget")
        plan.append(
            LotRefund(
                lot_id=item.public_id,
                pot_id=item.pot_id,
                asset=Asset(item.asset),
                amount=amount,
                to="budget" if to_budget else "pot",
                budget_id=item.budget_id,
                source=item.source,
            )
        )
    if left:
        raise RefundBeyondPayment(f"{order_id} spent nothing of {', '.join(sorted(left))}")
    return plan


@dataclass(frozen=True)
class RefundOutcome:
    """What was done, and what the caller adds to budgets (``budget public id → fen``)."""

    steps: list[LotRefund]
    to_budgets: dict[str, int]


def refund_lots(*, order_id: str, refund_id: str, amounts: Mapping[str, int]) -> RefundOutcome:
    """Give captured amounts back to their lots, or to budgets as the policy at purchase says."""
    plan = {step.lot_id: step for step in plan_refund(order_id=order_id, amounts=amounts)}
    entries: list[Entry] = []
    to_budgets: dict[str, int] = {}
    for item in _items(order_id):
        step = plan.get(item.public_id)
        if step is None:
            continue
        _count_refund(order_id, item, step.amount)
        is_points = step.asset is Asset.POINT
        source = bank_redeemed() if is_points else enterprise_consumed(item.enterprise_id)
        if step.to == "budget":
            target, returned = budget_open(item.budget_id), {item.budget_id: step.amount}
        else:
            target, returned = lot_available(item.public_id), _restore(item, step.amount)
        for budget_id, amount in returned.items():
            to_budgets[budget_id] = to_budgets.get(budget_id, 0) + amount
        entries += move(step.asset, step.amount, source=source, target=target)
    if entries:
        post(key=f"refund:{refund_id}", reason="refund", order_id=order_id, entries=entries)
    return RefundOutcome(list(plan.values()), to_budgets)


def _count_refund(order_id: str, item: Row[*tuple[Any, ...]], amount: int) -> None:
    updated = changed_rows(
        update(WalletHoldItem)
        .where(
            WalletHoldItem.hold_id == item.hold_id,
            WalletHoldItem.lot_id == item.lot_id,
            WalletHoldItem.refunded + amount <= WalletHoldItem.amount,
        )
        .values(refunded=WalletHoldItem.refunded + amount)
    )
    if updated == 0:
        raise RefundBeyondPayment(f"{order_id}: {amount} to {item.public_id}")


def _restore(item: Row[*tuple[Any, ...]], amount: int) -> dict[str, int]:
    """Back to the lot; returns what of it had to go back to a budget first."""
    at = clock.now()
    values: dict[str, Any] = {"available": Lot.available + amount}
    lapsed: dict[str, int] = {}
    if item.expires_at <= at:
        # What was left before must lapse first, or the grace would give it back as well.
        lapsed = expire_lots(lot_ids=[item.lot_id])
        values["expires_at"] = at + timedelta(days=max(item.grace_days, 1))
    run(update(Lot).where(Lot.id == item.lot_id).values(**values))
    return lapsed


def expired_lots(*, asset: Asset, limit: int) -> list[int]:
    """Ids of lots whose time is over and that still have something available."""
    return list(
        db.session.scalars(
            select(Lot.id)
            .where(Lot.asset == asset.value, Lot.lapses_at <= clock.now())
            .order_by(Lot.lapses_at, Lot.id)
            .limit(limit)
        )
    )


def expire_lots(*, lot_ids: Sequence[int]) -> dict[str, int]:
    """Take what is left of expired lots; what is held stays held until its order ends.

    Returns what goes back to budgets (``budget public id → fen``), which the caller adds to them.
    """
    back: dict[str, int] = {}
    rows = db.session.execute(
        select(
            Lot.id,
            Lot.public_id,
            Lot.asset,
            Lot.available,
            Lot.budget_id,
            Lot.expires_at,
            Pot.on_expiry,
            Tenant.public_id.label("enterprise_id"),
        )
        .outerjoin(Pot, Pot.id == Lot.pot_id)
        .outerjoin(Tenant, Tenant.id == Pot.enterprise_id)
        .where(Lot.id.in_(lot_ids), Lot.available > 0, Lot.expires_at <= clock.now())
        .order_by(Lot.id)
        .with_for_update(of=Lot)
    ).all()
    for lot in rows:
        taken = changed_rows(
            update(Lot).where(Lot.id == lot.id, Lot.available == lot.available).values(available=0)
        )
        if taken == 0:
            continue
        if lot.asset == Asset.POINT:
            target = bank_lapsed()
        elif lot.on_expiry == "budget":
            target = budget_open(lot.budget_id)
            back[lot.budget_id] = back.get(lot.budget_id, 0) + lot.available
        else:
            target = enterprise_lapsed(lot.enterprise_id)
        # The conditional update above is the guard against doing it twice. A key made of the lot
        # would not do: the same amount may come back from a hold, or with grace, and expire again.
        post(
            key=f"expire:{public_id('exp')}",
            reason="expire",
            entries=move(
                Asset(lot.asset),
                lot.available,
                source=lot_available(lot.public_id),
                target=target,
            ),
        )
    return back


def expire_points() -> int:
    """The job: lapse expired points, in transactions of a hundred lots."""
    done = 0
    while True:
        with write_transaction():
            lot_ids = expired_lots(asset=Asset.POINT, limit=100)
            expire_lots(lot_ids=lot_ids)
        done += len(lot_ids)
        if not lot_ids:
            return done


def verify_lots() -> list[str]:
    """Every lot's stored balances against the ledger; what differs, in words (rule 24)."""
    booked = balances("lot/")
    faults = []
    for lot in db.session.execute(
        select(Lot.public_id, Lot.asset, Lot.available, Lot.held).execution_options(yield_per=5000)
    ):
        for name, stored in (
            (lot_available(lot.public_id), lot.available),
            (lot_held(lot.public_id), lot.held),
        ):
            expected = booked.pop((name, lot.asset), 0)
            if expected != stored:
                faults.append(f"{name}: {stored} stored, {expected} in the ledger")
    faults += [f"{name}: no such lot" for (name, _), amount in booked.items() if amount]
    return faults
