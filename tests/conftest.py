"""Shared fixtures: one application a process, its database put back before each test.

Tests run on the parts that the environment names. With none, the database is a SQLite file: the
migrations build it once as a template, so a fresh one costs a file copy. With MALL_DATABASE_URL
each test process has a database of its own on that server (``tests/databases.py``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import migrate
from app.factory import create_app
from app.namespace import forget_namespace
from kernel.db import db
from kernel.remembered import forget_all
from kernel.settings import get_settings
from search.engines.choice import get_engine
from tests import databases

# Settings are read when the application is made, below.
_FOLDER = Path(tempfile.mkdtemp(prefix="fuman-tests-"))
_SERVER = databases.server_url()
_NAME = f"mall_test_{databases.worker()}"
os.environ["MALL_ENV"] = "test"
os.environ["MALL_DATA_DIR"] = str(_FOLDER)
os.environ["MALL_NAMESPACE"] = f"test_{databases.worker()}"
if _SERVER is not None:
    os.environ["MALL_DATABASE_URL"] = databases.url_of(_SERVER, _NAME)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite_only(reason): about SQLite itself, or its file")
    config.addinivalue_line("markers", "server_only(reason): about a database server")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    unfit = "sqlite_only" if _SERVER is not None else "server_only"
    for item in items:
        for mark in item.iter_markers(unfit):
            item.add_marker(pytest.mark.skip(reason=f"{unfit}: {mark.args[0]}"))


def pytest_sessionfinish() -> None:
    get_settings.cache_clear()
    forget_namespace(get_settings())
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
    if _SERVER is not None:
        databases.create_database(_SERVER, _NAME)
    app = create_app()
    app.testing = True
    with app.app_context():
        migrate.upgrade()
        databases.close_engines()
    return app


@pytest.fixture(scope="session")
def database(_application: Flask) -> Iterator[databases.Database]:
    """This process's database, to be kept and put back in the middle of a test."""
    with _application.app_context():
        own = (
            databases.SqliteDatabase(_FOLDER / "mall.db")
            if _SERVER is None
            else databases.ServerDatabase()
        )
    yield own
    with _application.app_context():
        databases.close_engines()
    own.close()


@pytest.fixture
def app(_application: Flask, database: databases.Database) -> Iterator[Flask]:
    """The application on an empty, migrated database, inside an application context."""
    with _application.app_context():
        database.put_back()
        forget_all()
        yield _application
        get_engine().close()
        db.session.remove()
        if _SERVER is None:
            databases.close_engines()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
