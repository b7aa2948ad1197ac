"""Shared fixtures: one application a process, its database put back before each test.

The schema is built once by the migrations and kept as a template file, so a fresh database costs
a file copy.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

_FOLDER = Path(tempfile.mkdtemp(prefix="fuman-tests-"))
os.environ["MALL_ENV"] = "test"
os.environ["MALL_DATA_DIR"] = str(_FOLDER)

from app import migrate  # noqa: E402 -- settings are read when the application is made
from app.factory import create_app  # noqa: E402
from kernel.db import db  # noqa: E402
from kernel.settings import get_settings  # noqa: E402
from search.engines.choice import get_engine  # noqa: E402


def pytest_sessionfinish() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real feeds and queries; loudly absent where it is not there."""
    folder = Path(os.environ.get("MALL_TEST_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.fail(f"no test data at {folder}: set MALL_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def _application() -> Flask:
    get_settings.cache_clear()
    app = create_app()
    app.testing = True
    with app.app_context():
        migrate.upgrade()
        _close_engines()
    return app


@pytest.fixture(scope="session")
def _template(_application: Flask) -> Path:
    source = _FOLDER / "mall.db"
    with sqlite3.connect(source) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    target = _FOLDER / "template.db"
    shutil.copy(source, target)
    return target


def _close_engines() -> None:
    for engine in db.engines.values():
        engine.dispose()


def put_back(template: Path) -> None:
    """Replace the database file by ``template``; call inside an application context."""
    _close_engines()
    # A new file, never the old one written over: a connection that a command line of this process
    # left open goes on with what it had, and harms nobody.
    for suffix in ("", "-wal", "-shm"):
        (_FOLDER / f"mall.db{suffix}").unlink(missing_ok=True)
    shutil.copy(template, _FOLDER / "mall.db")


@pytest.fixture
def app(_application: Flask, _template: Path) -> Iterator[Flask]:
    """The application on an empty, migrated database, inside an application context."""
    with _application.app_context():
        put_back(_template)
        yield _application
        get_engine().close()
        db.session.remove()
        _close_engines()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
