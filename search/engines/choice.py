"""Which engine this process searches with."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from kernel.settings import get_settings
from search.engines.base import SearchEngine
from search.engines.elasticsearch import ElasticsearchEngine
from search.engines.elasticsearch_generations import forget_indexes
from search.engines.embedded import EmbeddedEngine

EMBEDDED = "embedded:"


class UnsupportedEngine(RuntimeError):
    """``MALL_SEARCH_URL`` names an engine that this build has no adapter for."""


def get_engine() -> SearchEngine:
    """The engine of ``MALL_SEARCH_URL``, one for each index and process.

    Raises:
        UnsupportedEngine: the address is neither ``embedded:`` nor one of ``http``.
    """
    settings = get_settings()
    if settings.search_url == EMBEDDED:
        return _embedded(settings.index_dir)
    if settings.search_url.startswith(("http://", "https://")):
        return _elasticsearch(settings.search_url, settings.namespace)
    raise UnsupportedEngine(f"no search engine for {settings.search_url!r}")


@contextmanager
def scratch_engine(folder: Path) -> Iterator[SearchEngine]:
    """An empty index on the engine in use, in ``folder`` or on the server; gone afterwards."""
    settings = get_settings()
    if not settings.search_url.startswith("http"):
        embedded = EmbeddedEngine(folder)
        try:
            yield embedded
        finally:
            embedded.close()
        return
    namespace = f"{settings.namespace}-scratch-{secrets.token_hex(4)}"
    engine = ElasticsearchEngine(settings.search_url, namespace)
    try:
        yield engine
    finally:
        engine.close()
        forget_indexes(settings.search_url, namespace)


@lru_cache(maxsize=8)
def _embedded(root: Path) -> EmbeddedEngine:
    return EmbeddedEngine(root)


@lru_cache(maxsize=8)
def _elasticsearch(url: str, namespace: str) -> ElasticsearchEngine:
    return ElasticsearchEngine(url, namespace)
