"""A search index of its own for every test."""

import shutil
from collections.abc import Iterator

import pytest
from flask import Flask, g

from kernel.settings import get_settings
from search.engines import choice
from search.indexing import _suggestions_in
from tests.integration.search.world import World, found_world


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    """Categories and three merchants, with an empty index."""
    g.pop("shop_categories", None)
    shutil.rmtree(get_settings().index_dir, ignore_errors=True)
    choice._embedded.cache_clear()
    _suggestions_in.cache_clear()
    yield found_world()
    choice.get_engine().close()
