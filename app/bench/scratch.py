"""A whole mall on a folder of its own, never the live one: settings, database, index."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from app import migrate
from app.factory import create_app
from kernel.db import db
from kernel.settings import get_settings

_PREFIX = "MALL_"


@dataclass(frozen=True)
class Scratch:
    """The application on a scratch folder; ``environment`` starts processes on the same one."""

    app: Flask
    folder: Path
    environment: dict[str, str]

    @property
    def database(self) -> Path:
        return self.folder / "mall.db"

    def copy_database(self, name: str) -> Path:
        """The database as it is now, as one more file beside it."""
        target = self.folder / name
        with (
            closing(sqlite3.connect(self.database)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
        return target


@contextmanager
def scratch_mall(**settings: str) -> Iterator[Scratch]:
    """A migrated, empty mall in a temporary folder, gone afterwards.

    No ``MALL_`` setting of the caller reaches it; ``settings`` are its own, without the prefix.
    """
    before = {name: text for name, text in os.environ.items() if name.startswith(_PREFIX)}
    folder = Path(tempfile.mkdtemp(prefix="fuman-bench-"))
    own = {"env": "test", "data_dir": str(folder)} | settings
    wanted = {f"{_PREFIX}{name.upper()}": text for name, text in own.items()}
    _replace_settings(wanted)
    try:
        app = create_app()
        with app.app_context():
            migrate.upgrade()
        yield Scratch(app, folder, dict(os.environ))
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
    finally:
        _replace_settings(before)
        shutil.rmtree(folder, ignore_errors=True)


def _replace_settings(wanted: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(_PREFIX)]:
        del os.environ[name]
    os.environ.update(wanted)
    get_settings.cache_clear()
