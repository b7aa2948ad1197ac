"""The gateway's SQLite file: one writer at a time, many readers, every commit on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from checkout.gateways.sandbox import records

R = TypeVar(
    "R",
    records.PaymentMethod,
    records.Intent,
    records.Charge,
    records.Refund,
    records.BalanceTransaction,
    records.Event,
)

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON")


class Store:
    """Opens the file and makes its tables.

    Writers queue in this process for the one connection that may write, instead of spinning on
    SQLite's lock; so one process serves one file (the server holds a lock file for that).
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = _engine(path, begin="BEGIN IMMEDIATE", size=1)
        self._reader = _engine(path, begin="BEGIN", size=8)
        with self._writer.begin() as connection:
            records.METADATA.create_all(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; commits at the end, rolls back on any exception."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction over one snapshot of the file."""
        with self._reader.begin() as connection:
            yield connection

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def _engine(path: Path, *, begin: str, size: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0 if size == 1 else 16,
        pool_timeout=20,
        connect_args={"check_same_thread": False},
    )

    def on_connect(dbapi_connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own transactions begin too late and without IMMEDIATE; ours replace them.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute("PRAGMA " + pragma)
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


# Built once: a statement with its values inside would be compiled anew for each row.
_SELECTS = {
    kind: select(table).where(table.c.id == bindparam("wanted"))
    for kind, table in records.TABLES.items()
}
_INSERTS = {kind: insert(table) for kind, table in records.TABLES.items()}
_UPDATES = {
    kind: update(table).where(table.c.id == bindparam("wanted"))
    for kind, table in records.TABLES.items()
}


def find(connection: Connection, kind: type[R], record_id: str | None) -> R | None:
    """The record of that id, or None."""
    row = connection.execute(_SELECTS[kind], {"wanted": record_id}).mappings().first()
    return None if row is None else load(kind, row)


def load(kind: type[R], row: Any) -> R:
    """A record from a row's mapping."""
    return kind(**{part.name: row[part.name] for part in fields(kind)})


def add(connection: Connection, record: records.Record) -> None:
    connection.execute(_INSERTS[type(record)], records.columns_of(record))


def save(connection: Connection, record: records.Record) -> None:
    values = records.columns_of(record) | {"wanted": record.id}
    connection.execute(_UPDATES[type(record)], values)
