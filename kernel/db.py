"""The database: one declarative base, column types, and two engines (Domain rule 29).

``read`` refuses writes. On SQLite ``write`` takes the writer's place from its first statement
(``BEGIN IMMEDIATE``), since a deferred read that turns into a write fails at once there, whatever
the time-out; on MariaDB it locks rows (ADR 0012). A session is read-only until
:func:`write_transaction` opens it: a service that writes outside of one fails loudly.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    BigInteger,
    CursorResult,
    DateTime,
    Engine,
    Executable,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    event,
)
from sqlalchemy.dialects.mysql import DATETIME as MYSQL_DATETIME
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase

from kernel.errors import ServiceUnavailable
from kernel.mariadb import engine_options, error_code, prepare_mariadb
from kernel.settings import Settings

log = structlog.get_logger(__name__)

# SQLite numbers rows by itself only for INTEGER PRIMARY KEY.
BigId = BigInteger().with_variant(Integer, "sqlite")
# MariaDB's TEXT ends at 64 KB, which 20,000 Chinese characters already fill.
LongText = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")

_BUSY_MS = 30_000
_MARIADB_DUPLICATE = 1062
_SQLITE_DUPLICATE = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, microseconds without a zone in the database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(MYSQL_DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Json(TypeDecorator[Any]):
    """A JSON document kept as text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(MEDIUMTEXT())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class RoutedSession(FlaskSession):
    """Sends every statement to the read engine, or inside a write transaction to the other."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = kwargs.get("bind")
        if bind is not None:
            return bind  # type: ignore[no-any-return]
        return self._db.engines[None if self.info.get("writing") else "read"]


db = SQLAlchemy(
    session_options={"class_": RoutedSession, "expire_on_commit": False, "autoflush": True}
)

# One writer at a time inside this process: threads queue here in order, instead of in SQLite's
# busy handler, which sleeps in growing steps and is not fair.
_sqlite_writer = threading.Lock()


class NestedWrite(RuntimeError):
    """An edge was opened inside another: the commit would come too early."""


class CommitUnknown(ServiceUnavailable):
    """The connection was lost while it committed: it may have, or not."""

    def __init__(self) -> None:
        super().__init__("数据库连接中断，不能确认操作是否已完成，请查看后再试", retry_after=2)


@contextmanager
def write_transaction() -> Iterator[None]:
    """The edge of a command: everything inside commits once, or nothing does."""
    session = db.session()
    if session.info.get("writing"):
        raise NestedWrite
    session.rollback()  # ends a read transaction that was open on the other engine
    with _sqlite_writer if db.engine.dialect.name == "sqlite" else nullcontext():
        session.info["writing"] = True
        try:
            yield
            session.flush()
            _commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info["writing"] = False


def _commit() -> None:
    session = db.session()
    try:
        session.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise CommitUnknown from error
        raise
    session.info["commits"] = commits() + 1


def commits() -> int:
    """How many write transactions this session has committed: what a retry must not do again."""
    return int(db.session().info.get("commits", 0))


@contextmanager
def read_only() -> Iterator[None]:
    """A consistent read that leaves no transaction open behind it."""
    try:
        yield
    finally:
        if not db.session().info.get("writing"):
            db.session.rollback()


def run(statement: Executable, rows: Sequence[dict[str, Any]] | None = None) -> CursorResult[Any]:
    """Run a Core statement in the session's transaction, past the ORM: the way of hot writes.

    With ``rows`` the driver prepares it once and runs it for each. Objects that the session holds
    do not hear of it.
    """
    session = db.session()
    session.flush()
    return session.connection().execute(statement, rows)


def changed_rows(statement: Executable, rows: Sequence[dict[str, Any]] | None = None) -> int:
    """Run an INSERT, UPDATE or DELETE and say how many rows it touched."""
    return run(statement, rows).rowcount


def is_duplicate(error: IntegrityError) -> bool:
    """Whether a key was there already, and not another constraint broken."""
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorname in _SQLITE_DUPLICATE
    return error_code(error.orig) == _MARIADB_DUPLICATE


def insert_once(statement: Executable, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is there; says whether it did. The transaction goes on.

    Not by INSERT IGNORE, which on MariaDB also lets pass what is too long or names nothing.
    """
    try:
        run(statement, [row])
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        return False
    return True


def init_db(app: Flask, settings: Settings) -> None:
    """Configure both engines on ``app``; creates the data folder."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "url": settings.database_url,
        "pool_size": settings.web_threads + 4,
        "max_overflow": 8,
    }
    if settings.is_sqlite:
        options["connect_args"] = {"timeout": _BUSY_MS / 1000, "check_same_thread": False}
    else:
        options |= engine_options()
    app.config["SQLALCHEMY_BINDS"] = {None: options, "read": options}
    db.init_app(app)
    app.teardown_appcontext(_let_go)
    with app.app_context():
        if settings.is_sqlite:
            prepare_sqlite(db.engines[None], begin="BEGIN IMMEDIATE", query_only=False)
            prepare_sqlite(db.engines["read"], begin="BEGIN", query_only=True)
        else:
            for name, engine in db.engines.items():
                prepare_mariadb(engine, read=name == "read")


def _let_go(_error: BaseException | None) -> None:
    """Before the library does: a session whose server is gone cannot be rolled back, and that is
    no error any more once the answer is made."""
    try:
        db.session.remove()
    except DBAPIError as error:
        log.warning("session_dropped", error=str(error.orig))
        db.session.registry.clear()


def prepare_sqlite(engine: Engine, *, begin: str, query_only: bool) -> None:
    """Durable WAL, foreign keys, and transactions that begin when we say so (Domain rule 29)."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself
        for pragma in (
            f"busy_timeout={_BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            # 16 MB of pages are copied to the file at once, so that those which every batch of an
            # import changes are copied less often.
            "wal_autocheckpoint=4000",
            "foreign_keys=ON",
            "recursive_triggers=ON",  # else REPLACE would pass by the append-only triggers
            "cache_size=-65536",
            "mmap_size=268435456",
            "temp_store=MEMORY",
            f"query_only={'ON' if query_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Straight to the driver: for the library a begin is as dear as a statement.
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(begin)
