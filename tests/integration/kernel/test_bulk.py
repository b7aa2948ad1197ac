"""Many rows at once: what was said is what is there, on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import Table, select
from sqlalchemy.exc import DBAPIError

from kernel.auth.models import Person, Tenant
from kernel.bulk import insert_new_rows, insert_rows, insert_with_ids, update_rows
from kernel.db import db, write_transaction
from kernel.outbox import OutboxRow

TENANT = cast("Table", Tenant.__table__)
PERSON = cast("Table", Person.__table__)
OUTBOX = cast("Table", OutboxRow.__table__)
AT = datetime(2026, 5, 1, 8, 30, 0, 123456, tzinfo=UTC)

NASTY = [
    "'; DROP TABLE tenant; --",
    'back\\slash \\" quote " and \\\' both',
    "100% %s %(x)s %%",
    "换行\n制表\t回车\r空\x00尾 ",
    "表情🎁与①",
    "",
    ":name ? $1 {}",
    "\\",
]


def _tenants(names: list[str]) -> list[dict[str, Any]]:
    return [{"public_id": f"bnk_{n}", "kind": "bank", "name": name} for n, name in enumerate(names)]


def _names() -> list[str]:
    found = db.session.scalars(select(TENANT.c.name).order_by(TENANT.c.id)).all()
    db.session.rollback()
    return list(found)


def test_any_text_is_kept_as_it_is(app: Flask) -> None:
    with write_transaction():
        insert_rows(TENANT, _tenants(NASTY))
    assert _names() == NASTY


def test_any_text_is_set_as_it_is(app: Flask) -> None:
    with write_transaction():
        ids = insert_with_ids(TENANT, _tenants(["x"] * len(NASTY)))
        changes = [{"id": ids[f"bnk_{n}"], "name": text} for n, text in enumerate(NASTY)]
        update_rows(TENANT, changes[::-1])
    assert _names() == NASTY


def test_ids_are_those_of_their_rows(app: Flask) -> None:
    with write_transaction():
        ids = insert_with_ids(TENANT, _tenants([f"名{n}" for n in range(2500)]))
    assert len(ids) == 2500
    kept = db.session.execute(select(TENANT.c.public_id, TENANT.c.id)).tuples().all()
    assert ids == dict(kept)


def test_ids_go_on_after_those_that_are_there(app: Flask) -> None:
    with write_transaction():
        insert_rows(TENANT, _tenants(["甲", "乙"]))
        ids = insert_with_ids(TENANT, [{"public_id": "bnk_x", "kind": "bank", "name": "丙"}])
        insert_rows(TENANT, [{"public_id": "bnk_y", "kind": "bank", "name": "丁"}])
    assert _names() == ["甲", "乙", "丙", "丁"]
    found = db.session.scalars(select(TENANT.c.id).where(TENANT.c.public_id == "bnk_x")).all()
    db.session.rollback()
    assert ids == {"bnk_x": found[0]}


def test_times_json_numbers_and_nothing(app: Flask) -> None:
    row = {
        "event": "e",
        "task": "t",
        "lane": "money",
        "payload": {"名": ["a'b\\", 1, None]},
        "state": "pending",
        "attempts": 3,
        "created_at": AT,
        "due_at": AT,
        "done_at": None,
        "last_error": None,
    }
    with write_transaction():
        insert_rows(OUTBOX, [row, row | {"attempts": 4, "done_at": AT}])
    first, second = db.session.scalars(select(OutboxRow).order_by(OutboxRow.id)).all()
    assert {name: getattr(first, name) for name in row} == row
    assert (second.attempts, second.done_at) == (4, AT)
    number = second.id
    db.session.rollback()
    with write_transaction():
        change = {"id": number, "payload": {"é": "%"}, "done_at": None, "due_at": AT.replace(day=2)}
        update_rows(OUTBOX, [change])
    db.session.expire_all()
    second = db.session.get_one(OutboxRow, number)
    assert {name: getattr(second, name) for name in change} == change


def test_a_key_of_two_columns_in_any_case(app: Flask) -> None:
    with write_transaction():
        insert_rows(TENANT, _tenants(["甲", "甲", "乙"]))
        rows = [{"public_id": "bnk_1", "kind": "bank", "name": "丙"}]
        update_rows(TENANT, rows, key=("public_id", "kind"))
        update_rows(TENANT, [{"public_id": "BNK_2", "name": "丁"}], key=("public_id",))
    assert _names() == ["甲", "丙", "乙"]


def test_one_bad_row_fails_them_all(app: Flask) -> None:
    with pytest.raises(DBAPIError), write_transaction():
        insert_rows(TENANT, [*_tenants(["甲"]), *_tenants(["乙"])])
    assert _names() == []


def test_no_rows_are_no_statement(app: Flask) -> None:
    insert_rows(TENANT, [])
    assert insert_with_ids(TENANT, []) == {}
    update_rows(TENANT, [])


@pytest.mark.server_only("literals are written for servers")
def test_what_is_no_known_kind_is_refused(app: Flask) -> None:
    with pytest.raises(AttributeError), write_transaction():
        insert_rows(TENANT, [{"public_id": "a", "kind": "bank", "name": 1.5}])


def test_rows_that_are_there_already_are_left_as_they_are(app: Flask) -> None:
    with write_transaction():
        insert_rows(TENANT, _tenants(NASTY[:1]))
    again = [{**row, "name": f"{row['name']} 二"} for row in _tenants(NASTY)]

    with write_transaction():
        insert_new_rows(TENANT, again)
        insert_new_rows(TENANT, [])

    assert _names() == [NASTY[0], *(f"{name} 二" for name in NASTY[1:])]
    with pytest.raises(DBAPIError), write_transaction():
        insert_new_rows(TENANT, [{"public_id": "bnk_none", "kind": "bank", "name": None}])
    assert len(_names()) == len(NASTY)
