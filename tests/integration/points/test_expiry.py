"""What is left of an expired lot goes where the pot says; what is held stays held."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select

from enterprises.services.budgets import expire_credit
from kernel import clock
from kernel.db import db, write_transaction
from kernel.ledger.chart import Asset, bank_lapsed, budget_open, enterprise_lapsed
from kernel.ledger.services import balance
from points.models import Lot
from points.services.holds import (
    capture_hold,
    expire_lots,
    expire_points,
    expired_lots,
    hold_lots,
    void_hold,
)
from tests.factories.enterprises import build_budget, build_pot, give_points, grant, hire
from tests.integration.points.books import assert_whole, commit, everything, lot
from tests.integration.points.conftest import Scene

LATER = timedelta(days=40)


def test_nothing_expires_before_its_time(scene: Scene) -> None:
    with write_transaction():
        grant(scene.company, scene.pot, {scene.employee: 10_000}, days=30)
        give_points(scene.employee, 100, days=30)
    before = everything()
    with clock.frozen(clock.now() + timedelta(days=29, hours=23)):
        assert (expire_credit(), expire_points()) == (0, 0)
    assert everything() == before


def test_expired_credit_goes_back_to_its_budget(scene: Scene) -> None:
    with write_transaction():
        budget = build_budget(scene.company, 10_000)
        [gone] = grant(
            scene.company, scene.pot, {scene.employee: 10_000}, days=30, budget_id=budget
        )
        [stays] = grant(scene.company, scene.pot, {scene.employee: 7_000}, days=60)
    with clock.frozen(clock.now() + LATER):
        assert expire_credit() == 1
        assert (lot(gone), lot(stays)) == ((0, 0), (7_000, 0))
        assert balance(budget_open(budget), Asset.CREDIT) == 10_000
        after = everything()
        assert expire_credit() == 0
    assert everything() == after
    assert_whole()


def test_or_lapses_for_good(scene: Scene) -> None:
    with write_transaction():
        pot = build_pot(scene.company, on_expiry="lapse")
        [gone] = grant(scene.company, pot, {scene.employee: 10_000}, days=30)
    with clock.frozen(clock.now() + LATER):
        assert expire_credit() == 1
    assert lot(gone) == (0, 0)
    assert balance(enterprise_lapsed(scene.company.public_id), Asset.CREDIT) == 10_000
    assert_whole()


def test_expired_points_lapse_at_the_bank(scene: Scene) -> None:
    with write_transaction():
        gone, stays = give_points(scene.employee, 300, days=30), give_points(scene.employee, 5)
    with clock.frozen(clock.now() + LATER):
        assert expire_credit() == 0  # another room's job
        assert expire_points() == 1
        assert expire_points() == 0
    assert (lot(gone), lot(stays)) == ((0, 0), (5, 0))
    assert balance(bank_lapsed(), Asset.POINT) == 300
    assert_whole()


def test_what_is_held_outlives_the_lot_until_its_order_ends(scene: Scene) -> None:
    with write_transaction():
        lots = grant(scene.company, scene.pot, {scene.employee: 10_000}, days=30)
    [held] = lots
    commit(hold_lots, order_id="ord_1", amounts={held: 6_000})
    commit(hold_lots, order_id="ord_2", amounts={held: 1_000})
    with clock.frozen(clock.now() + LATER):
        assert expire_credit() == 1
        assert lot(held) == (0, 7_000)
        commit(capture_hold, order_id="ord_1")
        commit(void_hold, order_id="ord_2")
        assert lot(held) == (1_000, 0)
        assert_whole()
        assert expire_credit() == 1
        assert lot(held) == (0, 0)
    assert_whole()


def test_two_equal_amounts_of_one_lot_expire_one_after_the_other(scene: Scene) -> None:
    with write_transaction():
        [held] = grant(scene.company, scene.pot, {scene.employee: 10_000}, days=30)
    for number in range(2):
        commit(hold_lots, order_id=f"ord_{number}", amounts={held: 5_000})
    with clock.frozen(clock.now() + LATER):
        for number in range(2):
            commit(void_hold, order_id=f"ord_{number}")
            assert expire_credit() == 1
            assert lot(held) == (0, 5_000 * (1 - number))
            assert_whole()


def test_a_lot_that_lives_is_not_expired_by_name(scene: Scene) -> None:
    with write_transaction():
        grant(scene.company, scene.pot, {scene.employee: 10_000}, days=30)
    before = everything()
    with write_transaction():
        ids = db.session.scalars(select(Lot.id)).all()
        assert expire_lots(lot_ids=ids) == {}
        assert expire_lots(lot_ids=[]) == {}
    assert everything() == before


def test_soonest_expired_go_first_and_by_asset(scene: Scene) -> None:
    with write_transaction():
        for days in (20, 10, 30):
            grant(scene.company, scene.pot, {scene.employee: 100}, days=days)
        give_points(scene.employee, 5, days=5)
    with clock.frozen(clock.now() + LATER):
        by_time = db.session.scalars(
            select(Lot.id).where(Lot.asset == "CREDIT").order_by(Lot.expires_at)
        ).all()
        assert expired_lots(asset=Asset.CREDIT, limit=9) == by_time
        assert expired_lots(asset=Asset.CREDIT, limit=2) == by_time[:2]
        assert len(expired_lots(asset=Asset.POINT, limit=9)) == 1


def test_many_lots_expire_in_batches_of_a_hundred(app: Flask, scene: Scene) -> None:
    with write_transaction():
        people = [hire(scene.company.id) for _ in range(5)]
        for _ in range(42):
            grant(scene.company, scene.pot, dict.fromkeys(people, 10), days=30)
    commits: list[object] = []

    def count(connection: object) -> None:
        commits.append(connection)

    event.listen(db.engine, "commit", count)
    with clock.frozen(clock.now() + LATER):
        assert expire_credit() == 210
    event.remove(db.engine, "commit", count)
    assert len(commits) == 4  # 100, 100, 10 and none
    assert_whole()


@pytest.mark.parametrize("service", [expire_credit, expire_points])
def test_an_empty_shop_has_nothing_to_expire(app: Flask, service: object) -> None:
    assert service() == 0  # type: ignore[operator]
