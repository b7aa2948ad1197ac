"""Statements recorded as the driver got them, to be sent again without our code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from app.bench.figures import Lap, timed_ms

_BEGIN, _COMMIT, _ROLLBACK = "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement as the driver got it; with ``many``, parameters are a list of rows."""

    statement: str
    parameters: Any
    many: bool


@dataclass
class Recorder:
    """Every statement that an engine sends, in order, transactions included."""

    sent: list[Sent] = field(default_factory=list)

    def take(self) -> list[Sent]:
        """What was sent since the last time."""
        taken, self.sent = self.sent, []
        return taken


@contextmanager
def recording(engine: Engine) -> Iterator[Recorder]:
    """Record what ``engine`` sends inside the block: one list entry a statement, no more."""
    recorder = Recorder()

    def on_execute(
        _connection: Connection,
        _cursor: object,
        statement: str,
        parameters: Any,
        _context: object,
        many: bool,
    ) -> None:
        if not statement.startswith(_BEGIN):
            recorder.sent.append(Sent(statement, parameters, many))

    def on_begin(_connection: Connection) -> None:
        # The product may send it past the library, which then does not tell of it; MariaDB
        # begins by itself.
        if engine.dialect.name == "sqlite":
            recorder.sent.append(Sent(_BEGIN, (), False))

    def on_commit(_connection: Connection) -> None:
        recorder.sent.append(Sent(_COMMIT, (), False))

    def on_rollback(_connection: Connection) -> None:
        recorder.sent.append(Sent(_ROLLBACK, (), False))

    listeners = (
        ("before_cursor_execute", on_execute),
        ("begin", on_begin),
        ("commit", on_commit),
        ("rollback", on_rollback),
    )
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield recorder
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


def replay(connection: Any, sent: Sequence[Sent]) -> int:
    """Send the statements one by one and read what they answer. Returns the transactions."""
    transactions = 0
    with closing(connection.cursor()) as cursor:
        for one in sent:
            if one.many:
                cursor.executemany(one.statement, one.parameters)
            else:
                cursor.execute(one.statement, one.parameters)
                cursor.fetchall()
            transactions += one.statement == _COMMIT
    return transactions


def bare_lap(recorder: Recorder, connection: Any, count: int) -> Lap:
    """Send what was recorded since the last time, which was ``count`` operations of ours."""
    sent = recorder.take()
    return Lap(count, timed_ms(lambda: replay(connection, sent)) / 1_000)
