"""On which parts figures are taken: the embedded ones, or the servers that the settings name.

Each makes what a scratch mall needs of its own (a database, a name on the shared servers), copies
a database for a floor to write to, and takes all of it away again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pymysql
from sqlalchemy import URL, NullPool, create_engine, make_url, text

from app import dumps
from app.namespace import forget_namespace
from kernel.db import prepare_sqlite
from kernel.mariadb import connect_args, tell_sessions
from kernel.settings import Settings


class Parts(Protocol):
    """One way to run the product."""

    suffix: str

    def settings(self, folder: Path) -> dict[str, str]:
        """Settings of a new scratch mall, without their prefix; makes its empty database."""

    def copy_database(self, url: str, name: str) -> str:
        """The database at ``url`` as it is now, as one more beside it; returns its URL."""

    def drop_database(self, url: str) -> None:
        """A copy that is not needed any more."""

    def clean_up(self, settings: Settings) -> None:
        """Take away what a scratch mall left outside of its folder."""


class Embedded:
    """Files in the scratch folder, which goes as a whole."""

    suffix = "_embedded"

    def settings(self, folder: Path) -> dict[str, str]:
        return {"database_url": f"sqlite:///{folder / 'mall.db'}"}

    def copy_database(self, url: str, name: str) -> str:
        file = Path(str(make_url(url).database))
        target = file.with_name(f"{name}.db")
        dumps.copy_file(file, target)
        return f"sqlite:///{target}"

    def drop_database(self, url: str) -> None:
        Path(str(make_url(url).database)).unlink()

    def clean_up(self, settings: Settings) -> None:
        """Nothing is outside of the folder."""


@dataclass(frozen=True)
class Stack:
    """The servers of the caller's settings, under names that nothing else uses."""

    database_url: str
    search_url: str
    redis_url: str
    broker_url: str

    suffix = "_stack"

    def settings(self, folder: Path) -> dict[str, str]:
        name = folder.name.replace("-", "_").lower()
        url = make_url(self.database_url)
        wanted = url.set(database=f"{url.database}_{name}")
        self._run(f"CREATE DATABASE `{wanted.database}`")
        return {
            "database_url": _text(wanted),
            "search_url": self.search_url,
            "redis_url": self.redis_url,
            "broker_url": self.broker_url,
            "namespace": name,
        }

    def _run(self, *statements: str) -> None:
        engine = create_engine(self.database_url, poolclass=NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def copy_database(self, url: str, name: str) -> str:
        source = make_url(url)
        target = source.set(database=f"{source.database}_{name}")
        self._run(
            f"DROP DATABASE IF EXISTS `{target.database}`",
            f"CREATE DATABASE `{target.database}`",
        )
        with TemporaryDirectory() as folder:
            file = Path(folder) / "copy.sql.gz"
            dumps.dump(file, create_engine(source, poolclass=NullPool))
            dumps.load(file, create_engine(target, poolclass=NullPool))
        return _text(target)

    def drop_database(self, url: str) -> None:
        wanted = make_url(url)
        self._run(f"DROP DATABASE IF EXISTS `{wanted.database}`")

    def clean_up(self, settings: Settings) -> None:
        forget_namespace(settings)
        self.drop_database(settings.database_url)


def chosen_parts(settings: Settings) -> list[Parts]:
    """Those that the settings name; the embedded ones always, so that both are of one run."""
    if settings.is_sqlite:
        return [Embedded()]
    stack = Stack(
        settings.database_url, settings.search_url, settings.redis_url, settings.broker_url
    )
    return [stack, Embedded()]


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@contextmanager
def bare_connection(url: str) -> Iterator[Any]:
    """A connection of the driver, set up as the product's write engine sets up its own."""
    wanted = make_url(url)
    if wanted.get_backend_name() == "sqlite":
        engine = create_engine(url)
        prepare_sqlite(engine, begin="BEGIN IMMEDIATE", query_only=False)
    else:
        engine = create_engine(url, connect_args=connect_args())
        tell_sessions(engine)
    pooled = engine.raw_connection()
    try:
        yield pooled.driver_connection
    finally:
        pooled.close()
        engine.dispose()


def is_server(connection: Any) -> bool:
    """Whether a bare connection is one to MariaDB."""
    return isinstance(connection, pymysql.connections.Connection)
