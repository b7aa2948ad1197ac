"""Bring the database to the newest schema, or say that it is not there.

On SQLite all missing migrations are one transaction: a broken one leaves nothing. MariaDB commits
each statement that changes the schema by itself, so a broken one leaves what it did before it
broke, under the number of the one before; :class:`HalfMigrated` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from kernel.db import db
from kernel.mariadb import connect_args, tell_sessions

_SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
# How long a second process waits for the one that migrates.
_PATIENCE_SECONDS = 600


class HalfMigrated(RuntimeError):
    """A migration broke on a database that cannot take its first statements back."""


class BeingMigrated(RuntimeError):
    """Another process migrates this database, and does not come to an end."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


@contextmanager
def _connected() -> Iterator[Connection]:
    """A connection for migrations: in one transaction on SQLite; else alone, with no time limit."""
    if db.engine.dialect.name == "sqlite":
        with db.engine.begin() as connection:
            yield connection
        return
    arguments = connect_args(read_seconds=None)
    engine = create_engine(db.engine.url, poolclass=NullPool, connect_args=arguments)
    tell_sessions(engine)
    with engine.connect() as connection:
        name = f"fuman migrations of {engine.url.database}"[:64]
        lock = text("SELECT GET_LOCK(:name, :seconds)")
        if connection.scalar(lock, {"name": name, "seconds": _PATIENCE_SECONDS}) != 1:
            raise BeingMigrated(str(engine.url.database))
        connection.commit()  # the lock is the connection's and ends with it
        try:
            yield connection
        except DBAPIError as error:
            connection.rollback()
            reached = MigrationContext.configure(connection).get_current_revision()
            raise HalfMigrated(
                f"the migration after {reached or 'nothing'} broke half-way: what it did before "
                "stays. Restore the backup that was made before it, or undo by hand what its file "
                "did, then migrate again."
            ) from error


def upgrade(revision: str = "head") -> None:
    """Run the missing migrations. Raises :class:`HalfMigrated` where one broke on MariaDB."""
    config = _config()
    with _connected() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(revision: str) -> None:
    config = _config()
    with _connected() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def new_revision(message: str, revision_id: str) -> None:
    """Write a migration from the difference between models and database (developers)."""
    config = _config()
    with _connected() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message=message, rev_id=revision_id, autogenerate=True)


def current_revision() -> str | None:
    with db.engines["read"].connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_current() -> bool:
    return current_revision() == newest_revision()
