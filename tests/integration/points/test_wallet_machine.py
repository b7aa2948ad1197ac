"""Whatever people do with their wallets, in any order, the books stay whole.

A state machine does the moves on a real database and keeps a plain model beside it: after every
step each lot and budget is what the model says, and the ledger says the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from enterprises.services.budgets import expire_credit, return_to_budgets
from kernel import clock
from kernel.db import db, write_transaction
from kernel.ledger.services import balances
from points.services.holds import (
    InsufficientCredit,
    InsufficientPoints,
    RefundBeyondPayment,
    capture_hold,
    expire_points,
    hold_lots,
    refund_lots,
    void_hold,
)
from points.services.pots import PotView
from tests.databases import Database
from tests.factories.enterprises import (
    build_budget,
    build_company,
    build_pot,
    give_points,
    grant,
    hire,
)
from tests.integration.points.books import assert_whole

# Few different values, so that equal amounts and times meet often: that is where keys collide.
DAYS = st.sampled_from([5, 5, 30])
AMOUNTS = st.sampled_from([2, 4, 999])


@dataclass
class ModelLot:
    available: int
    expires_at: datetime
    budget: str | None = None
    pot: PotView | None = None
    held: int = 0


@dataclass
class ModelOrder:
    amounts: dict[str, int]
    state: str = "held"
    refunded: dict[str, int] = field(default_factory=dict)


class WalletMachine(RuleBasedStateMachine):
    """One employee with three pots of different policies, and points."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        db.session.remove()
        self.database.put_back()
        self.at = datetime(2026, 1, 1, tzinfo=UTC)
        self.lots: dict[str, ModelLot] = {}
        self.orders: dict[str, ModelOrder] = {}
        self.budgets: dict[str, int] = {}
        self.refunds = 0
        with self._edge():
            self.company = build_company()
            self.employee = hire(self.company.id)
            self.pots = [
                build_pot(self.company, "甲", refund_after_expiry="restore", grace_days=5),
                build_pot(self.company, "乙", refund_after_expiry="restore", on_expiry="lapse"),
                build_pot(self.company, "丙", refund_after_expiry="budget", grace_days=5),
            ]

    @contextmanager
    def _edge(self) -> Iterator[None]:
        """A write transaction at the machine's own time."""
        with clock.frozen(self.at), write_transaction():
            yield

    # Few lots, so that much happens to each.
    @initialize(which=st.integers(0, 3), amount=AMOUNTS, days=DAYS)
    def begin(self, which: int, amount: int, days: int) -> None:
        self.give(which, amount, days)

    @precondition(lambda self: len(self.lots) < 3)
    @rule(which=st.integers(0, 3), amount=AMOUNTS, days=DAYS)
    def give(self, which: int, amount: int, days: int) -> None:
        """Credit in one of the pots, or points."""
        ends = self.at + timedelta(days=days)
        with self._edge():
            if which == len(self.pots):
                self.lots[give_points(self.employee, amount, days=days)] = ModelLot(amount, ends)
                return
            budget = build_budget(self.company, amount)
            pot = self.pots[which]
            [lot] = grant(self.company, pot, {self.employee: amount}, days=days, budget_id=budget)
        self.budgets[budget] = 0
        self.lots[lot] = ModelLot(amount, ends, budget, pot)

    def _live(self) -> list[str]:
        return [
            lot_id
            for lot_id, lot in self.lots.items()
            if lot.available and lot.expires_at > self.at
        ]

    @precondition(lambda self: self._live())
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self._live()), min_size=1, max_size=2))
        amounts = {
            lot: min(data.draw(st.sampled_from([1, 1, 2, 999])), self.lots[lot].available)
            for lot in chosen
        }
        order_id = f"ord_{len(self.orders)}"
        with self._edge():
            hold_lots(order_id=order_id, amounts=amounts)
        self.orders[order_id] = ModelOrder(amounts)
        for lot, amount in amounts.items():
            self.lots[lot].available -= amount
            self.lots[lot].held += amount

    @rule(data=st.data())
    def hold_what_is_not_there(self, data: st.DataObject) -> None:
        """More than a lot has, or of one that has expired; with a good one beside it."""
        bad = data.draw(st.sampled_from(list(self.lots)))
        amounts = dict.fromkeys(self._live()[:1], 1) | {bad: self.lots[bad].available + 1}
        with pytest.raises((InsufficientCredit, InsufficientPoints)), self._edge():
            hold_lots(order_id="ord_refused", amounts=amounts)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), paid=st.booleans(), then_expire=st.booleans())
    def end_hold(self, data: st.DataObject, paid: bool, then_expire: bool) -> None:
        """Capture or void an order, whatever became of it before."""
        order_id = data.draw(st.sampled_from(list(self.orders)))
        with self._edge():
            (capture_hold if paid else void_hold)(order_id=order_id)
        order = self.orders[order_id]
        if order.state == "held":
            order.state = "captured" if paid else "voided"
            for lot, amount in order.amounts.items():
                self.lots[lot].held -= amount
                self.lots[lot].available += 0 if paid else amount
        if then_expire:
            self.expire()

    def _refundable(self) -> list[tuple[str, str, int]]:
        """(order, lot, what is left to refund), where there is something."""
        return [
            (order_id, lot_id, amount - order.refunded.get(lot_id, 0))
            for order_id, order in self.orders.items()
            for lot_id, amount in order.amounts.items()
            if order.state == "captured" and amount > order.refunded.get(lot_id, 0)
        ]

    def _refund(self, order_id: str, amounts: dict[str, int]) -> None:
        self.refunds += 1
        with self._edge():
            outcome = refund_lots(
                order_id=order_id, refund_id=f"ref_{self.refunds}", amounts=amounts
            )
            return_to_budgets(amounts=outcome.to_budgets)

    @precondition(lambda self: self._refundable())
    @rule(data=st.data(), part=st.sampled_from([1, 1, 999]))
    def refund(self, data: st.DataObject, part: int) -> None:
        places = self._refundable()
        order_id, lot_id, left = places[data.draw(st.integers(0, len(places) - 1))]
        amount = min(part, left)
        self._refund(order_id, {lot_id: amount})
        refunded = self.orders[order_id].refunded
        refunded[lot_id] = refunded.get(lot_id, 0) + amount
        self._expect_back(self.lots[lot_id], amount)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def refund_too_much(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(list(self.orders)))
        order = self.orders[order_id]
        lot_id = data.draw(st.sampled_from(list(order.amounts)))
        left = order.amounts[lot_id] - order.refunded.get(lot_id, 0)
        with pytest.raises(RefundBeyondPayment):
            self._refund(order_id, {lot_id: left + 1 if order.state == "captured" else 1})

    def _expect_back(self, lot: ModelLot, amount: int) -> None:
        if lot.expires_at > self.at:
            lot.available += amount
        elif lot.pot is not None and lot.pot.refund_after_expiry == "budget":
            self.budgets[lot.budget or ""] += amount
        else:
            self._expect_expiry(lot)
            grace = lot.pot.grace_days if lot.pot else 0
            lot.available = amount
            lot.expires_at = self.at + timedelta(days=max(grace, 1))

    def _expect_expiry(self, lot: ModelLot) -> None:
        if lot.pot is not None and lot.pot.on_expiry == "budget":
            self.budgets[lot.budget or ""] += lot.available
        lot.available = 0

    @rule(hours=st.sampled_from([1, 50, 130]), then_expire=st.booleans())
    def wait(self, hours: int, then_expire: bool) -> None:
        self.at += timedelta(hours=hours)
        if then_expire:
            self.expire()

    def expire(self) -> None:
        with clock.frozen(self.at):
            done = expire_credit() + expire_points()
        gone = [lot for lot in self.lots.values() if lot.expires_at <= self.at and lot.available]
        assert done == len(gone)
        for lot in gone:
            self._expect_expiry(lot)

    @invariant()
    def books_are_whole(self) -> None:
        assert_whole()

    @invariant()
    def every_lot_and_budget_is_what_the_model_says(self) -> None:
        found = db.session.execute(text("SELECT public_id, available, held, expires_at FROM lot"))
        stored = {row.public_id: row for row in found}
        for public, lot in self.lots.items():
            assert (stored[public].available, stored[public].held) == (lot.available, lot.held)
            # One driver gives text, another a time.
            assert str(stored[public].expires_at)[:19] == f"{lot.expires_at:%Y-%m-%d %H:%M:%S}"
        opened = db.session.execute(text("SELECT public_id, open_minor FROM budget")).all()
        assert {row.public_id: row.open_minor for row in opened} == self.budgets
        db.session.rollback()

    @invariant()
    def the_sum_of_lots_is_the_ledgers(self) -> None:
        for asset in ("CREDIT", "POINT"):
            stored = db.session.scalar(
                text("SELECT coalesce(sum(available + held), 0) FROM lot WHERE asset = :asset"),
                {"asset": asset},
            )
            booked = sum(total for (_, name), total in balances("lot/").items() if name == asset)
            assert stored == booked
        db.session.rollback()


def test_wallets_stay_whole_whatever_happens(app: Flask, database: Database) -> None:
    WalletMachine.database = database
    run_state_machine_as_test(
        WalletMachine,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            # Shrinking a machine on a real database takes minutes; the steps are printed anyway.
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
