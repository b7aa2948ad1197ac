"""The books: balanced, append-only, written once, and able to show what got past that."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, NoResultFound

from kernel.db import db, write_transaction
from kernel.ledger import chart
from kernel.ledger.chart import Asset, is_account
from kernel.ledger.services import (
    AccountLine,
    Entry,
    PostingConflict,
    UnbalancedTransaction,
    account_lines,
    balance,
    balances,
    move,
    post,
    reverse,
    verify,
)
from tests.databases import by_sql

OPEN, RESERVED = chart.budget_open("bud_1"), chart.budget_reserved("bud_1")
ISSUED = chart.enterprise_issued("ent_1")
RECEIVABLE, PAYABLE = chart.enterprise_receivable("ent_1"), chart.merchant_payable("mer_1")


def _post(key: str, *entries: Entry, reason: str = "test", **more: Any) -> int:
    with write_transaction():
        return post(key=key, reason=reason, entries=entries, **more)


def _budget(amount: int = 1_000) -> int:
    return _post("budget", *move(Asset.CREDIT, amount, source=ISSUED, target=OPEN))


def _rows() -> tuple[int, int]:
    count = (
        "SELECT (SELECT count(*) FROM ledger_transaction), (SELECT count(*) FROM ledger_posting)"
    )
    transactions, postings = db.session.execute(text(count)).one()
    db.session.rollback()
    return transactions, postings


def test_a_transaction_moves_between_accounts(app: Flask) -> None:
    number = _budget()
    assert balance(OPEN, Asset.CREDIT) == 1_000
    assert balance(ISSUED, Asset.CREDIT) == -1_000
    assert balance(OPEN, Asset.POINT) == 0
    assert balances() == {(OPEN, "CREDIT"): 1_000, (ISSUED, "CREDIT"): -1_000}
    assert number > 0
    assert verify().trial_balance == {"CREDIT": 0}


def test_many_assets_in_one_transaction_balance_each_by_itself(app: Flask) -> None:
    _post(
        "capture",
        *move(Asset.CREDIT, 700, source=ISSUED, target=OPEN),
        *move(Asset.CNY, 700, source=PAYABLE, target=RECEIVABLE),
        *move(Asset.POINT, 30, source=chart.bank_issued(), target=chart.lot_available("lot_1")),
        order_id="ord_1",
    )
    checked = verify()
    assert (checked.transactions, checked.postings) == (1, 6)
    assert checked.trial_balance == {"CREDIT": 0, "CNY": 0, "POINT": 0}
    assert checked.faults == []
    view = db.session.execute(
        text("SELECT account, asset, amount_minor, reason, order_id FROM v_ledger_postings")
    ).all()
    assert (RECEIVABLE, "CNY", 700, "test", "ord_1") in [tuple(row) for row in view]


def test_entries_of_one_account_are_joined_and_zeros_dropped(app: Flask) -> None:
    _post(
        "joined",
        Entry(OPEN, Asset.CREDIT, 30),
        Entry(OPEN, Asset.CREDIT, 70),
        Entry(ISSUED, Asset.CREDIT, -100),
        Entry(RESERVED, Asset.CREDIT, 5),
        Entry(RESERVED, Asset.CREDIT, -5),
    )
    assert _rows() == (1, 2)
    assert balance(OPEN, Asset.CREDIT) == 100


def test_moving_nothing_is_no_entry() -> None:
    assert move(Asset.CNY, 0, source=PAYABLE, target=RECEIVABLE) == []


CREDIT, CNY = Asset.CREDIT, Asset.CNY
WRONG: dict[str, tuple[list[Entry], str]] = {
    "nothing": ([], "moves something"),
    "only zeros": ([Entry(OPEN, CREDIT, 0)], "moves something"),
    "one side": ([Entry(OPEN, CREDIT, 1)], "do not sum to zero"),
    "a fen short": ([Entry(OPEN, CREDIT, 100), Entry(ISSUED, CREDIT, -99)], "do not sum to zero"),
    "across assets": ([Entry(RECEIVABLE, CNY, 5), Entry(ISSUED, CREDIT, -5)], "do not sum to zero"),
    "an unknown account": (
        [Entry("budget/bud_1/closed", CREDIT, 5), Entry(ISSUED, CREDIT, -5)],
        "the chart has no CREDIT account 'budget/bud_1/closed'",
    ),
    "an account of another asset": (
        [Entry(OPEN, CNY, 5), Entry(PAYABLE, CNY, -5)],
        "the chart has no CNY account",
    ),
    "a fraction": (
        [Entry(OPEN, CREDIT, 0.5), Entry(ISSUED, CREDIT, -0.5)],  # type: ignore[arg-type]
        "whole numbers",
    ),
    "a truth": (
        [Entry(OPEN, CREDIT, True), Entry(ISSUED, CREDIT, -1)],
        "whole numbers",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_balanced_is_not_written(app: Flask, case: str) -> None:
    entries, message = WRONG[case]
    _budget()
    before = balances()
    with pytest.raises(UnbalancedTransaction, match=message), write_transaction():
        post(key="wrong", reason="test", entries=entries)
    assert balances() == before
    db.session.rollback()
    assert _rows() == (1, 2)


def test_the_same_key_posts_once(app: Flask) -> None:
    first = _budget()
    assert _budget() == first
    # In whichever order the entries come.
    reordered = list(reversed(move(Asset.CREDIT, 1_000, source=ISSUED, target=OPEN)))
    assert _post("budget", *reordered) == first
    assert _rows() == (1, 2)
    assert balance(OPEN, Asset.CREDIT) == 1_000


@pytest.mark.parametrize(("amount", "reason"), [(1_001, "test"), (1_000, "another reason")])
def test_the_same_key_with_other_entries_is_a_conflict(
    app: Flask, amount: int, reason: str
) -> None:
    _budget()
    with pytest.raises(PostingConflict, match="'budget'"):
        _post("budget", *move(Asset.CREDIT, amount, source=ISSUED, target=OPEN), reason=reason)
    assert _rows() == (1, 2)
    assert balance(OPEN, Asset.CREDIT) == 1_000


def test_a_reversal_is_the_exact_opposite_and_names_its_origin(app: Flask) -> None:
    number = _post(
        "sale", *move(Asset.CNY, 99, source=PAYABLE, target=RECEIVABLE), order_id="ord_1"
    )
    with write_transaction():
        back = reverse(transaction_id=number, key="undo", reason="mistake")
    with write_transaction():
        assert reverse(transaction_id=number, key="undo", reason="mistake") == back
    assert back != number
    assert balance(RECEIVABLE, Asset.CNY) == balance(PAYABLE, Asset.CNY) == 0
    assert _rows() == (2, 4)
    row = db.session.execute(
        text("SELECT origin_id, order_id, reason FROM ledger_transaction WHERE id = :id"),
        {"id": back},
    ).one()
    assert tuple(row) == (number, "ord_1", "mistake")


def test_what_never_was_cannot_be_reversed(app: Flask) -> None:
    with pytest.raises(NoResultFound), write_transaction():
        reverse(transaction_id=4711, key="undo", reason="mistake")
    assert _rows() == (0, 0)


def test_balances_are_of_a_prefix_and_an_asset(app: Flask) -> None:
    _budget(10)
    _post("sale", *move(Asset.CNY, 7, source=PAYABLE, target=RECEIVABLE))
    assert balances("budget/") == {(OPEN, "CREDIT"): 10}
    assert balances("enterprise/ent_1/") == {(ISSUED, "CREDIT"): -10, (RECEIVABLE, "CNY"): 7}
    assert balances("enterprise/", asset=Asset.CNY) == {(RECEIVABLE, "CNY"): 7}
    assert balances("budget", asset=Asset.CNY) == {}
    assert balances("nobody/") == {}


def test_an_account_is_read_line_by_line(app: Flask) -> None:
    _budget(10)
    _post("sale", *move(Asset.CNY, 7, source=PAYABLE, target=RECEIVABLE), order_id="ord_1")
    _post("back", *move(Asset.CNY, 2, source=RECEIVABLE, target=PAYABLE), reason="refund")
    assert account_lines(RECEIVABLE, Asset.CNY) == [
        AccountLine("sale", "test", "ord_1", 7),
        AccountLine("back", "refund", None, -2),
    ]
    assert account_lines(RECEIVABLE, Asset.CREDIT) == []


@pytest.mark.parametrize("table", ["ledger_transaction", "ledger_posting"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = 0", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_rewrite_history(
    app: Flask, table: str, statement: str
) -> None:
    _budget()
    before = balances()
    db.session.rollback()
    column = "reason" if table == "ledger_transaction" else "amount_minor"
    sql = statement.format(table, column)
    with pytest.raises((sqlite3.IntegrityError, IntegrityError), match="append-only"):
        by_sql(sql)
    with pytest.raises(IntegrityError, match="append-only"), write_transaction():
        db.session.execute(text(sql))
    assert _rows() == (1, 2)
    assert balances() == before


@pytest.mark.parametrize("table", ["ledger_transaction", "ledger_posting"])
def test_replacing_a_row_is_refused_as_well(app: Flask, table: str) -> None:
    _budget()
    before = balances()
    with pytest.raises(IntegrityError, match="append-only"), write_transaction():
        db.session.execute(text(f"REPLACE INTO {table} SELECT * FROM {table}"))
    assert _rows() == (1, 2)
    assert balances() == before


def _drop(table: str) -> list[str]:
    return [f"DROP TRIGGER {table}_no_{verb}" for verb in ("update", "delete")]


def test_verify_names_a_changed_amount(app: Flask) -> None:
    number = _budget()
    by_sql(
        *_drop("ledger_posting"),
        f"UPDATE ledger_posting SET amount_minor = 1001 WHERE account = '{OPEN}'",
    )
    assert verify().faults == [
        "trial balance of CREDIT is 1",
        f"transaction {number} is off by 1 CREDIT",
    ]


def test_verify_names_a_lost_posting(app: Flask) -> None:
    _budget()
    sale = _post("sale", *move(Asset.CNY, 99, source=PAYABLE, target=RECEIVABLE))
    by_sql(
        *_drop("ledger_posting"),
        f"DELETE FROM ledger_posting WHERE account = '{PAYABLE}'",
    )
    checked = verify()
    assert checked.trial_balance == {"CNY": 99, "CREDIT": 0}
    assert checked.faults == ["trial balance of CNY is 99", f"transaction {sale} is off by 99 CNY"]


def test_verify_names_faults_that_cancel_out(app: Flask) -> None:
    first, second = _budget(), _post("sale", *move(CNY, 99, source=PAYABLE, target=RECEIVABLE))
    third = _post("sale2", *move(CNY, 99, source=PAYABLE, target=RECEIVABLE))
    by_sql(
        *_drop("ledger_posting"),
        f"UPDATE ledger_posting SET amount_minor = 90 WHERE transaction_id = {second} AND line = 0",
        f"UPDATE ledger_posting SET amount_minor = 108 WHERE transaction_id = {third} AND line = 0",
    )
    checked = verify()
    assert checked.trial_balance == {"CNY": 0, "CREDIT": 0}
    assert checked.faults == [
        f"transaction {second} is off by -9 CNY",
        f"transaction {third} is off by 9 CNY",
    ]
    assert first < second < third


def test_verify_names_a_transaction_without_postings(app: Flask) -> None:
    number = _budget()
    by_sql(*_drop("ledger_posting"), "DELETE FROM ledger_posting")
    assert verify().faults == [f"transaction {number} has no postings"]


def test_empty_books_are_whole(app: Flask) -> None:
    checked = verify()
    assert (checked.transactions, checked.postings, checked.trial_balance) == (0, 0, {})
    assert checked.faults == []


NAMES = {
    CREDIT: [
        chart.enterprise_issued("ent_1"),
        chart.budget_open("bud_1"),
        chart.budget_reserved("bud_1"),
        chart.lot_available("lot_1"),
        chart.lot_held("lot_1"),
        chart.enterprise_consumed("ent_1"),
        chart.enterprise_lapsed("ent_1"),
    ],
    Asset.POINT: [
        chart.bank_issued(),
        chart.lot_available("lot_1"),
        chart.lot_held("lot_1"),
        chart.bank_redeemed(),
        chart.bank_lapsed(),
    ],
    CNY: [
        chart.enterprise_receivable("ent_1"),
        chart.enterprise_prepaid("ent_1"),
        chart.bank_points_receivable(),
        chart.gateway_clearing("sandbox"),
        chart.gateway_unapplied("sandbox"),
        chart.gateway_refunds_in_transit("sandbox"),
        chart.gateway_fees("sandbox"),
        chart.funder_discount("merchant", "mer_1"),
        chart.merchant_payable("mer_1"),
        chart.platform_commission(),
        chart.platform_bank(),
    ],
}


def test_every_account_belongs_to_its_asset_alone() -> None:
    for asset, names in NAMES.items():
        assert len(set(names)) == len(names)
        for name in names:
            assert is_account(asset, name)
            for other in set(Asset) - {asset}:
                assert is_account(other, name) == (name in NAMES[other])


@given(st.text(max_size=40))
def test_no_other_text_is_an_account(text_: str) -> None:
    assert not any(is_account(asset, f"lot/{text_}/available/x") for asset in Asset)
    assert not any(is_account(asset, f"{text_}\n") for asset in Asset)


@pytest.mark.parametrize(
    "name", ["", "lot//available", "lot/a/b/held", "Lot/a/held", "lot/a/held ", "lot/a/held\n", "x"]
)
def test_near_misses_are_no_accounts(name: str) -> None:
    assert not any(is_account(asset, name) for asset in Asset)
