"""Pots and lots as people see them, how they are filled, and the statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from enterprises.services.budgets import expire_credit
from kernel import clock
from kernel.auth.models import Person
from kernel.auth.policy import Role
from kernel.db import db, write_transaction
from kernel.errors import NotFound
from kernel.ledger.chart import Asset, bank_issued, budget_reserved, lot_available
from kernel.ledger.services import balance, balances
from points.services.holds import capture_hold, hold_lots, refund_lots, void_hold
from points.services.pots import (
    GrantShare,
    credit_lots,
    expiring_credit,
    find_pot,
    grant_credit,
    issue_points,
    point_lots,
    pots_of_enterprise,
    unspent_credit,
)
from points.services.statement import StatementRow, statement
from tests.factories.enterprises import build_company, build_pot, give_points, grant, hire
from tests.integration.points.books import assert_whole, commit, everything
from tests.integration.points.conftest import Scene


def test_a_pot_is_found_by_its_own_enterprise_only(scene: Scene) -> None:
    with write_transaction():
        other = build_company("贝塔贸易")
        second = build_pot(scene.company, "节日", on_expiry="lapse", grace_days=3)
    found = find_pot(enterprise_id=scene.company.id, pot_id=second.public_id)
    assert found == second
    assert (found.name, found.on_expiry, found.grace_days) == ("节日", "lapse", 3)
    assert pots_of_enterprise(enterprise_id=scene.company.id) == [scene.pot, second]
    assert pots_of_enterprise(enterprise_id=other.id) == []
    for enterprise_id, pot_id in ((other.id, second.public_id), (scene.company.id, "pot_none")):
        with pytest.raises(NotFound):
            find_pot(enterprise_id=enterprise_id, pot_id=pot_id)


def test_lots_come_soonest_expiry_first(scene: Scene) -> None:
    with write_transaction():
        made = {
            days: grant(scene.company, scene.pot, {scene.employee: 100 * days}, days=days)[0]
            for days in (90, 30, 60)
        }
    lots = credit_lots(membership_id=scene.employee.membership_id, at=clock.now())
    assert [lot.public_id for lot in lots] == [made[30], made[60], made[90]]
    assert [(lot.granted, lot.available, lot.held) for lot in lots] == [
        (3_000, 3_000, 0),
        (6_000, 6_000, 0),
        (9_000, 9_000, 0),
    ]
    assert {lot.asset for lot in lots} == {Asset.CREDIT}
    assert {lot.source for lot in lots} == {"中秋福利"}


def test_only_lots_that_live_and_have_something_are_shown(scene: Scene) -> None:
    with write_transaction():
        [spent] = grant(scene.company, scene.pot, {scene.employee: 100}, days=30)
        [held] = grant(scene.company, scene.pot, {scene.employee: 200}, days=31)
        grant(scene.company, scene.pot, {scene.employee: 300}, days=10)
    commit(hold_lots, order_id="ord_1", amounts={spent: 100})
    commit(capture_hold, order_id="ord_1")
    commit(hold_lots, order_id="ord_2", amounts={held: 200})
    later = clock.now() + timedelta(days=20)
    lots = credit_lots(membership_id=scene.employee.membership_id, at=later)
    assert [(lot.public_id, lot.available, lot.held) for lot in lots] == [(held, 0, 200)]


def test_credit_belongs_to_the_membership_and_points_to_the_person(scene: Scene) -> None:
    with write_transaction():
        person = db.session.get_one(Person, scene.employee.person_id)
        beta = build_company("贝塔贸易")
        second = hire(beta.id, person=person)
        [alpha_lot] = grant(scene.company, scene.pot, {scene.employee: 100})
        [beta_lot] = grant(beta, build_pot(beta), {second: 200})
        points = give_points(scene.employee, 30)

    def lots(membership_id: int) -> list[str]:
        return [lot.public_id for lot in credit_lots(membership_id=membership_id, at=clock.now())]

    assert lots(scene.employee.membership_id) == [alpha_lot]
    assert lots(second.membership_id) == [beta_lot]
    [lot] = point_lots(person_id=second.person_id, at=clock.now())
    assert (lot.public_id, lot.available, lot.pot_id, lot.asset) == (
        points,
        30,
        None,
        Asset.POINT,
    )
    assert point_lots(person_id=second.person_id, at=clock.now() + timedelta(days=366)) == []


def test_a_grant_takes_from_the_budgets_reserve(scene: Scene) -> None:
    with write_transaction():
        [lot] = grant(scene.company, scene.pot, {scene.employee: 12_345})
    assert balance(lot_available(lot), Asset.CREDIT) == 12_345
    assert balances("budget/") == {(account, "CREDIT"): 0 for account, _ in balances("budget/")}
    assert_whole()


def test_points_are_issued_by_the_bank_under_a_key(scene: Scene) -> None:
    with write_transaction():
        lot = issue_points(
            key="signup:1",
            person_id=scene.employee.person_id,
            points=500,
            source="开户礼",
            expires_at=clock.now() + timedelta(days=365),
        )
    assert balance(lot_available(lot), Asset.POINT) == 500
    assert balance(bank_issued(), Asset.POINT) == -500
    before = everything()
    # The ledger holds the key: a second lot under it would have other entries.
    with pytest.raises(ValueError, match="points:signup:1"):
        commit(
            issue_points,
            key="signup:1",
            person_id=scene.employee.person_id,
            points=500,
            source="开户礼",
            expires_at=clock.now() + timedelta(days=365),
        )
    assert everything() == before


def test_a_grant_of_nothing_is_refused_whole(scene: Scene) -> None:
    share = GrantShare(scene.employee.membership_id, scene.employee.person_id, 0)
    before = everything()
    with pytest.raises(ValueError, match="moves something"):
        commit(
            grant_credit,
            key="g",
            pot=scene.pot,
            budget_id="bud_x",
            source="x",
            expires_at=clock.now(),
            shares=[share],
        )
    assert everything() == before
    assert balance(budget_reserved("bud_x"), Asset.CREDIT) == 0


def test_an_enterprise_knows_what_is_unspent_and_what_expires(scene: Scene) -> None:
    with write_transaction():
        [soon] = grant(scene.company, scene.pot, {scene.employee: 1_000}, days=10)
        grant(scene.company, scene.pot, {scene.employee: 5_000}, days=100)
        other = build_company("贝塔贸易")
    commit(hold_lots, order_id="ord_1", amounts={soon: 400})
    company = scene.company.id
    assert unspent_credit(enterprise_id=company) == 6_000
    in_a_month = clock.now() + timedelta(days=30)
    assert expiring_credit(enterprise_id=company, before=in_a_month) == 600
    assert expiring_credit(enterprise_id=company, before=clock.now()) == 0
    commit(capture_hold, order_id="ord_1")
    assert unspent_credit(enterprise_id=company) == 5_600
    assert unspent_credit(enterprise_id=other.id) == 0
    assert expiring_credit(enterprise_id=other.id, before=in_a_month) == 0


def _statement(scene: Scene, **more: object) -> list[StatementRow]:
    arguments: dict[str, object] = {
        "membership_id": scene.employee.membership_id,
        "person_id": scene.employee.person_id,
        "pot_id": None,
        "before": None,
        "limit": 100,
    }
    return statement(**(arguments | more))  # type: ignore[arg-type]


@pytest.fixture
def history(scene: Scene) -> dict[str, str]:
    """A grant, points, an order paid and partly refunded, one given up, and an expiry."""
    with write_transaction():
        festival = build_pot(scene.company, "节日")
        [credit] = grant(scene.company, scene.pot, {scene.employee: 10_000}, days=30)
        [other] = grant(scene.company, festival, {scene.employee: 500}, days=400)
        points = give_points(scene.employee, 300)
    commit(hold_lots, order_id="ord_1", amounts={credit: 8_000, points: 100})
    commit(capture_hold, order_id="ord_1")
    commit(hold_lots, order_id="ord_2", amounts={credit: 50, other: 20})
    commit(void_hold, order_id="ord_2")
    commit(refund_lots, order_id="ord_1", refund_id="ref_1", amounts={credit: 1_000})
    with clock.frozen(clock.now() + timedelta(days=40)):
        assert expire_credit() == 1
    return {"credit": credit, "other": other, "points": points, "festival": festival.public_id}


def test_a_statement_tells_every_move_of_what_is_available(
    scene: Scene, history: dict[str, str]
) -> None:
    rows = _statement(scene)
    credit, other, points = history["credit"], history["other"], history["points"]
    told = [(r.kind, r.lot_id, r.asset, r.amount_minor, r.order_id) for r in rows]
    assert told == [
        ("expire", credit, "CREDIT", -3_000, None),
        ("refund", credit, "CREDIT", 1_000, "ord_1"),
        ("release", other, "CREDIT", 20, "ord_2"),
        ("release", credit, "CREDIT", 50, "ord_2"),
        ("hold", other, "CREDIT", -20, "ord_2"),
        ("hold", credit, "CREDIT", -50, "ord_2"),
        ("hold", points, "POINT", -100, "ord_1"),
        ("hold", credit, "CREDIT", -8_000, "ord_1"),
        ("grant", points, "POINT", 300, None),
        ("grant", other, "CREDIT", 500, None),
        ("grant", credit, "CREDIT", 10_000, None),
    ]
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)
    by_kind = {row.lot_id: (row.pot_name, row.title) for row in rows}
    assert by_kind == {
        credit: ("通用福利", "中秋福利"),
        other: ("节日", "中秋福利"),
        points: (None, "银行赠送"),
    }


def test_a_statement_equals_the_ledger(scene: Scene, history: dict[str, str]) -> None:
    sums: dict[str, int] = {}
    for row in _statement(scene):
        sums[row.lot_id] = sums.get(row.lot_id, 0) + row.amount_minor
    assert sums == {
        lot_id: balance(lot_available(lot_id), asset)
        for lot_id, asset in (
            (history["credit"], Asset.CREDIT),
            (history["other"], Asset.CREDIT),
            (history["points"], Asset.POINT),
        )
    }
    assert sums == {history["credit"]: 0, history["other"]: 500, history["points"]: 200}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 11, 50])
def test_pages_of_a_statement_join_without_gap_or_double(
    scene: Scene, history: dict[str, str], limit: int
) -> None:
    whole, pages, before = _statement(scene), [], None
    while page := _statement(scene, before=before, limit=limit):
        assert len(page) <= limit
        pages += page
        before = page[-1].position
    assert pages == whole


def test_a_statement_of_one_pot_has_its_lots_only(scene: Scene, history: dict[str, str]) -> None:
    rows = _statement(scene, pot_id=history["festival"])
    assert [(row.kind, row.amount_minor, row.pot_id) for row in rows] == [
        ("release", 20, history["festival"]),
        ("hold", -20, history["festival"]),
        ("grant", 500, history["festival"]),
    ]
    assert _statement(scene, pot_id="pot_none") == []


def test_nobody_reads_anothers_statement(scene: Scene, history: dict[str, str]) -> None:
    with write_transaction():
        colleague = hire(scene.company.id)
        grant(scene.company, scene.pot, {colleague: 77})
    rows = _statement(scene, membership_id=colleague.membership_id, person_id=colleague.person_id)
    assert [row.amount_minor for row in rows] == [77]
    assert len(_statement(scene)) == 11


def test_a_second_job_shows_the_persons_points_but_not_the_firsts_credit(
    scene: Scene, history: dict[str, str]
) -> None:
    with write_transaction():
        person = db.session.scalars(
            select(Person).where(Person.id == scene.employee.person_id)
        ).one()
        second = hire(build_company("贝塔贸易").id, person=person, roles=(Role.EMPLOYEE,))
    rows = _statement(scene, membership_id=second.membership_id)
    assert {row.lot_id for row in rows} == {history["points"]}


def test_an_empty_wallet_has_an_empty_statement(app: Flask, scene: Scene) -> None:
    assert _statement(scene) == []
