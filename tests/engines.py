"""The search index of a test process: which engine the environment names, and emptying it."""

import shutil

import requests

from kernel.settings import get_settings
from search.engines import choice
from search.engines.base import FORMAT, SearchEngine
from search.engines.elasticsearch import ElasticsearchEngine
from search.engines.embedded import EmbeddedEngine


def is_embedded() -> bool:
    return get_settings().search_url == choice.EMBEDDED


def other_engine() -> SearchEngine:
    """The engine as another process has it."""
    settings = get_settings()
    if is_embedded():
        return EmbeddedEngine(settings.index_dir)
    return ElasticsearchEngine(settings.search_url, settings.namespace)


def forget_indexes() -> None:
    """Remove all that this process's tests have indexed."""
    settings = get_settings()
    choice.get_engine().close()
    if is_embedded():
        shutil.rmtree(settings.index_dir, ignore_errors=True)
        choice._embedded.cache_clear()
        return
    choice._elasticsearch.cache_clear()
    remove_namespace(settings.search_url, settings.namespace)


def remove_namespace(url: str, namespace: str) -> None:
    """Delete the indexes of a namespace; a name with a wildcard must be spelt out first."""
    with requests.Session() as session:
        session.trust_env = False
        for name in _names(url, f"{namespace}-"):
            session.delete(f"{url}/{name}").raise_for_status()


def generations() -> list[str]:
    """The generations that exist."""
    settings = get_settings()
    if is_embedded():
        return [folder.name for folder in settings.index_dir.glob("g-*")]
    return _names(settings.search_url, f"{settings.namespace}-listings-{FORMAT}-g")


def _names(url: str, prefix: str) -> list[str]:
    with requests.Session() as session:
        session.trust_env = False
        found = session.get(f"{url}/{prefix}*/_settings?filter_path=*.settings.index.uuid")
        found.raise_for_status()
        return list(found.json())
