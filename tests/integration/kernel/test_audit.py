"""Whatever was done to the log past its triggers is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kernel import clock
from kernel.audit import services as audit
from kernel.audit.models import AuditEntry
from kernel.db import db, write_transaction
from tests.databases import by_sql
from tests.factories.surroundings import settings_of

_UNLOCK = ("DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete")
_COLUMNS = "at, actor, action, subject, details, digest"


@pytest.fixture
def log(app: Flask) -> Flask:
    """Five entries, in three transactions."""
    for numbers in ((1, 2), (3,), (4, 5)):
        with write_transaction():
            for number in numbers:
                audit.record(
                    actor=f"usr_{number}",
                    action="phone.unmasked",
                    subject=f"ord_{number}",
                    details={"reason": "配送", "n": number},
                )
    return app


def _by_sql(*statements: str) -> None:
    by_sql(*_UNLOCK, *statements)


def test_a_whole_log_has_nothing_to_say(log: Flask) -> None:
    assert audit.verify() is None


def test_an_empty_log_is_whole(app: Flask) -> None:
    assert audit.verify() is None


def test_an_entry_is_kept_as_it_was_said(app: Flask) -> None:
    at = datetime(2026, 5, 1, 8, tzinfo=UTC)
    with clock.frozen(at), write_transaction():
        assert audit.record(actor="usr_1", action="sign_in", subject="usr_1") == 1
        assert audit.record(actor="usr_2", action="a", subject="b", details={"c": [1]}) == 2
    first, second = db.session.query(AuditEntry).order_by(AuditEntry.number)
    assert (first.at, first.actor, first.action, first.subject, first.details) == (
        at,
        "usr_1",
        "sign_in",
        "usr_1",
        {},
    )
    assert second.details == {"c": [1]}
    assert first.digest != second.digest


def test_an_entry_goes_with_its_transaction(log: Flask) -> None:
    with pytest.raises(LookupError):
        _record_and_fail()
    assert db.session.scalar(text("SELECT count(*) FROM audit_entry")) == 5
    assert audit.verify() is None
    db.session.rollback()
    with write_transaction():
        assert audit.record(actor="usr_9", action="a", subject="b") == 6
    assert audit.verify() is None


def _record_and_fail() -> None:
    with write_transaction():
        audit.record(actor="usr_9", action="a", subject="b")
        raise LookupError


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'usr_9'",
        "DELETE FROM audit_entry",
        "REPLACE INTO audit_entry SELECT * FROM audit_entry",
    ],
)
def test_the_database_refuses_to_rewrite_the_log(log: Flask, statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), write_transaction():
        db.session.execute(text(statement))
    assert audit.verify() is None


@pytest.mark.parametrize("column", _COLUMNS.split(", "))
@pytest.mark.parametrize("number", [1, 3, 5])
def test_an_edited_row_is_named(log: Flask, number: int, column: str) -> None:
    value = {"at": "2020-01-01 00:00:00.000000", "details": '{"n":0}', "digest": "0" * 64}
    _by_sql(f"UPDATE audit_entry SET {column} = '{value.get(column, 'x')}' WHERE number = {number}")
    assert audit.verify() == f"row {number} was changed or moved"


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_deleted_row_is_named(log: Flask, number: int) -> None:
    _by_sql(f"DELETE FROM audit_entry WHERE number = {number}")
    assert audit.verify() == f"row {number} was removed or moved (row {number + 1} follows)"


def test_closing_the_gap_of_a_deleted_row_is_noticed(log: Flask) -> None:
    _by_sql(
        "DELETE FROM audit_entry WHERE number = 2",
        "UPDATE audit_entry SET number = number - 1 WHERE number > 2",
        "UPDATE audit_head SET number = 4",
    )
    assert audit.verify() == "row 2 was changed or moved"


def test_two_rows_that_changed_places_are_named(log: Flask) -> None:
    _by_sql(
        "UPDATE audit_entry SET number = 99 WHERE number = 2",
        "UPDATE audit_entry SET number = 2 WHERE number = 3",
        "UPDATE audit_entry SET number = 3 WHERE number = 99",
    )
    assert audit.verify() == "row 2 was changed or moved"


@pytest.mark.parametrize("last", [4, 1, 0])
def test_a_tail_that_was_cut_off_is_named(log: Flask, last: int) -> None:
    _by_sql(f"DELETE FROM audit_entry WHERE number > {last}")
    assert audit.verify() == f"the log was cut off after row {last}; row {last + 1} is missing"


def test_a_head_that_was_moved_back_with_the_tail_is_noticed(log: Flask) -> None:
    _by_sql(
        "DELETE FROM audit_entry WHERE number > 3",
        "UPDATE audit_head SET number = 3,"
        " digest = (SELECT digest FROM audit_entry WHERE number = 3)",
    )
    assert audit.verify() == "the head was changed"


def test_a_missing_head_is_noticed(log: Flask) -> None:
    _by_sql("DELETE FROM audit_head")
    assert audit.verify() == "the head is missing; the log ends at row 5"


def test_a_row_that_was_added_by_hand_is_named(log: Flask) -> None:
    _by_sql(f"INSERT INTO audit_entry SELECT 6, {_COLUMNS} FROM audit_entry WHERE number = 5")
    assert audit.verify() == "row 6 was changed or moved"


def test_a_head_of_another_end_is_noticed(log: Flask) -> None:
    with write_transaction():
        before = db.session.execute(text("SELECT number, digest, seal FROM audit_head")).one()
        audit.record(actor="usr_6", action="a", subject="b")
    _by_sql(f"UPDATE audit_head SET number = 5, digest = '{before.digest}', seal = '{before.seal}'")
    # The old head's seal is genuine, but the log goes on after it.
    assert audit.verify() is not None


def test_the_chain_hangs_on_the_secret_key(log: Flask) -> None:
    with settings_of(secret_key="another"):
        assert audit.verify() == "row 1 was changed or moved"


def test_a_long_log_is_read_in_pages(log: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PAGE", 2)
    assert audit.verify() is None
    db.session.rollback()
    _by_sql("UPDATE audit_entry SET action = 'x' WHERE number = 5")
    assert audit.verify() == "row 5 was changed or moved"
