"""A search index of its own for every test, on the engine that the environment names."""

import shutil
from collections.abc import Iterator

import pytest
from flask import Flask, g

from kernel.settings import get_settings
from search.engines import choice
from search.indexing import _suggestions_in
from tests import engines
from tests.integration.search.world import World, found_world


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "embedded_only(reason): about the engine in the process")
    config.addinivalue_line("markers", "server_engine_only(reason): about a search server")


@pytest.fixture(autouse=True)
def _fits_the_engine(request: pytest.FixtureRequest) -> None:
    unfit = "server_engine_only" if engines.is_embedded() else "embedded_only"
    mark = request.node.get_closest_marker(unfit)
    if mark is not None:
        pytest.skip(f"{unfit}: {mark.args[0]}")


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    """Categories and three merchants, with an empty index."""
    g.pop("shop_categories", None)
    engines.forget_indexes()
    shutil.rmtree(get_settings().index_dir, ignore_errors=True)
    _suggestions_in.cache_clear()
    yield found_world()
    choice.get_engine().close()
