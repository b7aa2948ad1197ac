"""A whole mall on a folder of its own, never the live one: settings, database, index."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from app import migrate
from app.bench.parts import Parts
from app.factory import create_app
from kernel.db import db
from kernel.remembered import forget_all
from kernel.settings import get_settings

_PREFIX = "MALL_"


@dataclass(frozen=True)
class Scratch:
    """The application on ``parts``; ``environment`` starts processes on the same ones."""

    app: Flask
    parts: Parts
    folder: Path
    environment: dict[str, str]

    @property
    def database_url(self) -> str:
        return self.environment["MALL_DATABASE_URL"]

    @contextmanager
    def copy_database(self, name: str) -> Iterator[str]:
        """The database as it is now, as one more beside it for the length of the block."""
        copy = self.parts.copy_database(self.database_url, name)
        try:
            yield copy
        finally:
            self.parts.drop_database(copy)


@contextmanager
def scratch_mall(parts: Parts) -> Iterator[Scratch]:
    """A migrated, empty mall of its own, gone afterwards.

    No ``MALL_`` setting of the caller reaches it, but the addresses of the servers.
    """
    before = {name: text for name, text in os.environ.items() if name.startswith(_PREFIX)}
    folder = Path(tempfile.mkdtemp(prefix="fuman-bench-"))
    own = {"env": "test", "data_dir": str(folder)} | parts.settings(folder)
    wanted = {f"{_PREFIX}{name.upper()}": text for name, text in own.items()}
    _replace_settings(wanted)
    try:
        app = create_app()
        with app.app_context():
            migrate.upgrade()
        yield Scratch(app, parts, folder, dict(os.environ))
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
    finally:
        # Others may have been set meanwhile, by a mall inside this one.
        _replace_settings(wanted)
        parts.clean_up(get_settings())
        _replace_settings(before)
        shutil.rmtree(folder, ignore_errors=True)


def _replace_settings(wanted: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(_PREFIX)]:
        del os.environ[name]
    os.environ.update(wanted)
    get_settings.cache_clear()
    forget_all()
