"""On which parts a mall under test runs: embedded ones, or the servers that the environment names.

On servers every data folder has a database and a namespace of its own, named after the folder, so
whatever is given the folder finds them. They are dropped when the test process ends.
"""

from __future__ import annotations

import atexit
import hashlib
import os
from pathlib import Path

from sqlalchemy import make_url

from app.namespace import forget_namespace
from kernel.settings import Settings
from tests.databases import create_database, drop_database, server_url, url_of

SERVERS = ("MALL_DATABASE_URL", "MALL_SEARCH_URL", "MALL_REDIS_URL", "MALL_BROKER_URL")
_made: set[Path] = set()


def on_servers() -> bool:
    """Whether the environment names any server at all."""
    return any(os.environ.get(name) for name in SERVERS)


def _mark(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def database_of(folder: Path) -> str:
    """The address of a data folder's database."""
    server = server_url()
    if server is None:
        return f"sqlite:///{folder / 'mall.db'}"
    return url_of(server, f"mall_test_{_mark(folder)}")


def settings_of(folder: Path) -> dict[str, str]:
    """The settings that name a folder's parts; none of them for embedded ones."""
    if not on_servers():
        return {}
    named = {name: os.environ[name] for name in SERVERS if os.environ.get(name)}
    if server_url() is not None:
        named["MALL_DATABASE_URL"] = database_of(folder)
    return named | {"MALL_NAMESPACE": f"world_{_mark(folder)}"}


def make_parts(folder: Path) -> None:
    """An empty database for a new folder, where it is a server's."""
    server = server_url()
    if on_servers():
        _made.add(folder)
    if server is not None:
        create_database(server, str(make_url(database_of(folder)).database))


def forget_parts(folder: Path) -> None:
    """Take away all that a folder has on servers."""
    if folder not in _made:
        return
    _made.discard(folder)
    named = {k.removeprefix("MALL_").lower(): v for k, v in settings_of(folder).items()}
    forget_namespace(Settings.model_validate(named | {"data_dir": folder}))
    server = server_url()
    if server is not None:
        drop_database(server, str(make_url(database_of(folder)).database))


@atexit.register
def _forget_all() -> None:
    for folder in list(_made):
        forget_parts(folder)
