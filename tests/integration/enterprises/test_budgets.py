"""Grants by maker and checker, within a budget and a credit limit (Domain rule 34)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from enterprises.services.budgets import (
    BudgetExceeded,
    CreditLimitExceeded,
    GrantDecided,
    MakerIsChecker,
    approve_grant,
    credit_headroom,
    open_budget,
    open_budgets_total,
    reject_grant,
    return_to_budgets,
    submit_grant,
    verify_budgets,
)
from kernel import clock
from kernel.auth.models import Person
from kernel.auth.policy import Actor, Role
from kernel.db import db, write_transaction
from kernel.errors import InvalidInput, NotFound
from kernel.ledger.chart import (
    Asset,
    budget_open,
    budget_reserved,
    enterprise_issued,
    enterprise_prepaid,
    enterprise_receivable,
    lot_available,
    platform_bank,
    platform_commission,
)
from kernel.ledger.services import balance, move, post
from points.services.holds import capture_hold, hold_lots
from points.services.pots import credit_lots
from tests.factories.enterprises import Company, build_budget, build_company, build_pot, grant, hire
from tests.integration.points.books import assert_whole, commit, everything
from tests.integration.points.conftest import Scene, scene

__all__ = ["scene"]


@pytest.fixture
def budget(scene: Scene) -> str:
    """¥100 of open budget."""
    return commit(build_budget, company=scene.company, amount_minor=10_000)


def _submit(scene: Scene, budget: str, amount: int = 6_000, key: str = "k", **more: object) -> str:
    arguments: dict[str, object] = {
        "actor": scene.company.hr,
        "key": key,
        "budget_id": budget,
        "pot_id": scene.pot.public_id,
        "name": "中秋福利",
        "expires_at": clock.now() + timedelta(days=30),
        "amounts": {scene.employee.membership_id: amount},
    }
    return commit(submit_grant, **(arguments | more))


def _budget_row() -> tuple[int, int]:
    row = db.session.execute(text("SELECT open_minor, reserved_minor FROM budget")).one()
    db.session.rollback()
    return row.open_minor, row.reserved_minor


def _state(grant_id: str) -> str:
    found = db.session.scalar(
        text("SELECT state FROM grant_batch WHERE public_id = :id"), {"id": grant_id}
    )
    db.session.rollback()
    return str(found)


def test_a_budget_is_entitlement_that_the_enterprise_opened(scene: Scene, budget: str) -> None:
    assert balance(budget_open(budget), Asset.CREDIT) == 10_000
    assert balance(enterprise_issued(scene.company.public_id), Asset.CREDIT) == -10_000
    assert open_budgets_total(enterprise_id=scene.company.id) == 10_000
    commit(open_budget, enterprise_id=scene.company.id, name="二", amount_minor=500, key="another")
    assert open_budgets_total(enterprise_id=scene.company.id) == 10_500
    assert_whole()


def test_a_submitted_grant_reserves_and_gives_nothing_yet(scene: Scene, budget: str) -> None:
    grant_id = _submit(scene, budget)
    assert _budget_row() == (4_000, 6_000)
    assert balance(budget_reserved(budget), Asset.CREDIT) == 6_000
    assert _state(grant_id) == "submitted"
    assert credit_lots(membership_id=scene.employee.membership_id, at=clock.now()) == []
    assert_whole()


def test_an_approved_grant_becomes_lots(scene: Scene, budget: str) -> None:
    with write_transaction():
        second = hire(scene.company.id)
    grant_id = _submit(
        scene,
        budget,
        amounts={second.membership_id: 1_000, scene.employee.membership_id: 6_000},
    )
    lots = commit(approve_grant, actor=scene.company.finance, grant_id=grant_id)
    assert len(lots) == 2
    assert sorted(balance(lot_available(lot), Asset.CREDIT) for lot in lots) == [1_000, 6_000]
    [lot] = credit_lots(membership_id=scene.employee.membership_id, at=clock.now())
    assert (lot.available, lot.source, lot.pot_id) == (6_000, "中秋福利", scene.pot.id)
    assert _budget_row() == (3_000, 0)
    assert _state(grant_id) == "approved"
    assert_whole()


def test_a_rejected_grant_gives_its_reserve_back(scene: Scene, budget: str) -> None:
    grant_id = _submit(scene, budget)
    commit(reject_grant, actor=scene.company.finance, grant_id=grant_id)
    assert _budget_row() == (10_000, 0)
    assert _state(grant_id) == "rejected"
    assert credit_lots(membership_id=scene.employee.membership_id, at=clock.now()) == []
    assert_whole()


@pytest.mark.parametrize("decide", [approve_grant, reject_grant])
def test_who_made_a_grant_does_not_decide_it(scene: Scene, budget: str, decide: object) -> None:
    grant_id = _submit(scene, budget)
    with write_transaction():
        person = db.session.get_one(Person, scene.company.hr.person_id)
        other_hat = hire(build_company("贝塔").id, person=person, roles=(Role.FINANCE,))
    assert other_hat.person_id == scene.company.hr.person_id
    before = everything()
    with pytest.raises(MakerIsChecker):
        commit(decide, actor=scene.company.hr, grant_id=grant_id)  # type: ignore[arg-type]
    assert everything() == before


@pytest.mark.parametrize("first", [approve_grant, reject_grant])
@pytest.mark.parametrize("second", [approve_grant, reject_grant])
def test_a_grant_is_decided_once(scene: Scene, budget: str, first: object, second: object) -> None:
    grant_id = _submit(scene, budget)
    commit(first, actor=scene.company.finance, grant_id=grant_id)  # type: ignore[arg-type]
    before = everything()
    with pytest.raises(GrantDecided):
        commit(second, actor=scene.company.finance, grant_id=grant_id)  # type: ignore[arg-type]
    assert everything() == before
    assert_whole()


def test_the_same_batch_twice_grants_once(scene: Scene, budget: str) -> None:
    grant_id = _submit(scene, budget)
    before = everything()
    assert _submit(scene, budget) == grant_id
    assert everything() == before
    commit(approve_grant, actor=scene.company.finance, grant_id=grant_id)
    before = everything()
    assert _submit(scene, budget) == grant_id
    assert everything() == before
    assert _submit(scene, budget, 100, key="another") != grant_id


def test_a_key_belongs_to_its_enterprise(scene: Scene, budget: str) -> None:
    first = _submit(scene, budget)
    with write_transaction():
        beta = build_company("贝塔贸易")
        other = Scene(beta, build_pot(beta), hire(beta.id))
        beta_budget = build_budget(beta, 10_000)
    assert _submit(other, beta_budget) != first


def test_more_than_the_budget_is_refused(scene: Scene, budget: str) -> None:
    _submit(scene, budget, 6_000)
    before = everything()
    with pytest.raises(BudgetExceeded):
        _submit(scene, budget, 4_001, key="k2")
    assert everything() == before
    _submit(scene, budget, 4_000, key="k3")
    assert _budget_row() == (0, 10_000)


@pytest.mark.parametrize("amount", [0, -1])
def test_everybody_gets_something(scene: Scene, budget: str, amount: int) -> None:
    before = everything()
    with pytest.raises(InvalidInput):
        _submit(scene, budget, amount)
    with pytest.raises(InvalidInput):
        _submit(scene, budget, amounts={})
    assert everything() == before


def test_credit_ends_in_the_future(scene: Scene, budget: str) -> None:
    before = everything()
    at = clock.now()
    with clock.frozen(at), pytest.raises(InvalidInput):
        _submit(scene, budget, expires_at=at)
    assert everything() == before


def test_only_ones_own_active_employees_are_granted(scene: Scene, budget: str) -> None:
    with write_transaction():
        stranger = hire(build_company("贝塔贸易").id)
        leaver = hire(scene.company.id)
        db.session.execute(
            text("UPDATE membership SET active = 0 WHERE id = :id"), {"id": leaver.membership_id}
        )
    before = everything()
    for who in (stranger.membership_id, leaver.membership_id, 999_999):
        with pytest.raises(InvalidInput, match="不在职"):
            _submit(scene, budget, amounts={scene.employee.membership_id: 1, who: 1})
    assert everything() == before


def test_another_enterprises_budget_pot_and_grant_are_not_there(scene: Scene, budget: str) -> None:
    with write_transaction():
        beta = build_company("贝塔贸易")
        pot, theirs = build_pot(beta), build_budget(beta, 10_000)
    grant_id = _submit(scene, budget)
    before = everything()
    with pytest.raises(NotFound):
        _submit(scene, theirs, key="k2")
    with pytest.raises(NotFound):
        _submit(scene, budget, key="k2", pot_id=pot.public_id)
    for decide in (approve_grant, reject_grant):
        with pytest.raises(NotFound):
            commit(decide, actor=beta.finance, grant_id=grant_id)
        with pytest.raises(NotFound):
            commit(decide, actor=scene.company.finance, grant_id="gra_none")
    assert everything() == before


def _limited(limit: int) -> Scene:
    with write_transaction():
        company = build_company("限额公司", credit_limit_minor=limit)
        return Scene(company, build_pot(company), hire(company.id))


def _headroom(company: Company) -> int:
    found = credit_headroom(enterprise_id=company.id)
    db.session.rollback()
    return found


def test_over_the_credit_limit_nothing_is_granted(app: Flask) -> None:
    tight = _limited(10_000)
    budget = commit(build_budget, company=tight.company, amount_minor=50_000)
    before = everything()
    with pytest.raises(CreditLimitExceeded):
        _submit(tight, budget, 10_001)
    assert everything() == before
    grant_id = _submit(tight, budget, 10_000)
    commit(approve_grant, actor=tight.company.finance, grant_id=grant_id)
    assert _headroom(tight.company) == 0
    before = everything()
    with pytest.raises(CreditLimitExceeded):
        _submit(tight, budget, 1, key="k2")
    assert everything() == before


def test_two_submitted_grants_over_the_limit_are_not_both_approved(app: Flask) -> None:
    tight = _limited(10_000)
    budget = commit(build_budget, company=tight.company, amount_minor=50_000)
    first, second = (_submit(tight, budget, 6_000, key=key) for key in ("a", "b"))
    commit(approve_grant, actor=tight.company.finance, grant_id=first)
    before = everything()
    with pytest.raises(CreditLimitExceeded):
        commit(approve_grant, actor=tight.company.finance, grant_id=second)
    assert everything() == before
    assert _state(second) == "submitted"
    commit(reject_grant, actor=tight.company.finance, grant_id=second)
    assert_whole()


def test_the_limit_counts_unpaid_invoices_and_prepayments(app: Flask) -> None:
    tight = _limited(10_000)
    company = tight.company
    with write_transaction():
        [lot] = grant(company, tight.pot, {tight.employee: 4_000})
    assert _headroom(company) == 6_000
    commit(hold_lots, order_id="ord_1", amounts={lot: 3_000})
    assert _headroom(company) == 6_000  # held is not spent
    commit(capture_hold, order_id="ord_1")
    receivable = enterprise_receivable(company.public_id)
    _book("sale", 3_000, source=platform_commission(), target=receivable)
    assert _headroom(company) == 6_000  # now it is owed instead
    _book("paid", 3_000, source=receivable, target=platform_bank())
    assert _headroom(company) == 9_000
    prepaid = enterprise_prepaid(company.public_id)
    _book("prepaid", 2_500, source=prepaid, target=platform_bank())
    assert _headroom(company) == 11_500


def _book(key: str, amount: int, *, source: str, target: str) -> None:
    entries = move(Asset.CNY, amount, source=source, target=target)
    commit(post, key=key, reason="test", entries=entries)


def test_what_comes_back_is_open_again(scene: Scene, budget: str) -> None:
    commit(return_to_budgets, amounts={budget: 250})
    assert _budget_row() == (10_250, 0)
    assert verify_budgets() == [f"budget/{budget}/open: 10250 stored, 10000 in the ledger"]
    commit(return_to_budgets, amounts={})
    assert _budget_row() == (10_250, 0)


def test_verify_names_a_reserve_that_differs(scene: Scene, budget: str) -> None:
    _submit(scene, budget)
    assert verify_budgets() == []
    db.session.rollback()
    with write_transaction():
        db.session.execute(text("UPDATE budget SET reserved_minor = 1"))
    assert verify_budgets() == [f"budget/{budget}/reserved: 1 stored, 6000 in the ledger"]


def test_a_budget_is_never_negative_in_the_database(scene: Scene, budget: str) -> None:
    for column in ("open_minor", "reserved_minor"):
        with pytest.raises(Exception, match="never_negative"), write_transaction():
            db.session.execute(text(f"UPDATE budget SET {column} = -1"))
    assert _budget_row() == (10_000, 0)


def test_maker_and_checker_are_kept(scene: Scene, budget: str) -> None:
    grant_id = _submit(scene, budget)
    hr: Actor = scene.company.hr
    commit(approve_grant, actor=scene.company.finance, grant_id=grant_id)
    row = db.session.execute(text("SELECT maker_id, checker_id, decided_at FROM grant_batch")).one()
    assert (row.maker_id, row.checker_id) == (hr.person_id, scene.company.finance.person_id)
    assert row.decided_at is not None
