"""Wallets, budgets and books under many hands: real commits, on threads and on processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import pytest
from flask import Flask
from sqlalchemy import text

from enterprises.services.budgets import (
    BudgetExceeded,
    CreditLimitExceeded,
    GrantDecided,
    approve_grant,
    submit_grant,
)
from kernel import clock
from kernel.audit import services as audit
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.errors import Problem
from kernel.ledger.chart import Asset, enterprise_consumed, lot_available
from kernel.ledger.services import balance, move, post
from kernel.retrying import with_retries
from points.services.holds import (
    InsufficientCredit,
    RefundBeyondPayment,
    capture_hold,
    hold_lots,
    refund_lots,
    void_hold,
)
from tests.concurrency.processes import run_together
from tests.factories.enterprises import Company, build_budget, build_company, build_pot, grant, hire
from tests.integration.points.books import assert_whole, lot

R = TypeVar("R")


def at_once(app: Flask, times: int, work: Callable[[int], R]) -> list[R]:
    """``work(0) … work(times - 1)``, a thread each, all begun together."""
    together = threading.Barrier(times)

    def run(number: int) -> R:
        with app.app_context():
            together.wait(30)
            return work(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def succeeds(work: Callable[[], object], *refusals: type[Exception]) -> bool:
    """Whether it committed; False for one of the refusals."""
    try:
        with write_transaction():
            work()
    except refusals:
        return False
    return True


@pytest.fixture
def company(app: Flask) -> Company:
    with write_transaction():
        return build_company(credit_limit_minor=100_000)


def _lot(company: Company, amount: int) -> str:
    with write_transaction():
        [made] = grant(company, build_pot(company), {hire(company.id): amount})
        return made


def test_many_orders_never_hold_more_than_a_lot_has(app: Flask, company: Company) -> None:
    wallet = _lot(company, 1_000)

    def order(number: int) -> bool:
        return succeeds(
            lambda: hold_lots(order_id=f"ord_{number}", amounts={wallet: 90}), InsufficientCredit
        )

    assert sum(at_once(app, 30, order)) == 11
    assert lot(wallet) == (10, 990)
    assert_whole()


def _orders(argument: tuple[int, str]) -> int:
    process, wallet = argument
    return sum(
        succeeds(
            lambda number=number: hold_lots(  # type: ignore[misc]
                order_id=f"ord_{process}_{number}", amounts={wallet: 7}
            ),
            InsufficientCredit,
        )
        for number in range(50)
    )


def test_four_processes_never_hold_more_than_a_lot_has(app: Flask, company: Company) -> None:
    wallet = _lot(company, 1_000)
    assert sum(run_together(_orders, [(n, wallet) for n in range(4)])) == 142
    assert lot(wallet) == (6, 994)
    assert_whole()


def test_lots_in_any_order_never_lock_each_other(app: Flask, company: Company) -> None:
    lots = [_lot(company, 200) for _ in range(3)]

    def order(number: int) -> bool:
        wanted = lots if number % 2 else lots[::-1]
        return succeeds(
            lambda: hold_lots(order_id=f"ord_{number}", amounts=dict.fromkeys(wanted, 20)),
            InsufficientCredit,
        )

    assert sum(at_once(app, 20, order)) == 10
    assert [lot(each) for each in lots] == [(0, 200)] * 3
    assert_whole()


def test_an_order_is_paid_or_given_up_but_once(app: Flask, company: Company) -> None:
    wallet = _lot(company, 1_000)
    with write_transaction():
        hold_lots(order_id="ord_1", amounts={wallet: 400})

    def end(number: int) -> bool:
        return succeeds(lambda: (capture_hold if number % 2 else void_hold)(order_id="ord_1"))

    at_once(app, 16, end)
    consumed = balance(enterprise_consumed(company.public_id), Asset.CREDIT)
    assert (lot(wallet), consumed) in (((600, 0), 400), ((1_000, 0), 0))
    assert_whole()


def test_refunds_at_once_never_give_back_more_than_was_paid(app: Flask, company: Company) -> None:
    wallet = _lot(company, 1_000)
    with write_transaction():
        hold_lots(order_id="ord_1", amounts={wallet: 500})
        capture_hold(order_id="ord_1")

    def refund(number: int) -> bool:
        return succeeds(
            lambda: refund_lots(order_id="ord_1", refund_id=f"ref_{number}", amounts={wallet: 120}),
            RefundBeyondPayment,
        )

    assert sum(at_once(app, 12, refund)) == 4
    assert lot(wallet) == (980, 0)
    assert_whole()


def _submit(company: Company, employee: Actor, budget: str, pot: str, key: str, fen: int) -> str:
    return submit_grant(
        actor=company.hr,
        key=key,
        budget_id=budget,
        pot_id=pot,
        name="福利",
        expires_at=clock.now() + timedelta(days=30),
        amounts={employee.membership_id: fen},
    )


def _budget_row() -> tuple[int, int]:
    row = db.session.execute(text("SELECT open_minor, reserved_minor FROM budget")).one()
    db.session.rollback()
    return row.open_minor, row.reserved_minor


def test_grants_at_once_never_overspend_the_budget(app: Flask, company: Company) -> None:
    with write_transaction():
        pot, employee = build_pot(company), hire(company.id)
        budget = build_budget(company, 1_000)

    def submit(number: int) -> bool:
        return succeeds(
            lambda: _submit(company, employee, budget, pot.public_id, f"k{number}", 130),
            BudgetExceeded,
        )

    assert sum(at_once(app, 20, submit)) == 7
    assert _budget_row() == (90, 910)
    assert_whole()


def test_one_batch_sent_by_many_reserves_once(app: Flask, company: Company) -> None:
    with write_transaction():
        pot, employee = build_pot(company), hire(company.id)
        budget = build_budget(company, 1_000)

    def submit(_number: int) -> str:
        with write_transaction():
            return _submit(company, employee, budget, pot.public_id, "k", 130)

    assert len(set(at_once(app, 12, submit))) == 1
    assert _budget_row() == (870, 130)
    assert_whole()


def test_a_grant_approved_by_many_is_given_once(app: Flask, company: Company) -> None:
    with write_transaction():
        pot, employee = build_pot(company), hire(company.id)
        budget = build_budget(company, 1_000)
        grant_id = _submit(company, employee, budget, pot.public_id, "k", 130)

    def approve(_number: int) -> bool:
        return succeeds(
            lambda: approve_grant(actor=company.finance, grant_id=grant_id), GrantDecided
        )

    assert sum(at_once(app, 12, approve)) == 1
    assert _budget_row() == (870, 0)
    assert db.session.scalar(text("SELECT sum(available) FROM lot")) == 130
    assert_whole()


def test_approvals_at_once_stay_within_the_credit_limit(app: Flask, company: Company) -> None:
    with write_transaction():
        pot, employee = build_pot(company), hire(company.id)
        budget = build_budget(company, 1_000_000)
        grants = [
            _submit(company, employee, budget, pot.public_id, f"k{n}", 30_000) for n in range(8)
        ]

    def approve(number: int) -> bool:
        return succeeds(
            lambda: approve_grant(actor=company.finance, grant_id=grants[number]),
            CreditLimitExceeded,
        )

    assert sum(at_once(app, 8, approve)) == 3
    assert db.session.scalar(text("SELECT sum(available) FROM lot")) == 90_000
    assert_whole()


def test_one_ledger_key_posted_by_many_is_one_transaction(app: Flask, company: Company) -> None:
    wallet, other = _lot(company, 100), _lot(company, 100)
    entries = move(Asset.CREDIT, 1, source=lot_available(wallet), target=lot_available(other))

    def book(_number: int) -> int:
        with write_transaction():
            return post(key="once", reason="test", entries=entries)

    assert len(set(at_once(app, 20, book))) == 1
    assert balance(lot_available(other), Asset.CREDIT) == 101


def _audit(process: int) -> int:
    def write(number: int) -> None:
        with write_transaction():
            audit.record(actor=f"usr_{process}", action="test", subject=f"n_{number}")

    for number in range(20):
        # The first entry makes the head; those who make it at once may stand in a deadlock.
        with_retries(lambda number=number: write(number))  # type: ignore[misc]
    return 20


def test_the_audit_chain_is_whole_after_four_processes_wrote_it(app: Flask) -> None:
    assert sum(run_together(_audit, range(4))) == 80
    assert audit.verify() is None
    assert db.session.scalar(text("SELECT max(number) FROM audit_entry")) == 80


def test_a_refusal_among_many_leaves_no_trace(app: Flask, company: Company) -> None:
    wallet = _lot(company, 100)

    def order(number: int) -> bool:
        amounts = {wallet: 10} if number % 2 else {wallet: 10, "lot_none": 1}
        return succeeds(lambda: hold_lots(order_id=f"ord_{number}", amounts=amounts), Problem)

    assert sum(at_once(app, 16, order)) == 8
    assert lot(wallet) == (20, 80)
    assert db.session.scalar(text("SELECT count(*) FROM wallet_hold")) == 8
    assert_whole()
