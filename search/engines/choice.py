"""Which engine this process searches with."""

from functools import lru_cache
from pathlib import Path

from kernel.settings import get_settings
from search.engines.embedded import EmbeddedEngine

EMBEDDED = "embedded:"


class UnsupportedEngine(RuntimeError):
    """``MALL_SEARCH_URL`` names an engine that this build has no adapter for."""


def get_engine() -> EmbeddedEngine:
    """The engine of ``MALL_SEARCH_URL``, one for each index folder and process.

    Raises:
        UnsupportedEngine: the address is not ``embedded:``.
    """
    settings = get_settings()
    if settings.search_url != EMBEDDED:
        raise UnsupportedEngine(f"no search engine for {settings.search_url!r}")
    return _embedded(settings.index_dir)


@lru_cache(maxsize=8)
def _embedded(root: Path) -> EmbeddedEngine:
    return EmbeddedEngine(root)
