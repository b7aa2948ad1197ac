"""Answers kept for a while: made once, shown stale at most for so long, and never an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from flask import Flask

from app.namespace import forget_namespace
from kernel import cache
from kernel.cache import Cache, StoreInProcess, StoreInRedis, get_cache
from kernel.redis_link import RedisAway, RedisLink, redis_link
from kernel.settings import get_settings
from tests.integration.kernel.parts import NEEDS_REDIS, NOBODY


class Maker:
    """Counts how often it is asked to compute."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.made = 0
        self._seconds = seconds

    def __call__(self) -> int:
        self.made += 1
        number = self.made
        time.sleep(self._seconds)
        return number


@pytest.fixture(params=["process", pytest.param("redis", marks=NEEDS_REDIS)])
def kept(request: pytest.FixtureRequest, app: Flask) -> Iterator[Cache]:
    if request.param == "process":
        yield Cache(StoreInProcess())
        return
    link = redis_link()
    assert link is not None
    yield Cache(StoreInRedis(link))
    forget_namespace(get_settings())


def _ask(kept: Cache, make: Any, name: str = "one", **terms: float) -> Any:
    return kept.get_or_compute("tests", name, make, **{"seconds": 30.0, **terms})


def test_an_answer_is_made_once_for_each_name(kept: Cache) -> None:
    make = Maker()
    assert [_ask(kept, make), _ask(kept, make), _ask(kept, make, "two")] == [1, 1, 2]


def test_plain_data_and_bytes_come_back_as_they_were(kept: Cache) -> None:
    value = {"pdf": b"%PDF\x00\xff", "list": [1, None, "福"], "n": -(2**60)}
    assert _ask(kept, lambda: value) == value
    assert _ask(kept, Maker()) == value


def test_a_crowd_gets_one_answer_that_was_made_once(kept: Cache) -> None:
    make, answers = Maker(seconds=0.3), []
    crowd = [threading.Thread(target=lambda: answers.append(_ask(kept, make))) for _ in range(12)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert (make.made, answers) == (1, [1] * 12)


def test_a_stale_answer_is_shown_while_one_makes_the_next(kept: Cache) -> None:
    assert _ask(kept, Maker(), seconds=0.05) == 1
    time.sleep(0.1)
    slow, begun = Maker(seconds=0.5), threading.Event()

    def make() -> int:
        begun.set()
        return 10 + slow()

    fresh: list[Any] = []
    one = threading.Thread(target=lambda: fresh.append(_ask(kept, make)))
    one.start()
    assert begun.wait(5)
    started = time.monotonic()
    assert _ask(kept, make) == 1
    assert time.monotonic() - started < 0.3
    one.join()
    assert (fresh, _ask(kept, make), slow.made) == ([11], 11, 1)


def test_what_is_too_old_even_to_be_stale_is_gone(kept: Cache) -> None:
    make = Maker()
    assert _ask(kept, make, seconds=0.05, stale_seconds=0.05) == 1
    time.sleep(0.15)
    assert _ask(kept, make) == 2


def test_a_namespace_keeps_names_apart(kept: Cache) -> None:
    make, other = Maker(), Maker()
    assert [_ask(kept, make, "one"), _ask(kept, make, "two")] == [1, 2]
    assert kept.get_or_compute("others", "one", other, seconds=30) == 1
    assert [_ask(kept, make, "one"), other.made] == [1, 1]


def test_an_error_is_the_askers_and_nothing_is_kept(kept: Cache) -> None:
    def fail() -> int:
        raise LookupError("no such thing")

    for _ in range(2):
        with pytest.raises(LookupError):
            _ask(kept, fail)
    assert _ask(kept, Maker()) == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MAX_ENTRIES", 3)
    monkeypatch.setattr(cache, "_MAX_BYTES", 100)
    kept, make = Cache(StoreInProcess()), Maker()
    for name in "abcd":
        _ask(kept, make, name)
    assert _ask(kept, make, "d") == 4
    assert _ask(kept, make, "a") == 5  # was pushed out
    _ask(kept, lambda: b"x" * 97, "big")
    assert _ask(kept, make, "d") == 6


def test_without_redis_each_process_keeps_its_own(app: Flask) -> None:
    link = RedisLink(NOBODY)
    kept, make = Cache(StoreInRedis(link), fallback=StoreInProcess()), Maker()
    assert [_ask(kept, make), _ask(kept, make)] == [1, 1]
    bare = Cache(StoreInRedis(link))
    assert [_ask(bare, make), _ask(bare, make)] == [2, 3]


def test_redis_is_asked_by_one_call_a_second_while_it_is_away(app: Flask) -> None:
    now, asked = [100.0], []
    link = RedisLink(NOBODY, clock=lambda: now[0])

    def get(client: redis.Redis) -> Any:
        asked.append(1)
        return client.get("x")

    def ask() -> None:
        with pytest.raises(RedisAway):
            link.ask(get)

    for _ in range(5):
        ask()
    assert len(asked) == 1
    now[0] += 1.01
    for _ in range(5):
        ask()
    assert len(asked) == 2
    with pytest.raises(RedisAway):
        link.version()


def test_the_settings_choose(app: Flask) -> None:
    answer = get_cache().get_or_compute("tests", "chosen", lambda: "made", seconds=1)
    assert answer == "made"
    assert (redis_link() is None) == (not get_settings().redis_url)
