"""Refunds go back to the lots that paid, by the policy at purchase (Domain rule 7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from enterprises.services.budgets import return_to_budgets
from kernel import clock
from kernel.db import db, write_transaction
from kernel.ledger.chart import (
    Asset,
    bank_lapsed,
    bank_redeemed,
    budget_open,
    enterprise_consumed,
    enterprise_lapsed,
    lot_available,
)
from kernel.ledger.services import balance
from points.models import Lot
from points.services.holds import (
    RefundBeyondPayment,
    RefundOutcome,
    capture_hold,
    expire_lots,
    hold_lots,
    plan_refund,
    refund_lots,
    void_hold,
)
from tests.factories.enterprises import build_budget, build_pot, give_points, grant
from tests.integration.points.books import assert_whole, commit, everything, lot
from tests.integration.points.conftest import Scene

DAY = timedelta(days=1)


def _bought(scene: Scene, amount: int = 10_000, spent: int = 8_000, **pot: object) -> str:
    """A lot of ``amount`` fen for 30 days, of which ``ord_1`` spent some; its public id."""
    with write_transaction():
        made = build_pot(scene.company, "测试", **pot)  # type: ignore[arg-type]
        [bought] = grant(scene.company, made, {scene.employee: amount}, days=30)
    commit(hold_lots, order_id="ord_1", amounts={bought: spent})
    commit(capture_hold, order_id="ord_1")
    return bought


def _refund(amounts: dict[str, int], refund_id: str = "ref_1") -> RefundOutcome:
    """As the cashier does: what comes back to budgets is added to them at once."""
    with write_transaction():
        outcome = refund_lots(order_id="ord_1", refund_id=refund_id, amounts=amounts)
        return_to_budgets(amounts=outcome.to_budgets)
        return outcome


@contextmanager
def _after(days: float) -> Iterator[datetime]:
    at = clock.now() + days * DAY
    with clock.frozen(at):
        yield at


def _expires_at(public_id: str) -> datetime:
    found = db.session.scalars(select(Lot.expires_at).where(Lot.public_id == public_id)).one()
    db.session.rollback()
    return found


def _budget(public_id: str) -> tuple[str, int]:
    """The budget of a lot, and what stands open in it."""
    found = db.session.execute(
        text(
            "SELECT b.public_id, b.open_minor FROM budget b JOIN lot l ON l.budget_id = b.public_id"
            " WHERE l.public_id = :id"
        ),
        {"id": public_id},
    ).one()
    db.session.rollback()
    return found.public_id, found.open_minor


def test_a_refund_goes_back_to_the_lot_while_it_lives(scene: Scene) -> None:
    bought = _bought(scene)
    before = _expires_at(bought)
    outcome = _refund({bought: 3_000})
    [step] = outcome.steps
    assert (step.lot_id, step.amount, step.to, step.asset) == (bought, 3_000, "pot", Asset.CREDIT)
    assert outcome.to_budgets == {}
    assert lot(bought) == (5_000, 0)
    assert balance(enterprise_consumed(scene.company.public_id), Asset.CREDIT) == 5_000
    assert _expires_at(bought) == before
    assert_whole()


def test_parts_add_up_to_the_whole_and_no_further(scene: Scene) -> None:
    bought = _bought(scene)
    for number, amount in enumerate((2_667, 2_667, 2_666)):
        _refund({bought: amount}, f"ref_{number}")
    assert lot(bought) == (10_000, 0)
    before = everything()
    with pytest.raises(RefundBeyondPayment):
        _refund({bought: 1}, "ref_9")
    assert everything() == before
    assert_whole()


def test_more_than_was_paid_is_refused_whole(scene: Scene) -> None:
    bought = _bought(scene)
    _refund({bought: 5_000})
    before = everything()
    for refund in (plan_refund, refund_lots):
        extra = {"refund_id": "ref_2"} if refund is refund_lots else {}
        with pytest.raises(RefundBeyondPayment):
            commit(refund, order_id="ord_1", amounts={bought: 3_001}, **extra)
    assert everything() == before


def test_a_lot_that_paid_nothing_is_given_nothing(scene: Scene) -> None:
    bought = _bought(scene)
    with write_transaction():
        [other] = grant(scene.company, scene.pot, {scene.employee: 10_000})
    before = everything()
    for lots in ({other: 1}, {bought: 1, other: 1}, {"lot_none": 1}):
        with pytest.raises(RefundBeyondPayment):
            _refund(lots)
    assert everything() == before


def test_what_was_never_captured_cannot_be_refunded(scene: Scene) -> None:
    with write_transaction():
        [held] = grant(scene.company, scene.pot, {scene.employee: 10_000})
    commit(hold_lots, order_id="ord_1", amounts={held: 100})
    before = everything()
    with pytest.raises(RefundBeyondPayment):
        _refund({held: 1})
    assert everything() == before
    commit(void_hold, order_id="ord_1")
    before = everything()
    with pytest.raises(RefundBeyondPayment):
        _refund({held: 1})
    assert everything() == before


def test_nothing_to_refund_posts_nothing(scene: Scene) -> None:
    bought = _bought(scene)
    before = everything()
    assert _refund({}).steps == []
    assert _refund({bought: 0}).steps == []
    assert everything() == before


def test_after_expiry_restore_gives_days_of_grace(scene: Scene) -> None:
    bought = _bought(scene, refund_after_expiry="restore", grace_days=15)
    with _after(40) as at:
        outcome = _refund({bought: 3_000})
        assert [step.to for step in outcome.steps] == ["pot"]
        assert _expires_at(bought) == at + 15 * DAY
        # The 2,000 fen that were left have lapsed first: grace does not give them back.
        assert lot(bought) == (3_000, 0)
        assert outcome.to_budgets == {_budget(bought)[0]: 2_000}
        assert _budget(bought)[1] == 2_000
        assert_whole()
        commit(hold_lots, order_id="ord_2", amounts={bought: 3_000})
    assert_whole()


def test_a_second_refund_within_the_grace_does_not_prolong_it(scene: Scene) -> None:
    bought = _bought(scene, refund_after_expiry="restore", grace_days=15)
    with _after(40) as at:
        _refund({bought: 3_000})
    with _after(45):
        assert _refund({bought: 1_000}, "ref_2").to_budgets == {}
        assert _expires_at(bought) == at + 15 * DAY
        assert lot(bought) == (4_000, 0)
    assert_whole()


def test_a_grace_of_no_days_is_one_day(scene: Scene) -> None:
    bought = _bought(scene, refund_after_expiry="restore", grace_days=0)
    with _after(40) as at:
        _refund({bought: 1})
        assert _expires_at(bought) == at + DAY


def test_a_restored_lot_expires_again(scene: Scene) -> None:
    bought = _bought(scene, spent=10_000, refund_after_expiry="restore", grace_days=2)
    for number in range(3):
        with _after(40 + 10 * number):
            assert _refund({bought: 1_000}, f"ref_{number}").to_budgets == {}
            assert lot(bought) == (1_000, 0)
        with _after(45 + 10 * number):
            _expire(bought)
            assert lot(bought) == (0, 0)
            assert _budget(bought)[1] == 1_000 * (number + 1)
    assert_whole()


def _expire(public_id: str) -> dict[str, int]:
    with write_transaction():
        number = db.session.scalars(select(Lot.id).where(Lot.public_id == public_id)).one()
        back = expire_lots(lot_ids=[number])
        return_to_budgets(amounts=back)
        return back


def test_after_expiry_the_budget_gets_it_where_the_pot_says_so(scene: Scene) -> None:
    bought = _bought(scene, refund_after_expiry="budget")
    with _after(40):
        planned = plan_refund(order_id="ord_1", amounts={bought: 3_000})
        outcome = _refund({bought: 3_000})
        assert outcome.steps == planned
        [step] = outcome.steps
        assert step.to == "budget"
        assert (step.budget_id, 3_000) == _budget(bought)
        assert outcome.to_budgets == {step.budget_id: 3_000}
        assert balance(budget_open(_budget(bought)[0]), Asset.CREDIT) == 3_000
        # What was left in the lot waits for its own expiry.
        assert lot(bought) == (2_000, 0)
    assert_whole()


def test_the_policy_is_that_of_the_purchase(scene: Scene) -> None:
    bought = _bought(scene, refund_after_expiry="restore", grace_days=7)
    with write_transaction():
        db.session.execute(text("UPDATE pot SET refund_after_expiry = 'budget', grace_days = 99"))
    with _after(40) as at:
        assert [step.to for step in _refund({bought: 1_000}).steps] == ["pot"]
        assert _expires_at(bought) == at + 7 * DAY


def test_what_was_left_lapses_where_the_pot_says_so(scene: Scene) -> None:
    bought = _bought(scene, on_expiry="lapse", refund_after_expiry="restore")
    with _after(40):
        assert _refund({bought: 3_000}).to_budgets == {}
        assert lot(bought) == (3_000, 0)
        lapsed = enterprise_lapsed(scene.company.public_id)
        assert balance(lapsed, Asset.CREDIT) == 2_000
    assert_whole()


def test_a_leavers_credit_goes_to_the_budget(scene: Scene) -> None:
    bought = _bought(scene)
    with write_transaction():
        db.session.execute(
            text("UPDATE membership SET active = 0 WHERE id = :id"),
            {"id": scene.employee.membership_id},
        )
        points = give_points(scene.employee, 100)
    outcome = _refund({bought: 3_000})
    assert [step.to for step in outcome.steps] == ["budget"]
    assert _budget(bought)[1] == 3_000
    assert lot(bought) == (2_000, 0)
    assert lot(points) == (100, 0)
    assert_whole()


def test_two_lots_of_one_budget_come_back_to_it_together(scene: Scene) -> None:
    with write_transaction():
        pot = build_pot(scene.company, refund_after_expiry="budget")
        budget = build_budget(scene.company, 3_000)
        lots = [
            *grant(scene.company, pot, {scene.employee: 1_000}, days=10, budget_id=budget),
            *grant(scene.company, pot, {scene.employee: 2_000}, days=20, budget_id=budget),
        ]
    commit(hold_lots, order_id="ord_1", amounts={lots[0]: 1_000, lots[1]: 2_000})
    commit(capture_hold, order_id="ord_1")
    with _after(40):
        outcome = _refund({lots[0]: 400, lots[1]: 500})
    assert outcome.to_budgets == {budget: 900}
    assert _budget(lots[0]) == (budget, 900)
    assert_whole()


def test_points_are_always_restored(scene: Scene) -> None:
    with write_transaction():
        points = give_points(scene.employee, 1_000, days=30)
    commit(hold_lots, order_id="ord_1", amounts={points: 800})
    commit(capture_hold, order_id="ord_1")
    outcome = _refund({points: 100})
    assert [(step.asset, step.to, step.pot_id, step.budget_id) for step in outcome.steps] == [
        (Asset.POINT, "pot", None, None)
    ]
    assert lot(points) == (300, 0)
    with _after(60) as at:
        assert _refund({points: 300}, "ref_2").to_budgets == {}
        assert lot(points) == (300, 0)
        assert balance(bank_lapsed(), Asset.POINT) == 300
        assert balance(bank_redeemed(), Asset.POINT) == 400
        assert balance(lot_available(points), Asset.POINT) == 300
        assert _expires_at(points) == at + DAY
    assert_whole()
