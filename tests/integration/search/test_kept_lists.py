"""Lists that several processes share, and what is left of them without Redis."""

from __future__ import annotations

import pytest
from flask import Flask

from kernel.redis_link import RedisLink, redis_link
from search import kept_lists
from search.kept_lists import KeptList, ListsInProcess, ListsInRedis
from tests.integration.kernel.parts import NEEDS_REDIS, NOBODY

LIST = KeptList([3, 1, 2**40], 4711, {"brand": ((5, 2), (6, 1)), "price": ()})


def _same(found: KeptList | None) -> bool:
    return found is not None and (list(found.product_ids), found.total, dict(found.facets)) == (
        LIST.product_ids,
        LIST.total,
        LIST.facets,
    )


@NEEDS_REDIS
def test_another_process_finds_the_list(app: Flask) -> None:
    link = redis_link()
    assert link is not None
    name = ListsInRedis(link, ListsInProcess()).keep(LIST)
    assert _same(ListsInRedis(link, ListsInProcess()).find(name))
    assert ListsInRedis(link, ListsInProcess()).find("guessed") is None


@NEEDS_REDIS
def test_lists_end_by_themselves(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    link = redis_link()
    assert link is not None
    monkeypatch.setattr(kept_lists, "KEPT_SECONDS", 1.0)
    name = ListsInRedis(link, ListsInProcess()).keep(LIST)
    [key] = link.client.keys(f"*{name}")  # type: ignore[misc]  # one client for both ways
    left = link.client.pttl(key)
    assert 0 < left <= 1_000  # type: ignore[operator]


def test_without_redis_a_list_is_kept_here(app: Flask) -> None:
    lists = ListsInRedis(RedisLink(NOBODY), ListsInProcess())
    name = lists.keep(LIST)
    assert _same(lists.find(name))
    assert lists.find("guessed") is None


def test_the_settings_choose(app: Flask) -> None:
    assert isinstance(
        kept_lists.kept_lists(), ListsInProcess if redis_link() is None else ListsInRedis
    )
