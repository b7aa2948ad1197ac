"""The database of a test process: a file, or one on the server that the environment names.

The schema is built once by the migrations. Before each test a file is copied; on a server only the
tables that got rows are emptied, and what the migrations had put into them is put back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from app import migrate
from kernel.db import db
from kernel.mariadb import prepare_mariadb, tell_sessions

# Triggers refuse DELETE on the first three; tests of the outbox count its rows from one.
_TRUNCATED = ("ledger_posting", "ledger_transaction", "audit_entry", "outbox")
_VERSION = "alembic_version"


def worker() -> str:
    """Which of the parallel test processes this is."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def server_url() -> URL | None:
    """Where the environment says that a database server is; None: run on SQLite."""
    named = os.environ.get("MALL_DATABASE_URL", "")
    return make_url(named) if named and not named.startswith("sqlite") else None


def _on_server(server: URL, *statements: str) -> None:
    engine = create_engine(server._replace(database=None), poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def url_of(server: URL, name: str) -> str:
    return server.set(database=name).render_as_string(hide_password=False)


def create_database(server: URL, name: str) -> None:
    """A new, empty database on the server, in the place of an older one of that name."""
    drop_database(server, name)
    _on_server(server, f"CREATE DATABASE `{name}`")


def drop_database(server: URL, name: str) -> None:
    _on_server(server, f"DROP DATABASE IF EXISTS `{name}`")


class Database(Protocol):
    """Call its methods inside an application context, between transactions."""

    def keep(self) -> Any:
        """All that is in it now, for :meth:`put_back`."""

    def put_back(self, kept: Any = None) -> None:
        """Make it what it was after the migrations, or what was kept."""

    def close(self) -> None:
        """The session is over."""


def close_engines() -> None:
    for engine in db.engines.values():
        engine.dispose()


class SqliteDatabase:
    """A file that is replaced by a copy."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._numbers = count()
        self._template = self.keep()

    def keep(self) -> Path:
        target = self._file.with_name(f"kept-{next(self._numbers)}.db")
        with closing(sqlite3.connect(self._file)) as source, closing(sqlite3.connect(target)) as to:
            source.backup(to)
        return target

    def put_back(self, kept: Path | None = None) -> None:
        close_engines()
        # A new file, never the old one written over: a connection that a command line of this
        # process left open goes on with what it had, and harms nobody.
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
        shutil.copy(kept or self._template, self._file)

    def close(self) -> None:
        """Its folder goes when the session ends."""


Rows = dict[str, list[dict[str, Any]]]


class ServerDatabase:
    """Tables that are emptied and filled again."""

    def __init__(self) -> None:
        self._url = db.engine.url
        # A connection of its own, which no test waits for and no pool of the product closes.
        self._engine = create_engine(self._url, pool_size=1, pool_pre_ping=True)
        tell_sessions(self._engine)
        self._look()

    def _look(self) -> None:
        with self._engine.connect() as connection:
            tables = connection.scalars(
                text(
                    "SELECT table_name FROM information_schema.tables "
                    "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
                )
            )
            self._tables = sorted(set(tables) - {_VERSION})
            columns = connection.execute(
                text(
                    "SELECT table_name, column_name FROM information_schema.columns "
                    "WHERE table_schema = DATABASE() AND is_generated = 'ALWAYS'"
                )
            )
            self._generated = set(columns.tuples())
        self._filled = text(
            " UNION ALL ".join(
                f"SELECT '{name}' FROM DUAL WHERE EXISTS (SELECT 1 FROM `{name}`)"
                for name in self._tables
            )
        )
        self._template = self.keep()

    def keep(self) -> Rows:
        with self._engine.connect() as connection:
            kept = {}
            for name in connection.scalars(self._filled).all():
                rows = connection.execute(text(f"SELECT * FROM `{name}`"))
                columns = list(rows.keys())
                given = [key for key in columns if (name, key) not in self._generated]
                kept[name] = [{key: row[key] for key in given} for row in rows.mappings()]
            return kept

    def put_back(self, kept: Rows | None = None) -> None:
        """A schema that a test has broken is built anew."""
        try:
            self._refill(self._template if kept is None else kept)
        except ProgrammingError:
            self._engine.dispose()
            close_engines()
            create_database(self._url, str(self._url.database))
            migrate.upgrade()
            self._look()

    def _refill(self, kept: Rows) -> None:
        with self._engine.begin() as connection:
            filled = connection.scalars(self._filled).all()
            if not filled and not kept:
                return
            connection.exec_driver_sql("SET foreign_key_checks = 0")
            for name in filled:
                verb = "TRUNCATE" if name in _TRUNCATED else "DELETE FROM"
                connection.exec_driver_sql(f"{verb} `{name}`")
            for name, rows in kept.items():
                _insert(connection, name, rows)
            connection.exec_driver_sql("SET foreign_key_checks = 1")

    def close(self) -> None:
        self._engine.dispose()
        drop_database(self._url, str(self._url.database))


def _insert(connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    columns = ", ".join(f"`{column}`" for column in rows[0])
    values = ", ".join(f":{column}" for column in rows[0])
    connection.execute(text(f"INSERT INTO `{name}` ({columns}) VALUES ({values})"), rows)


def by_sql(*statements: str) -> None:
    """What somebody with the database and a tool could do, past the product.

    Call it inside an application context. On a server a dropped trigger comes back afterwards,
    since the next test runs on the same tables.
    """
    if db.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(str(db.engine.url.database))) as file, file:
            for statement in statements:
                file.execute(statement)
        return
    engine = create_engine(db.engine.url, poolclass=NullPool)
    prepare_mariadb(engine, read=False)
    with engine.connect() as connection:
        dropped = [
            connection.execute(text(f"SHOW CREATE TRIGGER {statement.split()[-1]}")).all()[0][2]
            for statement in statements
            if statement.startswith("DROP TRIGGER")
        ]
        connection.rollback()
        try:
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()
        finally:
            with closing(connection.connection.cursor()) as cursor:
                for definition in dropped:
                    cursor.execute(definition)  # past the driver's own reading of % signs
