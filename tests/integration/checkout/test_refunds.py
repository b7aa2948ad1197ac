"""Refunds to the lots and tenders that paid (Domain rule 7): any way there ends at the same fen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from checkout.models import Order, SubOrder
from checkout.services.card_refunds import send_refunds
from checkout.services.payments import sweep_unpaid
from enterprises.services.budgets import expire_credit
from kernel import clock
from kernel.auth.services import end_membership
from kernel.db import db, write_transaction
from tests.factories.cashier import (
    Mall,
    Shopper,
    assert_books_are_clean,
    body,
    book,
    everything,
    give_address,
    invoices,
    lot,
    order_row,
    postings,
    problem,
    rows,
    stock,
    transactions,
)
from tests.factories.catalogue import build_offer
from tests.factories.enterprises import build_budget, build_pot, give_points, grant, hire
from tests.integration.checkout.desk import PENDING_REFUND, CardDesk


@contextmanager
def later(**by: float) -> Iterator[None]:
    with clock.frozen(clock.now() + timedelta(**by)):
        yield


def line_ids(buyer: Shopper, order_id: str) -> dict[str, str]:
    """Line ids by title."""
    lines = buyer.get(f"/orders/{order_id}")["lines"]
    return {line["title"]: line["line_id"] for line in lines}


def paid_order(desk: CardDesk, mall: Mall, buyer: Shopper, *, rice: int = 3) -> Any:
    """Rice at ¥33.33 and a quilt: a food lot, a general lot, points, card and freight."""
    order = buyer.order(
        {mall.rice.public_id: rice, mall.quilt.public_id: 1}, credit_minor=7_001, points=2_003
    )
    desk.paid(order)
    return order


def test_one_of_three_three_times_ends_as_all_at_once(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    """Two like orders, one returned by the piece, one at once: every share is the same."""
    ends = []
    for steps in ([1, 1, 1], [3]):
        order_id = paid_order(desk, mall, buyer)["order_id"]
        ids = line_ids(buyer, order_id)
        before = _shares(mall)
        for units in steps:
            answer = buyer.give_back(order_id, {ids["五常大米"]: units})
            assert body(answer, 201)["state"] == "done"
        after = _shares(mall)
        ends.append({name: after[name] - before[name] for name in after})
        assert_books_are_clean()
        # Then the quilt, and with it the freight.
        body(buyer.give_back(order_id, {ids["桑蚕丝夏被"]: 1}), 201)
        assert order_row(order_id)[0] == "refunded"
        whole = _shares(mall)
        ends[-1] |= {f"whole {name}": whole[name] for name in whole}
    by_piece, at_once = ends
    moved = {name: value for name, value in by_piece.items() if not name.startswith("whole")}
    assert moved == {name: at_once[name] for name in moved}
    # All is back where it was before the orders.
    assert lot(mall.lots["general"]) == (100_000, 0)
    assert lot(mall.lots["food"]) == (30_000, 0)
    assert lot(mall.lots["points"]) == (30_000, 0)
    assert stock(mall.rice) == (100, 0, 0)
    assert not [name for name in book() if name[0] == "CNY"]
    assert ("CREDIT", f"enterprise/{mall.company.public_id}/consumed") not in book()
    assert ("POINT", "bank/redeemed") not in book()
    red = rows("SELECT kind, sum(gross_minor), sum(tax_minor) FROM v_invoices GROUP BY kind")
    assert red[0][1:] == (14_002, -red[1][2])
    assert red[1][1] == -14_002
    assert_books_are_clean()


def _shares(mall: Mall) -> dict[str, int]:
    """Every balance that a refund moves."""
    shares = {f"{asset} {account}": amount for (asset, account), amount in book().items()}
    red = rows("SELECT coalesce(sum(gross_minor), 0), coalesce(sum(tax_minor), 0) FROM v_invoices")
    shares |= {"invoiced": red[0][0], "tax": red[0][1]}
    payable = rows("SELECT sum(refunded_minor), sum(refunded_commission_minor) FROM payable")
    shares |= {"refunded": payable[0][0], "commission back": payable[0][1]}
    for name, lot_id in mall.lots.items():
        shares[name] = lot(lot_id)[0]
    every = {
        f"CNY merchant/{m.public_id}/payable": 0 for m in (mall.north, mall.south)
    } | dict.fromkeys(
        (
            f"CNY enterprise/{mall.company.public_id}/receivable",
            f"CREDIT enterprise/{mall.company.public_id}/consumed",
            "CNY bank/receivable/points",
            "CNY gateway/sandbox/clearing",
            "CNY platform/commission",
            "POINT bank/redeemed",
        ),
        0,
    )
    return every | shares


def test_a_refund_by_line_tender_and_account(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    order = paid_order(desk, mall, buyer)
    order_id, intent_id = order["order_id"], order["payment"]["intent_id"]
    rice = line_ids(buyer, order_id)["五常大米"]
    # The food lot paid 7,001 of the rice's 9,999; points and card the other 2,998:
    # 2,003 over 2,998, 9,900 and 800 is 439, 1,447 and 117.
    preview = body(buyer.preview(order_id, {rice: 1}), 200)
    assert preview["tenders"] == {
        "credit": [
            {
                "pot_id": mall.food.public_id,
                "name": "节日食品",
                "amount_minor": 2_334,
                "to": "pot",
            }
        ],
        "points": {"points": 146, "amount_minor": 146},
        "cash_minor": 853,
    }
    assert preview["refund_minor"] == 3_333
    assert [(f["line_id"], f["source_name"], f["amount_minor"]) for f in preview["funding"]] == [
        (rice, "节日食品", 2_334),
        (rice, "积分", 146),
        (rice, "银行卡", 853),
    ]
    before = everything()
    assert body(buyer.preview(order_id, {rice: 1}), 200) == preview
    assert everything() == before

    done = body(buyer.give_back(order_id, {rice: 1}), 201)
    assert {name: done[name] for name in preview} == preview
    assert (done["state"], done["amount_minor"]) == ("done", 3_333)
    assert transactions(order_id)[3:] == ["refund", "refund_sale", "refund_card"]
    assert postings(order_id, "refund") == {
        ("CREDIT", f"lot/{mall.lots['food']}/available"): 2_334,
        ("CREDIT", f"enterprise/{mall.company.public_id}/consumed"): -2_334,
        ("POINT", f"lot/{mall.lots['points']}/available"): 146,
        ("POINT", "bank/redeemed"): -146,
    }
    assert postings(order_id, "refund_sale") == {
        ("CNY", f"enterprise/{mall.company.public_id}/receivable"): -2_334,
        ("CNY", "bank/receivable/points"): -146,
        ("CNY", "gateway/sandbox/refunds_in_transit"): -853,
        ("CNY", f"merchant/{mall.south.public_id}/payable"): 3_166,
        ("CNY", "platform/commission"): 167,  # a third of 500
    }
    assert postings(order_id, "refund_card") == {
        ("CNY", "gateway/sandbox/refunds_in_transit"): 853,
        ("CNY", "gateway/sandbox/clearing"): -853,
    }
    [(origin,)] = rows("SELECT id FROM ledger_transaction WHERE `key` = :k", k=f"sale:{order_id}")
    assert rows("SELECT origin_id FROM ledger_transaction WHERE reason = 'refund_sale'") == [
        (origin,)
    ]
    assert desk.refunds_of(intent_id) == [("succeeded", 853)]
    assert stock(mall.rice) == (98, 0, 2)
    # 9% in 7,001 is 578, in 2,334 it is 193.
    assert invoices(order_id) == [("blue", 6_423, 578, 7_001), ("red", -2_141, -193, -2_334)]
    seen = buyer.get(f"/orders/{order_id}")
    assert (seen["state"], seen["refunded_minor"]) == ("paid", 3_333)
    line = next(x for x in seen["lines"] if x["line_id"] == rice)
    assert (line["refunded_quantity"], line["refunded_minor"]) == (1, 3_333)
    assert [(r["refund_id"], r["amount_minor"]) for r in seen["refunds"]] == [
        (done["refund_id"], 3_333)
    ]
    assert seen["invoice"]["red_minor"] == -2_334
    assert_books_are_clean()


def test_cancelling_a_paid_order_gives_everything_back(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = paid_order(desk, mall, buyer)
    order_id = order["order_id"]
    assert buyer.get(f"/orders/{order_id}")["actions"] == ["cancel", "refund"]
    done = body(buyer.cancel(order_id, key="c"), 200)
    assert (done["state"], done["refunded_minor"], done["actions"]) == ("refunded", 20_699, [])
    assert [sub["state"] for sub in done["sub_orders"]] == ["closed", "closed"]
    assert lot(mall.lots["general"]) == (100_000, 0)
    assert lot(mall.lots["food"]) == (30_000, 0)
    assert lot(mall.lots["points"]) == (30_000, 0)
    assert (stock(mall.rice), stock(mall.quilt)) == ((100, 0, 0), (100, 0, 0))
    assert desk.refunds_of(order["payment"]["intent_id"]) == [("succeeded", 11_695)]
    assert not [name for name in book() if name[0] == "CNY"]
    [blue, red] = invoices(order_id)
    assert red[1:] == tuple(-amount for amount in blue[1:])
    before = everything()
    assert body(buyer.cancel(order_id, key="c"), 200) == done
    problem(buyer.cancel(order_id), 409, "bad_order_state")
    problem(buyer.give_back(order_id, {done["lines"][0]["line_id"]: 1}), 409, "bad_order_state")
    assert everything() == before
    assert_books_are_clean()


def test_freight_goes_back_with_the_last_goods_of_its_sub_order(mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        pillow = build_offer(mall.north, title="乳胶枕", price_minor=2_000)
    order_id = buyer.order({mall.quilt.public_id: 1, pillow.public_id: 2, mall.tea.public_id: 1})[
        "order_id"
    ]
    ids = line_ids(buyer, order_id)
    assert body(buyer.preview(order_id, {ids["乳胶枕"]: 2}), 200)["refund_minor"] == 4_000
    body(buyer.give_back(order_id, {ids["乳胶枕"]: 1}), 201)
    body(buyer.give_back(order_id, {ids["桑蚕丝夏被"]: 1}), 201)
    last = body(buyer.give_back(order_id, {ids["乳胶枕"]: 1}), 201)
    assert last["refund_minor"] == 2_800
    seen = buyer.get(f"/orders/{order_id}")
    assert seen["state"] == "paid"  # the tea of the other merchant is still on its way
    assert [sub["state"] for sub in seen["sub_orders"]] == ["closed", "to_ship"]
    assert body(buyer.cancel(order_id), 200)["state"] == "refunded"
    assert_books_are_clean()


def test_refusals_that_move_nothing(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    order_id = paid_order(desk, mall, buyer)["order_id"]
    ids = line_ids(buyer, order_id)
    rice, freight = ids["五常大米"], ids["运费"]
    before = everything()
    refused = problem(buyer.give_back(order_id, {rice: 4}), 409, "return_too_much")
    assert (refused["line_id"], refused["returnable"]) == (rice, 3)
    problem(buyer.preview(order_id, {rice: 4}), 409, "return_too_much")
    problem(buyer.give_back(order_id, {"ln_unknown": 1}), 404, "not_found")
    problem(buyer.give_back(order_id, {freight: 1}), 404, "not_found")  # it follows the goods
    problem(buyer.give_back(order_id, {rice: 1}, kind="return"), 409, "not_shipped_yet")
    problem(buyer.give_back(order_id, {rice: 0}), 422, "invalid_input")
    problem(buyer.give_back(order_id, {rice: -1}), 422, "invalid_input")
    problem(buyer.give_back(order_id, {}), 422, "invalid_input")
    problem(buyer.give_back(order_id, {rice: 1}, kind="gift"), 422, "invalid_input")
    path = f"/orders/{order_id}/after-sales"
    keyless = buyer.call("POST", path, json={"items": [{"line_id": rice, "quantity": 1}]})
    problem(keyless, 400, "idempotency_key_required")
    twice = {"items": [{"line_id": rice, "quantity": 2}] * 2}
    problem(buyer.call("POST", path, json=twice, key="2"), 409, "return_too_much")
    assert everything() == before
    waiting = buyer.order({mall.quilt.public_id: 1}, credit_minor=0)["order_id"]
    line = line_ids(buyer, waiting)["桑蚕丝夏被"]
    problem(buyer.give_back(waiting, {line: 1}), 409, "bad_order_state")
    problem(buyer.preview(waiting, {line: 1}), 409, "bad_order_state")


def test_the_same_key_refunds_once(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    for credit in ("max", 0):
        order = buyer.order({mall.rice.public_id: 2}, credit_minor=credit)
        if order["payment"]:
            desk.paid(order)
        rice = line_ids(buyer, order["order_id"])["五常大米"]
        key = f"mine {credit}"
        first = body(buyer.give_back(order["order_id"], {rice: 1}, key=key), 201)
        before = everything()
        assert body(buyer.give_back(order["order_id"], {rice: 1}, key=key), 201) == first
        again = buyer.give_back(order["order_id"], {rice: 2}, key=key)
        problem(again, 422, "idempotency_key_reused")
        assert everything() == before


def test_a_fraction_of_a_fen_moves_nothing_and_the_end_is_exact(
    mall: Mall, buyer: Shopper, desk: CardDesk
) -> None:
    with write_transaction():
        nail = build_offer(mall.south, title="钉子", price_minor=1)
    order = buyer.order({nail.public_id: 3}, credit_minor=1, points=1)
    desk.paid(order)
    line = line_ids(buyer, order["order_id"])["钉子"]
    # A third of each fen: rounded 0, 1, 1.
    amounts = [
        body(buyer.give_back(order["order_id"], {line: 1}), 201)["amount_minor"] for _ in range(3)
    ]
    assert amounts == [0, 3, 0]
    assert order_row(order["order_id"])[0] == "refunded"
    assert not [name for name in book() if name[0] == "CNY"]
    assert stock(nail) == (100, 0, 0)
    assert_books_are_clean()


# Expiry ------------------------------------------------------------------------------------------
@pytest.fixture
def spender(app: Flask, mall: Mall) -> Shopper:
    with write_transaction():
        actor = hire(mall.company.id)
        address_id = give_address(actor)
    return Shopper(app, actor, address_id)


def test_an_expired_lot_is_restored_with_days_of_grace(mall: Mall, spender: Shopper) -> None:
    with write_transaction():
        pot = build_pot(mall.company, "短期", grace_days=7, on_expiry="lapse")
        [lot_id] = grant(mall.company, pot, {spender.actor: 10_000}, days=3)
    order_id = spender.order({mall.rice.public_id: 2})["order_id"]
    rice = line_ids(spender, order_id)["五常大米"]
    with later(days=5):
        # The job has not run: what was left lapses before the grace could give it back.
        preview = body(spender.preview(order_id, {rice: 1}), 200)
        assert [(c["amount_minor"], c["to"]) for c in preview["tenders"]["credit"]] == [
            (3_333, "pot")
        ]
        body(spender.give_back(order_id, {rice: 1}), 201)
        assert lot(lot_id) == (3_333, 0)
        [(expires_at,)] = rows("SELECT expires_at FROM lot WHERE public_id = :id", id=lot_id)
        assert datetime.fromisoformat(expires_at).replace(tzinfo=UTC) == clock.now() + timedelta(
            days=7
        )
        assert_books_are_clean()
    with later(days=6):
        body(spender.give_back(order_id, {rice: 1}), 201)
        assert lot(lot_id) == (6_666, 0)
    with later(days=13):
        assert expire_credit() == 1
        assert lot(lot_id) == (0, 0)
    lapsed = ("CREDIT", f"enterprise/{mall.company.public_id}/lapsed")
    assert book()[lapsed] == 10_000
    assert_books_are_clean()


def test_an_expired_lot_goes_back_to_its_budget_where_the_pot_says_so(
    mall: Mall, spender: Shopper
) -> None:
    with write_transaction():
        pot = build_pot(mall.company, "短期", refund_after_expiry="budget")
        budget_id = build_budget(mall.company, 10_000)
        [lot_id] = grant(mall.company, pot, {spender.actor: 10_000}, days=3, budget_id=budget_id)
    order_id = spender.order({mall.rice.public_id: 2})["order_id"]
    rice = line_ids(spender, order_id)["五常大米"]
    early = body(spender.give_back(order_id, {rice: 1}), 201)
    assert [c["to"] for c in early["tenders"]["credit"]] == ["pot"]
    assert lot(lot_id) == (6_667, 0)
    with later(days=4):
        assert expire_credit() == 1
        late = body(spender.give_back(order_id, {rice: 1}), 201)
    assert [(c["amount_minor"], c["to"]) for c in late["tenders"]["credit"]] == [(3_333, "budget")]
    assert lot(lot_id) == (0, 0)
    [(open_minor,)] = rows("SELECT open_minor FROM budget WHERE public_id = :id", id=budget_id)
    assert open_minor == 10_000
    assert_books_are_clean()


def test_the_policy_is_the_one_at_purchase(mall: Mall, spender: Shopper) -> None:
    with write_transaction():
        pot = build_pot(mall.company, "短期", refund_after_expiry="budget")
        [lot_id] = grant(mall.company, pot, {spender.actor: 3_333}, days=3)
    order_id = spender.order({mall.rice.public_id: 1})["order_id"]
    with db.engines[None].begin() as connection:
        connection.exec_driver_sql("UPDATE pot SET refund_after_expiry = 'restore'")
    with later(days=4):
        body(spender.cancel(order_id), 200)
    assert lot(lot_id) == (0, 0)
    assert_books_are_clean()


def test_a_leavers_credit_goes_to_the_budget(mall: Mall, buyer: Shopper) -> None:
    order_id = buyer.order({mall.rice.public_id: 1}, points=33)["order_id"]
    general_before = lot(mall.lots["food"])
    end_membership(membership_id=mall.buyer.membership_id)
    back = body(buyer.cancel(order_id), 200)
    assert back["state"] == "refunded"
    assert [c["to"] for c in back["refunds"][0]["tenders"]["credit"]] == ["budget"]
    assert lot(mall.lots["food"]) == general_before
    assert_books_are_clean()


def test_points_go_back_to_what_expires_last_first(mall: Mall, spender: Shopper) -> None:
    with write_transaction():
        soon = give_points(spender.actor, 3_000, days=5)
        last = give_points(spender.actor, 3_000, days=50)
    order = spender.order({mall.rice.public_id: 2}, credit_minor=0, points=4_000)
    assert (lot(soon), lot(last)) == ((0, 3_000), (2_000, 1_000))
    body(spender.cancel(order["order_id"]), 200)
    assert (lot(soon), lot(last)) == ((3_000, 0), (3_000, 0))


# The card ----------------------------------------------------------------------------------------
def test_a_refund_while_the_gateway_is_down_is_finished_by_the_sweep(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = paid_order(desk, mall, buyer)
    order_id, intent_id = order["order_id"], order["payment"]["intent_id"]
    rice = line_ids(buyer, order_id)["五常大米"]
    with desk.down():
        waiting = body(buyer.give_back(order_id, {rice: 1}, key="mine"), 201)
    assert waiting["state"] == "processing"
    assert lot(mall.lots["food"])[0] == 30_000 - 7_001 + 2_334  # the rest is back already
    assert book()["CNY", "gateway/sandbox/refunds_in_transit"] == -853
    assert desk.refunds_of(intent_id) == []
    assert_books_are_clean()
    assert send_refunds() == 0  # it was just asked
    with later(minutes=3):
        assert sweep_unpaid() == 1
        assert sweep_unpaid() == 0
    assert desk.refunds_of(intent_id) == [("succeeded", 853)]
    assert ("CNY", "gateway/sandbox/refunds_in_transit") not in book()
    assert buyer.get(f"/orders/{order_id}")["refunds"][0]["state"] == "done"
    assert_books_are_clean()


def test_a_refund_whose_answer_was_lost_is_not_made_twice(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    order = paid_order(desk, mall, buyer)
    desk.gateway.faults.plan("refunds.create", "fail")
    assert body(buyer.cancel(order["order_id"]), 200)["refunds"][0]["state"] == "processing"
    # Made at the gateway, and its notice is here before the sweep.
    with later(minutes=3):
        assert sweep_unpaid() == 1
    assert desk.refunds_of(order["payment"]["intent_id"]) == [("succeeded", 11_695)]
    before = everything()
    made = desk.notice(order["payment"]["intent_id"], "refund.created")
    assert desk.deliver(made).status_code == 200
    assert everything() == before


def test_a_refund_that_the_bank_takes_its_time_over(
    desk: CardDesk, mall: Mall, buyer: Shopper
) -> None:
    for by_notice in (True, False):
        order = buyer.order({mall.quilt.public_id: 1}, credit_minor=0)
        intent_id = order["payment"]["intent_id"]
        desk.paid(order, PENDING_REFUND)
        asked = body(buyer.cancel(order["order_id"]), 200)
        assert (asked["state"], asked["refunds"][0]["state"]) == ("refunded", "processing")
        assert desk.deliver(desk.notice(intent_id, "refund.created")).status_code == 200
        assert book()["CNY", "gateway/sandbox/refunds_in_transit"] == -10_700
        settled = desk.notice(intent_id, "refund.updated")
        if by_notice:
            assert desk.deliver(settled).status_code == 200
        else:
            with later(minutes=3):
                assert sweep_unpaid() == 1
        assert ("CNY", "gateway/sandbox/refunds_in_transit") not in book()
        seen = buyer.get(f"/orders/{order['order_id']}")
        assert seen["refunds"][0]["state"] == "done"
    assert_books_are_clean()


# After delivery ----------------------------------------------------------------------------------
def ship(order_id: str) -> None:
    """As fulfilment will do it: all parcels are on their way."""
    with write_transaction():
        number = db.session.scalars(select(Order.id).where(Order.public_id == order_id)).one()
        db.session.execute(update(Order).where(Order.id == number).values(state="shipped"))
        db.session.execute(
            update(SubOrder).where(SubOrder.order_id == number).values(state="shipped")
        )


def test_receipt_then_a_return_that_leaves_the_shelf_alone(mall: Mall, buyer: Shopper) -> None:
    order_id = buyer.order({mall.rice.public_id: 2})["order_id"]
    before = everything()
    path = f"/orders/{order_id}/confirm-receipt"
    problem(buyer.call("POST", path, key="r"), 409, "bad_order_state")
    assert everything() == before
    ship(order_id)
    assert buyer.get(f"/orders/{order_id}")["actions"] == ["confirm_receipt", "refund"]
    problem(buyer.cancel(order_id), 409, "bad_order_state")
    done = body(buyer.call("POST", path, key="r"), 200)
    assert (done["state"], done["actions"]) == ("completed", ["refund"])
    assert [sub["state"] for sub in done["sub_orders"]] == ["received"]
    assert body(buyer.call("POST", path, key="r"), 200) == done
    rice = line_ids(buyer, order_id)["五常大米"]
    back = body(buyer.give_back(order_id, {rice: 1}, kind="return"), 201)
    assert back["amount_minor"] == 3_333
    assert stock(mall.rice) == (98, 0, 2)  # goods that travelled are looked at before they sell
    assert body(buyer.give_back(order_id, {rice: 1}, kind="return"), 201)["amount_minor"] == 3_333
    assert order_row(order_id)[0] == "refunded"
    assert_books_are_clean()
