"""One Redis, which may be away at any moment: short time-outs, and a breaker (ADR 0015).

Nothing is kept there that cannot be made again, so whoever asks has an answer for when it is not
there. While it is away only one call a second waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from kernel.settings import get_settings

log = structlog.get_logger(__name__)
T = TypeVar("T")

TIMEOUT_SECONDS = 0.15
REST_SECONDS = 1.0


class RedisAway(Exception):
    """No answer in time, or none was waited for."""


class RedisLink:
    """Connections of this process to one Redis, and whether it is worth asking."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ask_again_at = 0.0
        self._away = False
        self.client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # Once more, at once: a server that was started again has closed what the pool holds.
            retry=Retry(NoBackoff(), 1),
        )

    def ask(self, call: Callable[[redis.Redis], T]) -> T:
        """What ``call`` gets from Redis. Raises :class:`RedisAway`."""
        if self._away and not self._my_turn():
            raise RedisAway
        try:
            answer = call(self.client)
        except redis.RedisError as error:
            self._fail(error)
            raise RedisAway from error
        if self._away:
            self._away = False
            log.info("redis_back")
        return answer

    def _my_turn(self) -> bool:
        with self._lock:
            if self._clock() < self._ask_again_at:
                return False
            self._ask_again_at = self._clock() + REST_SECONDS
            return True

    def _fail(self, error: redis.RedisError) -> None:
        with self._lock:
            self._ask_again_at = self._clock() + REST_SECONDS
            if not self._away:
                log.warning("redis_away", error=f"{type(error).__name__}: {error}"[:200])
            self._away = True

    def version(self) -> str:
        """For health checks, so the breaker is passed by. Raises :class:`RedisAway`."""
        try:
            told: Any = self.client.info("server")
        except redis.RedisError as error:
            raise RedisAway(type(error).__name__) from error
        return str(told["redis_version"])


def redis_link() -> RedisLink | None:
    """This process's Redis; None where the settings name none."""
    url = get_settings().redis_url
    return _link(url) if url else None


@lru_cache(maxsize=8)
def _link(url: str) -> RedisLink:
    return RedisLink(url)


def key(*parts: str) -> str:
    """A key of this mall: several share a server."""
    return ":".join((get_settings().namespace, *parts))
