"""Copies of a database: of a SQLite file, and of one on a server as one compressed file of SQL.

Either is one moment's picture, taken while the mall is in use. The server's own programs make and
put back theirs, streamed: neither side holds it whole.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import URL, Engine, inspect, text

from kernel.mariadb import CHARSET, COLLATION

_DUMP = ("mariadb-dump", "mysqldump")
_CLIENT = ("mariadb", "mysql")
_CHUNK = 1 << 20
_LAST_WORDS = b"-- Dump completed"


class DumpFailed(Exception):
    """What went wrong, in the program's own words or ours."""


def _program(names: tuple[str, ...]) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise DumpFailed(f"{names[0]} is not installed (Debian: apt-get install mariadb-client)")


def _place(url: URL) -> list[str]:
    return [
        f"--host={url.host or 'localhost'}",
        f"--port={url.port or 3306}",
        f"--user={url.username or ''}",
        "--protocol=tcp",
        f"--default-character-set={CHARSET}",
    ]


@contextmanager
def _running(
    command: list[str], *, reads: bool, password: str | None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A client program; its password goes by the environment, which other users cannot read."""
    with subprocess.Popen(  # noqa: S603 -- the program is found by its name, its arguments are settings
        command,
        stdin=subprocess.DEVNULL if reads else subprocess.PIPE,
        stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "MYSQL_PWD": password or ""},
    ) as process:
        pipe = process.stdout if reads else process.stdin
        assert pipe is not None
        try:
            yield process, pipe
        except BrokenPipeError:
            pass  # it ended early, and says why below
        except BaseException:
            process.kill()
            raise
        said = process.communicate()[1].decode(errors="replace").strip()
        if process.returncode:
            raise DumpFailed(said or f"{command[0]} ended with {process.returncode}")


def copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite database. Raises :class:`sqlite3.Error`."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as opened,
        closing(sqlite3.connect(target)) as copy,
    ):
        opened.backup(copy)


def dump(file: Path, engine: Engine) -> None:
    """Write a server's database to ``file``. Raises :class:`DumpFailed`."""
    url = engine.url
    command = [
        _program(_DUMP),
        *_place(url),
        "--single-transaction",  # one moment, and nobody waits for it
        "--quick",
        "--triggers",
        "--hex-blob",
        "--no-tablespaces",
        str(url.database),
    ]
    with (
        gzip.open(file, "wb", compresslevel=3) as target,
        _running(command, reads=True, password=url.password) as (_, pipe),
    ):
        shutil.copyfileobj(pipe, target, _CHUNK)
    fault = fault_of(file)
    if fault:
        raise DumpFailed(fault)


def fault_of(file: Path) -> str:
    """Why a file is no whole dump of the mall's database; empty where it is one."""
    is_malls, tail = False, b""
    try:
        with gzip.open(file, "rb") as source:
            while block := source.read(_CHUNK):
                window = tail + block
                is_malls = is_malls or b"CREATE TABLE `alembic_version`" in window
                tail = window[-200:]
    except (OSError, EOFError) as error:
        return f"not a whole compressed file ({error})"
    if not is_malls:
        return "not a copy of the mall"
    return "" if _LAST_WORDS in tail else "the copy was cut off"


def load(file: Path, engine: Engine) -> None:
    """Put a dump in the place of all that a database holds. Raises :class:`DumpFailed`."""
    url = engine.url
    client = _program(_CLIENT)
    _drop_everything(engine)
    with (
        gzip.open(file, "rb") as source,
        _running([client, *_place(url), str(url.database)], reads=False, password=url.password) as (
            _,
            pipe,
        ),
    ):
        shutil.copyfileobj(source, pipe, _CHUNK)
    engine.dispose()


def _drop_everything(engine: Engine) -> None:
    """Tables of later migrations too, which the dump knows nothing of."""
    known = inspect(engine)
    with engine.connect() as connection:
        connection.execute(text("SET foreign_key_checks = 0"))
        for view in known.get_view_names():
            connection.execute(text(f"DROP VIEW `{view}`"))
        for table in known.get_table_names():
            connection.execute(text(f"DROP TABLE `{table}`"))
        connection.execute(text(f"ALTER DATABASE CHARACTER SET {CHARSET} COLLATE {COLLATION}"))
    engine.dispose()  # that connection no longer checks keys
