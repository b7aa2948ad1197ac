"""MariaDB through PyMySQL: what a connection is told, and how few words it takes (ADR 0012).

A transaction costs its statements and one COMMIT or ROLLBACK: the server begins by itself
(``autocommit=0``), a connection that comes back is rolled back only where something was left open,
and one is only asked whether it lives after it has rested.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

# Bytes decide, and so do spaces at the end: "a", "A", "á" and "a " are four keys, as on SQLite.
CHARSET, COLLATION = "utf8mb4", "utf8mb4_nopad_bin"

CONNECT_SECONDS = 5
# Of one statement's answer: far above any of a request's, below the patience of an operator.
READ_SECONDS = 60
# A row lock is held for milliseconds; who waits longer gives up and the command starts anew.
LOCK_WAIT_SECONDS = 5
# Older than this without use, a connection is asked whether it still lives.
_REST_SECONDS = 5.0
_RECYCLE_SECONDS = 1800
LOCK_WAIT_TIMEOUT = 1205
# A CHECK and a trigger that refuses: the driver calls them operational, as if the server were ill.
_CONSTRAINTS = frozenset({4025, 1644})

_MODES = (
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
# Writers see what is committed, statement by statement, and lock only the rows that they change.
# A reader sees one moment, and is refused every write.
_WRITE = "tx_isolation='READ-COMMITTED'"
_READ = "tx_isolation='REPEATABLE-READ', tx_read_only=1"


def engine_options() -> dict[str, Any]:
    """Options of both engines beside the sizes of their pools."""
    return {
        "connect_args": connect_args(),
        "pool_recycle": _RECYCLE_SECONDS,
        # What was left open is rolled back below; what was ended needs no second word.
        "pool_reset_on_return": None,
    }


def connect_args(*, read_seconds: int | None = READ_SECONDS) -> dict[str, Any]:
    """What PyMySQL opens a connection with."""
    return {
        "charset": CHARSET,
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": read_seconds,
        "write_timeout": read_seconds,
    }


def error_code(error: BaseException | None) -> int | None:
    """The server's number of a driver's error; None where it has none."""
    code = error.args[0] if error is not None and error.args else None
    return code if isinstance(code, int) else None


def tell_sessions(engine: Engine, *, read: bool = False) -> None:
    """Say what every new connection is for, in one statement."""
    settings = (
        f"SET SESSION {_READ if read else _WRITE}, sql_mode='{_MODES}', time_zone='+00:00', "
        f"collation_connection='{COLLATION}', innodb_lock_wait_timeout={LOCK_WAIT_SECONDS}, "
        # A long list of ids is looked up in its index: made into a table it is joined last, after
        # a scan of everything, and guessed at from old statistics it looks dearer than a scan.
        "in_predicate_conversion_threshold=0, eq_range_index_dive_limit=0"
    )

    # An event, since the library sets the names itself after the driver has connected.
    @event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: object) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(settings)


def prepare_mariadb(engine: Engine, *, read: bool) -> None:
    """Keep the connections of a pool clean and alive with as few round trips as it takes."""
    tell_sessions(engine, read=read)

    @event.listens_for(engine, "handle_error", retval=True)
    def _rename(context: ExceptionContext) -> BaseException | None:
        error = context.original_exception
        if error_code(error) not in _CONSTRAINTS:
            return None
        return IntegrityError(context.statement, context.parameters, error)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.connection.info["open"] = True

    @event.listens_for(engine, "commit")
    @event.listens_for(engine, "rollback")
    def _end(connection: Connection) -> None:
        if not connection.invalidated:  # a lost one takes its mark with it
            connection.connection.info["open"] = False

    @event.listens_for(engine, "reset")
    def _reset(
        connection: DBAPIConnection, record: ConnectionPoolEntry, state: PoolResetState
    ) -> None:
        if record.info.pop("open", False) and not state.terminate_only:
            connection.rollback()

    @event.listens_for(engine, "checkin")
    def _checkin(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _checkout(connection: DBAPIConnection, record: ConnectionPoolEntry, _fairy: object) -> None:
        since = record.info.get("rests_since")
        if since is None or time.monotonic() - since < _REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            # The pool opens another one, and lets go of all that are as old as this one.
            raise DisconnectionError from error
