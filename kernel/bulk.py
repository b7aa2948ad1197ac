"""Many rows in few statements, on every database.

SQLite's driver runs one prepared statement for each row, without a round trip; it is given the
values as they go into the file, since SQLAlchemy's own binding takes as long as the inserts. A
driver that speaks to a server would send each UPDATE by itself and writes INSERTs slowly, so there
one statement carries all rows: literals for an INSERT, one JSON document joined as a table for an
UPDATE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, Dialect, Table
from sqlalchemy.dialects import sqlite

from kernel.db import db, run
from kernel.mariadb import CHARSET, COLLATION

Rows = Sequence[dict[str, Any]]
# A statement stays well below the server's max_allowed_packet of 16 MB, whatever the rows.
_MOST_ROWS = 1000


def insert_rows(table: Table, rows: Rows) -> None:
    """Insert rows that all have the same columns."""
    if not rows:
        return
    if _is_sqlite():
        _insert_each(table, rows)
        return
    for start in range(0, len(rows), _MOST_ROWS):
        _send(_insert_text(table, rows[start : start + _MOST_ROWS]))


def insert_new_rows(table: Table, rows: Rows) -> None:
    """Insert rows, without those whose unique values another transaction has just made."""
    if not rows:
        return
    if _is_sqlite():
        run(sqlite.insert(table).on_conflict_do_nothing(), rows)
        return
    for start in range(0, len(rows), _MOST_ROWS):
        text = _insert_text(table, rows[start : start + _MOST_ROWS])
        # Not INSERT IGNORE, which also lets pass what is too long.
        _send(f"{text} ON DUPLICATE KEY UPDATE `id` = `id`")


def insert_with_ids(table: Table, rows: Rows) -> dict[str, int]:
    """Insert rows that name their ``public_id``; returns the ids that the database gave them."""
    made: dict[str, int] = {}
    if rows and _is_sqlite():
        # What it would number them itself; nobody else writes in this transaction.
        (last,) = _send(f"SELECT coalesce(max(id), 0) FROM {_name(table.name)}").one()  # noqa: S608
        numbered = [{"id": last + n, **row} for n, row in enumerate(rows, 1)]
        _insert_each(table, numbered)
        return {row["public_id"]: row["id"] for row in numbered}
    for start in range(0, len(rows), _MOST_ROWS):
        text = _insert_text(table, rows[start : start + _MOST_ROWS])
        made.update(_send(f"{text} RETURNING public_id, id").tuples().all())
    return made


def update_rows(table: Table, rows: Rows, *, key: Sequence[str] = ("id",)) -> None:
    """Set the other columns of each row where its ``key`` is; rows are locked in their order."""
    if not rows:
        return
    names = [name for name in rows[0] if name not in key]
    if _is_sqlite():
        settings = ", ".join(f"{_name(name)} = ?" for name in names)
        where = " AND ".join(f"{_name(name)} = ?" for name in key)
        change = f"UPDATE {_name(table.name)} SET {settings} WHERE {where}"  # noqa: S608 -- quoted
        _send_each(change, _parameters(table, [*names, *key], rows))
        return
    for start in range(0, len(rows), _MOST_ROWS):
        _send(_update_text(table, rows[start : start + _MOST_ROWS], key, names))


def _is_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


def _name(text: str) -> str:
    return f"`{text}`"


def _insert_each(table: Table, rows: Rows) -> None:
    names = list(rows[0])
    columns, marks = ", ".join(map(_name, names)), ", ".join("?" * len(names))
    insert = f"INSERT INTO {_name(table.name)} ({columns}) VALUES ({marks})"  # noqa: S608 -- quoted
    _send_each(insert, _parameters(table, names, rows))


def _parameters(table: Table, names: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    """The rows' values in this order, as the driver takes them."""
    columns = []
    for name, encode in zip(names, _encoders(table, names), strict=True):
        values = [row[name] for row in rows]
        if encode is not None:
            first = values[0]
            if all(value is first for value in values):  # a time is that of the whole batch
                values = [encode(first)] * len(values)
            else:
                values = [encode(value) for value in values]
        columns.append(values)
    return list(zip(*columns, strict=True))


def _send_each(text: str, parameters: list[tuple[Any, ...]]) -> None:
    session = db.session()
    session.flush()
    session.connection().exec_driver_sql(text, parameters)


def _send(text: str) -> Any:
    session = db.session()
    session.flush()
    # The driver reads % as the mark of a parameter.
    return session.connection().exec_driver_sql(text.replace("%", "%%"))


def _encoders(table: Table, names: Sequence[str]) -> list[Callable[[Any], Any] | None]:
    dialect = db.engine.dialect
    return [_encoder(table.c[name], dialect) for name in names]


def _encoder(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _insert_text(table: Table, rows: Rows) -> str:
    names = list(rows[0])
    encoders = list(zip(names, _encoders(table, names), strict=True))
    lines = [
        ",".join(
            [
                _literal(row[name] if encode is None else encode(row[name]))
                for name, encode in encoders
            ]
        )
        for row in rows
    ]
    columns = ", ".join(map(_name, names))
    values = "),(".join(lines)
    return f"INSERT INTO {_name(table.name)} ({columns}) VALUES ({values})"  # noqa: S608 -- quoted above


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return _quoted(value.isoformat(" ") if isinstance(value, datetime) else value)


def _quoted(text: str) -> str:
    """Safe in utf8mb4 and in the SQL modes that every connection is told (``kernel/mariadb.py``).

    Raises AttributeError for what is no text: nothing is guessed about other types.
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _update_text(table: Table, rows: Rows, key: Sequence[str], names: Sequence[str]) -> str:
    given = [*key, *names]
    encoders = list(zip(given, _encoders(table, given), strict=True))
    document = orjson.dumps(
        [
            [row[name] if encode is None else encode(row[name]) for name, encode in encoders]
            for row in rows
        ]
    ).decode()
    columns = ", ".join(
        f"`{name}` {_type(table.c[name])} PATH '$[{place}]'" for place, name in enumerate(given)
    )
    # The document goes first and in its order: each of its rows is then one look-up by the key.
    same = " AND ".join(f"kept.`{name}` = given.`{name}`" for name in key)
    values = ", ".join(f"kept.`{name}` = given.`{name}`" for name in names)
    rows_given = f"JSON_TABLE({_quoted(document)}, '$[*]' COLUMNS ({columns})) AS given"
    change = f"STRAIGHT_JOIN `{table.name}` AS kept ON {same} SET {values}"
    return f"UPDATE {rows_given} {change}"


def _type(column: Column[Any]) -> str:
    name = column.type.compile(db.engine.dialect)
    texts = ("VARCHAR", "TEXT", "MEDIUMTEXT")
    is_text = name.startswith(texts)
    return f"{name} CHARACTER SET {CHARSET} COLLATE {COLLATION}" if is_text else name
