"""Two engines, one commit at the edge (Domain rule 29)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import OperationalError, StatementError

from kernel.auth.models import Person, Tenant
from kernel.auth.policy import TenantKind
from kernel.auth.services import create_tenant
from kernel.db import (
    Json,
    NestedWrite,
    UtcDateTime,
    changed_rows,
    db,
    init_db,
    read_only,
    write_transaction,
)
from tests.factories.people import build_person
from tests.factories.surroundings import settings_of


def _tenants() -> int:
    with read_only():
        return db.session.scalar(select(func.count()).select_from(Tenant)) or 0


def _create() -> Tenant:
    return create_tenant(kind=TenantKind.BANK, name="银行", prefix="bnk")


def test_a_service_that_writes_outside_of_an_edge_fails_loudly(app: Flask) -> None:
    with pytest.raises(OperationalError, match=r"readonly|READ ONLY"):
        _create()
    db.session.rollback()
    with pytest.raises(OperationalError):
        db.session.execute(text("INSERT INTO clock_offset (id, seconds) VALUES (1, 5)"))
    db.session.rollback()
    assert _tenants() == 0
    assert db.session.scalar(text("SELECT count(*) FROM clock_offset")) == 0


def test_an_edge_commits_once(app: Flask) -> None:
    with write_transaction():
        _create()
        assert _seen_by_another_connection() == 0
    assert _seen_by_another_connection() == 1


def _seen_by_another_connection() -> int:
    with db.engines["read"].connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(Tenant)) or 0)


def _write_and_fail(error: BaseException) -> None:
    with write_transaction():
        _create()
        db.session.execute(text("INSERT INTO clock_offset (id, seconds) VALUES (1, 5)"))
        raise error


def _write_inside_a_write() -> None:
    with write_transaction():
        _create()
        with write_transaction():
            _create()


def test_an_edge_that_fails_leaves_nothing(app: Flask) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(ZeroDivisionError())
    assert _tenants() == 0
    assert db.session.scalar(text("SELECT count(*) FROM clock_offset")) == 0
    # The writer's place is free again, and the session is read-only again.
    with write_transaction():
        _create()
    assert _tenants() == 1


def test_even_a_stopped_process_leaves_nothing(app: Flask) -> None:
    with pytest.raises(KeyboardInterrupt):
        _write_and_fail(KeyboardInterrupt())
    assert _tenants() == 0


def test_an_edge_inside_an_edge_is_a_mistake_that_undoes_the_outer(app: Flask) -> None:
    with pytest.raises(NestedWrite):
        _write_inside_a_write()
    assert _tenants() == 0
    with write_transaction():
        _create()
    assert _tenants() == 1


def test_a_write_edge_ends_the_read_that_was_open(app: Flask) -> None:
    assert db.session.scalar(select(func.count()).select_from(Tenant)) == 0
    with write_transaction():
        _create()
    assert db.session.scalar(select(func.count()).select_from(Tenant)) == 1


def test_reading_inside_a_write_edge_ends_nothing(app: Flask) -> None:
    with write_transaction():
        _create()
        assert _tenants() == 1
    assert _tenants() == 1


def test_a_read_is_of_one_moment(app: Flask) -> None:
    def write() -> None:
        with app.app_context(), write_transaction():
            _create()

    assert db.session.scalar(select(func.count()).select_from(Tenant)) == 0
    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    assert db.session.scalar(select(func.count()).select_from(Tenant)) == 0
    assert _tenants() == 0  # read_only closes the old moment behind it
    assert _tenants() == 1


@pytest.mark.sqlite_only("writers of a server lock rows")
def test_writers_take_turns(app: Flask) -> None:
    inside, most = 0, 0

    def write() -> None:
        nonlocal inside, most
        with app.app_context(), write_transaction():
            inside += 1
            most = max(most, inside)
            _create()
            inside -= 1

    threads = [threading.Thread(target=write) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, _tenants()) == (1, 12)


@pytest.mark.sqlite_only("pragmas")
def test_both_engines_are_durable_and_keep_foreign_keys(app: Flask) -> None:
    for name, query_only in ((None, 0), ("read", 1)):
        with db.engines[name].connect() as connection:
            values = {
                pragma: connection.scalar(text(f"PRAGMA {pragma}"))
                for pragma in ("journal_mode", "synchronous", "foreign_keys", "query_only")
            }
        assert values == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "query_only": query_only,
        }


def test_changed_rows_counts(app: Flask) -> None:
    with write_transaction():
        _create()
        _create()
        assert changed_rows(text("UPDATE tenant SET name = 'x'")) == 2
        assert changed_rows(text("UPDATE tenant SET name = 'y' WHERE id = -1")) == 0


def test_times_are_utc_in_the_database_and_aware_in_python(app: Flask) -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=timezone(timedelta(hours=8)))
    with write_transaction():
        person = build_person()
        person.created_at = at
    db.session.expire_all()
    stored = db.session.scalar(text("SELECT created_at FROM person"))
    # One driver gives text, another a time.
    assert str(stored) == "2026-02-02 20:05:06.000789"
    back = db.session.scalars(select(Person.created_at)).one()
    assert (back, back.tzinfo) == (at, UTC)


def test_a_time_without_a_zone_is_refused(app: Flask) -> None:
    with pytest.raises(StatementError, match="a time without a zone"), write_transaction():
        build_person().created_at = datetime(2026, 1, 1)  # noqa: DTZ001 -- what is refused
    assert db.session.scalar(text("SELECT count(*) FROM person")) == 0


def test_none_is_kept_as_none(app: Flask) -> None:
    dialect = db.engine.dialect
    for kind in (UtcDateTime(), Json()):
        assert kind.process_bind_param(None, dialect) is None
        assert kind.process_result_value(None, dialect) is None


def test_json_is_kept_as_text(app: Flask) -> None:
    dialect = db.engine.dialect
    text_ = Json().process_bind_param({"名": [1, None]}, dialect)
    assert text_ == '{"名":[1,null]}'
    assert Json().process_result_value(text_, dialect) == {"名": [1, None]}


def test_other_databases_get_their_own_column_types(app: Flask) -> None:
    dialect = mysql.dialect()
    assert UtcDateTime().load_dialect_impl(dialect).compile(dialect) == "DATETIME(6)"
    assert Json().load_dialect_impl(dialect).compile(dialect) == "MEDIUMTEXT"


def test_a_statement_may_name_its_engine(app: Flask) -> None:
    engine = db.engines[None]
    insert = text("INSERT INTO clock_offset (id, seconds) VALUES (7, 5)")
    # The session reads, and still this one goes to the engine that writes.
    db.session.execute(insert, bind_arguments={"bind": engine})
    db.session.rollback()
    assert db.session.get_bind(bind=engine) is engine


def test_a_server_database_gets_no_sqlite_pragmas(app: Flask) -> None:
    other = Flask("other")
    with settings_of(database_url="mysql+pymysql://mall@127.0.0.1:1/mall") as settings:
        init_db(other, settings)
    with other.app_context():
        assert {engine.dialect.name for engine in db.engines.values()} == {"mysql"}
    for options in other.config["SQLALCHEMY_BINDS"].values():
        assert set(options["connect_args"]) == {
            "charset",
            "connect_timeout",
            "read_timeout",
            "write_timeout",
        }
