"""Rate limits: counts a minute by actor or address, in Redis where there is one (real time).

They are far above what people and ordinary programs do; their use is that one who hammers does
not take the mall from the others. Without Redis each process counts for itself.
"""

from __future__ import annotations

import time
from functools import lru_cache

import limits
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from kernel.errors import Problem
from kernel.redis_link import RedisAway, RedisLink, key, redis_link


class RateLimited(Problem):
    code = "rate_limited"
    status = 429
    title = "请求太频繁，请稍后再试"


def count(what: str, subject: str, *, per_minute: int) -> None:
    """Count one use of ``what`` by ``subject``; 0 a minute means no limit.

    Raises :class:`RateLimited` with the seconds to wait.
    """
    if per_minute <= 0:
        return
    item = limits.RateLimitItemPerMinute(per_minute)
    limiter = _in_process()
    link = redis_link()
    if link is None:
        allowed = limiter.hit(item, what, subject)
    else:
        shared = _in_redis(link, key("limit"))
        try:
            allowed = link.ask(lambda _: shared.hit(item, what, subject))
            limiter = shared
        except RedisAway:
            allowed = limiter.hit(item, what, subject)
    if not allowed:
        raise RateLimited(retry_after=_seconds_to_wait(limiter, item, what, subject))


def _seconds_to_wait(
    limiter: FixedWindowRateLimiter, item: limits.RateLimitItem, what: str, subject: str
) -> int:
    link = redis_link()
    try:
        if link is None or limiter is _in_process():
            reset_at = limiter.get_window_stats(item, what, subject).reset_time
        else:
            reset_at = link.ask(lambda _: limiter.get_window_stats(item, what, subject).reset_time)
    except RedisAway:
        return 60
    return max(1, min(60, int(reset_at - time.time()) + 1))


@lru_cache(maxsize=1)
def _in_process() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


@lru_cache(maxsize=8)
def _in_redis(link: RedisLink, prefix: str) -> FixedWindowRateLimiter:
    pool = link.client.connection_pool
    return FixedWindowRateLimiter(RedisStorage("redis://", connection_pool=pool, key_prefix=prefix))
