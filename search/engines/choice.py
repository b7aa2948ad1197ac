"""Which engine this process searches with."""

from functools import lru_cache
from pathlib import Path

from kernel.settings import get_settings
from search.engines.base import SearchEngine
from search.engines.elasticsearch import ElasticsearchEngine
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


@lru_cache(maxsize=8)
def _embedded(root: Path) -> EmbeddedEngine:
    return EmbeddedEngine(root)


@lru_cache(maxsize=8)
def _elasticsearch(url: str, namespace: str) -> ElasticsearchEngine:
    return ElasticsearchEngine(url, namespace)
