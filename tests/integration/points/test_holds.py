"""Hold, capture and void: every move of a lot with its posting."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from kernel import clock
from kernel.db import db, write_transaction
from kernel.ledger.chart import (
    Asset,
    bank_issued,
    bank_redeemed,
    enterprise_consumed,
    lot_available,
    lot_held,
)
from kernel.ledger.services import balance, balances
from points.services.holds import (
    InsufficientCredit,
    InsufficientPoints,
    capture_hold,
    captured_lots,
    hold_lots,
    verify_lots,
    void_hold,
)
from tests.factories.enterprises import give_points, grant
from tests.integration.points.books import assert_whole, commit, everything, lot
from tests.integration.points.conftest import Scene


@pytest.fixture
def wallet(scene: Scene) -> tuple[str, str, str]:
    """Two lots of credit (¥100 for a month, ¥50 for a year) and one of 3,000 points."""
    with write_transaction():
        [soon] = grant(scene.company, scene.pot, {scene.employee: 10_000}, days=30)
        [late] = grant(scene.company, scene.pot, {scene.employee: 5_000}, days=365)
        return soon, late, give_points(scene.employee, 3_000, days=90)


def test_a_hold_moves_from_available_to_held(wallet: tuple[str, str, str]) -> None:
    soon, late, points = wallet
    commit(hold_lots, order_id="ord_1", amounts={soon: 10_000, late: 1, points: 500})
    assert [lot(each) for each in wallet] == [(0, 10_000), (4_999, 1), (2_500, 500)]
    assert balance(lot_held(soon), Asset.CREDIT) == 10_000
    assert balance(lot_available(points), Asset.POINT) == 2_500
    assert_whole()


def test_what_is_captured_is_consumed_or_redeemed(
    scene: Scene, wallet: tuple[str, str, str]
) -> None:
    soon, _, points = wallet
    commit(hold_lots, order_id="ord_1", amounts={soon: 9_999, points: 500})
    for _ in range(2):
        commit(capture_hold, order_id="ord_1")
        assert [lot(each) for each in wallet] == [(1, 0), (5_000, 0), (2_500, 0)]
        consumed = enterprise_consumed(scene.company.public_id)
        assert balance(consumed, Asset.CREDIT) == 9_999
        assert balance(bank_redeemed(), Asset.POINT) == 500
        assert balance(bank_issued(), Asset.POINT) == -3_000
    before = everything()
    commit(void_hold, order_id="ord_1")
    assert everything() == before
    assert_whole()


def test_what_is_given_up_can_be_spent_again(wallet: tuple[str, str, str]) -> None:
    soon, _, points = wallet
    before = balances()
    db.session.rollback()
    commit(hold_lots, order_id="ord_1", amounts={soon: 9_999, points: 3_000})
    for _ in range(2):
        commit(void_hold, order_id="ord_1")
        assert [lot(each) for each in wallet] == [(10_000, 0), (5_000, 0), (3_000, 0)]
    after = {account: total for account, total in balances().items() if total}
    assert after == {account: total for account, total in before.items() if total}
    db.session.rollback()
    commit(capture_hold, order_id="ord_1")
    assert lot(soon) == (10_000, 0)
    commit(hold_lots, order_id="ord_2", amounts={soon: 10_000})
    assert_whole()


def test_an_order_without_credit_or_points_holds_nothing(wallet: tuple[str, str, str]) -> None:
    before = everything()
    commit(hold_lots, order_id="ord_1", amounts={})
    commit(capture_hold, order_id="ord_1")
    commit(void_hold, order_id="ord_1")
    assert everything() == before


@pytest.mark.parametrize("which", [0, 1, 2])
def test_too_little_in_one_lot_holds_nothing_of_any(
    wallet: tuple[str, str, str], which: int
) -> None:
    full = {wallet[0]: 10_000, wallet[1]: 5_000, wallet[2]: 3_000}
    before = everything()
    error = InsufficientPoints if which == 2 else InsufficientCredit
    with pytest.raises(error):
        commit(
            hold_lots, order_id="ord_1", amounts={**full, wallet[which]: full[wallet[which]] + 1}
        )
    assert everything() == before
    commit(hold_lots, order_id="ord_1", amounts=full)
    assert_whole()


def test_what_is_held_cannot_be_held_again(wallet: tuple[str, str, str]) -> None:
    soon, *_ = wallet
    commit(hold_lots, order_id="ord_1", amounts={soon: 6_000})
    before = everything()
    with pytest.raises(InsufficientCredit):
        commit(hold_lots, order_id="ord_2", amounts={soon: 4_001})
    assert everything() == before


def test_a_lot_that_nobody_has_is_refused(wallet: tuple[str, str, str]) -> None:
    before = everything()
    with pytest.raises(InsufficientCredit):
        commit(hold_lots, order_id="ord_1", amounts={wallet[0]: 1, "lot_none": 1})
    assert everything() == before


def test_an_expired_lot_is_refused_to_the_second(wallet: tuple[str, str, str]) -> None:
    soon, late, points = wallet
    at = db.session.scalar(text("SELECT expires_at FROM lot WHERE public_id = :id"), {"id": soon})
    db.session.rollback()
    ends = datetime.fromisoformat(f"{at}+00:00")
    before = everything()
    with clock.frozen(ends), pytest.raises(InsufficientCredit):
        commit(hold_lots, order_id="ord_1", amounts={soon: 1, late: 1, points: 1})
    assert everything() == before
    with clock.frozen(ends - timedelta(seconds=1)):
        commit(hold_lots, order_id="ord_1", amounts={soon: 1})
    assert lot(soon) == (9_999, 1)


def test_expired_points_are_refused_as_points(wallet: tuple[str, str, str]) -> None:
    at = clock.now() + timedelta(days=91)
    with clock.frozen(at), pytest.raises(InsufficientPoints):
        commit(hold_lots, order_id="ord_1", amounts={wallet[2]: 1})


def test_what_an_order_spent_is_told_in_the_order_it_was_spent(
    wallet: tuple[str, str, str],
) -> None:
    soon, late, points = wallet
    commit(hold_lots, order_id="ord_1", amounts={late: 70, points: 5, soon: 30})
    assert captured_lots(order_id="ord_1", asset=Asset.CREDIT) == [(late, 70), (soon, 30)]
    assert captured_lots(order_id="ord_1", asset=Asset.POINT) == [(points, 5)]
    assert captured_lots(order_id="ord_none", asset=Asset.CREDIT) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("available = available + 1", "lot/{}/available: 10001 stored, 10000 in the ledger"),
        ("available = available - 1", "lot/{}/available: 9999 stored, 10000 in the ledger"),
        ("held = 5", "lot/{}/held: 5 stored, 0 in the ledger"),
    ],
)
def test_verify_names_a_lot_that_differs_from_the_ledger(
    wallet: tuple[str, str, str], change: str, fault: str
) -> None:
    soon, *_ = wallet
    with write_transaction():
        db.session.execute(text(f"UPDATE lot SET {change} WHERE public_id = '{soon}'"))
    assert verify_lots() == [fault.format(soon)]


def test_verify_names_money_in_the_ledger_without_a_lot(wallet: tuple[str, str, str]) -> None:
    _, _, points = wallet
    with write_transaction():
        db.session.execute(text(f"DELETE FROM lot WHERE public_id = '{points}'"))
    assert verify_lots() == [f"lot/{points}/available: no such lot"]


def test_a_lot_is_never_negative_in_the_database(wallet: tuple[str, str, str]) -> None:
    before = everything()
    for change in ("available = -1", "held = -1"):
        with pytest.raises(Exception, match="never_negative"), write_transaction():
            db.session.execute(text(f"UPDATE lot SET {change}"))
    assert everything() == before
