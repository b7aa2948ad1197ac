"""What a server's connections are told, what is equal there, and how many words are exchanged."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql.connections
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app import migrate
from kernel.audit import services as audit
from kernel.auth.models import Person, Tenant
from kernel.db import db, insert_once, read_only, write_transaction
from kernel.idempotency import Answer, begin
from tests.databases import Database, by_sql
from tests.factories.people import build_person
from tests.integration.kernel.test_idempotency import effect, keys, scope

pytestmark = pytest.mark.server_only("about a server and its connections")


@contextmanager
def _words(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Everything that is sent to the server meanwhile: one entry is one round trip."""
    sent: list[str] = []
    driver: Any = pymysql.connections.Connection
    send = driver._execute_command

    def note(self: Any, command: int, sql: str | bytes) -> Any:
        words = sql if isinstance(sql, str) else sql.decode(errors="replace")
        sent.append(words.split(None, 1)[0] if words else "PING")
        return send(self, command, sql)

    with monkeypatch.context() as patch:
        patch.setattr(driver, "_execute_command", note)
        yield sent


def test_a_transaction_is_its_statements_and_one_commit(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write_transaction():
        build_person()  # the connections are there
    with read_only():
        db.session.scalar(select(Person.id))
    with _words(monkeypatch) as sent:
        with write_transaction():
            db.session.execute(text("UPDATE person SET name = '甲'"))
            db.session.execute(text("UPDATE person SET name = '乙'"))
        with read_only():
            db.session.scalar(select(Person.id))
            db.session.scalar(select(Person.name))
        with db.engines["read"].connect() as connection:
            connection.scalar(select(Person.id))
    assert sent == [
        *("UPDATE", "UPDATE", "COMMIT"),
        *("SELECT", "SELECT", "ROLLBACK"),
        *("SELECT", "ROLLBACK"),
    ]


def test_what_a_connection_left_open_is_undone(app: Flask) -> None:
    """A connection that nobody closed comes back by itself, and without its transaction."""
    connection = db.engine.connect()
    connection.execute(text("INSERT INTO clock_offset (id, seconds) VALUES (3, 3)"))
    del connection
    gc.collect()
    with write_transaction():
        insert = text("INSERT INTO clock_offset (id, seconds) VALUES (3, 4)")
        db.session.execute(insert)  # would wait for its lock
    assert db.session.scalar(text("SELECT seconds FROM clock_offset")) == 4


@pytest.mark.parametrize(
    ("engine", "expected"),
    [(None, ("READ-COMMITTED", 0)), ("read", ("REPEATABLE-READ", 1))],
)
def test_sessions_are_told_what_they_are_for(
    app: Flask, engine: str | None, expected: tuple[str, int]
) -> None:
    with db.engines[engine].connect() as connection:
        names = "@@tx_isolation, @@tx_read_only, @@time_zone, @@autocommit, @@sql_mode"
        row = connection.execute(text(f"SELECT {names}")).one()
    assert (row[0], row[1]) == expected
    assert (row[2], row[3]) == ("+00:00", 0)
    assert "STRICT_ALL_TABLES" in row[4]


def test_a_lock_is_a_commands_matter(app: Flask) -> None:
    with pytest.raises(OperationalError, match="READ ONLY"):
        db.session.execute(select(Person.id).with_for_update())
    db.session.rollback()


def test_equal_is_equal_byte_for_byte(app: Flask) -> None:
    names = ["key", "Key", "kéy", "key ", "ｋey"]
    for name in names:
        assert isinstance(begin(scope(key=name), effect), Answer)
    assert sorted(key for key, _ in keys()) == sorted(names)
    with write_transaction():
        for name in names:
            db.session.add(Tenant(public_id=name, kind="x", name="银行"))
    assert db.session.scalars(select(Tenant.name).where(Tenant.public_id == "KEY")).all() == []
    found = db.session.scalars(
        select(Tenant.public_id).where(Tenant.kind == "x").order_by(Tenant.public_id)
    ).all()
    assert found == sorted(names)  # as Python sorts, and SQLite


def test_every_table_and_text_column_has_the_one_collation(app: Flask) -> None:
    query = text(
        "SELECT DISTINCT collation_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND collation_name IS NOT NULL"
        " AND table_name <> 'alembic_version'"
    )
    assert db.session.scalars(query).all() == ["utf8mb4_nopad_bin"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stock SET held = held + 1",  # a CHECK: nothing is on hand
        "DELETE FROM audit_entry",  # a trigger
    ],
)
def test_a_check_and_a_trigger_refuse_as_constraints(app: Flask, statement: str) -> None:
    """Not as an illness of the server, which would be tried again and answered by 503."""
    by_sql("SET foreign_key_checks = 0", "INSERT INTO stock VALUES (1, 0, 0, 0)")
    with write_transaction():
        audit.record(actor="usr_1", action="a", subject="b")
    with pytest.raises(IntegrityError), write_transaction():
        db.session.execute(text(statement))


def test_a_key_that_is_there_is_told_and_the_transaction_goes_on(app: Flask) -> None:
    insert = text("INSERT INTO clock_offset (id, seconds) VALUES (:id, 1)")
    with write_transaction():
        assert [insert_once(insert, {"id": number}) for number in (1, 2, 1)] == [True, True, False]
    assert db.session.scalar(text("SELECT count(*) FROM clock_offset")) == 2
    db.session.rollback()
    missing = text("INSERT INTO address (person_id) VALUES (:id)")
    with pytest.raises((IntegrityError, OperationalError)), write_transaction():
        insert_once(missing, {"id": 77})


def test_text_that_is_too_long_is_refused_not_cut(app: Flask) -> None:
    with pytest.raises(Exception, match="too long"), write_transaction():
        build_person(name="名" * 81)


def test_writers_lock_rows_not_each_other(app: Flask) -> None:
    inside = threading.Barrier(2)

    def write(number: int) -> None:
        with app.app_context(), write_transaction():
            db.session.execute(
                text("INSERT INTO clock_offset (id, seconds) VALUES (:id, 0)"), {"id": number}
            )
            inside.wait(10)  # both are in their transactions at once

    threads = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.session.scalar(text("SELECT count(*) FROM clock_offset")) == 2


def test_a_migration_that_breaks_says_what_it_leaves(app: Flask, database: Database) -> None:
    migrate.downgrade("0002")
    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lot ADD COLUMN lapses_at INT")
    # Its first statement is done and stays, its second fails.
    with pytest.raises(migrate.HalfMigrated, match="migration after 0002 broke half-way"):
        migrate.upgrade()
    assert migrate.current_revision() == "0002"
    with db.engine.begin() as connection:
        indexes = connection.exec_driver_sql("SHOW INDEX FROM lot").mappings().all()
        assert "ix_lot_expires_at_available" not in {row["Key_name"] for row in indexes}
        connection.exec_driver_sql("DROP TABLE feed_last_row")  # the fixture builds it all anew
    database.put_back()
    assert migrate.is_current()
