"""Answers kept for a while: in Redis where there is one, else in this process.

Made once however many ask at once: whoever takes the short lock computes, the others get the old
answer where there is one, and wait a moment where there is none. Nobody gets an error because of
the cache; without Redis each process keeps its own.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from kernel.redis_link import RedisAway, RedisLink, key, redis_link

# An entry is computed anew from now on, and may still be shown for this much longer.
STALE_SECONDS = 60.0
_LOCK_SECONDS = 10.0
_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.02
_MAX_ENTRIES = 512
_MAX_BYTES = 32 * 1024 * 1024
# Frees a lock only where it is still ours.
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


@dataclass(frozen=True)
class _Entry:
    fresh_until: float
    gone_at: float
    value: bytes


class Store(Protocol):
    """Where entries and locks are kept. Methods raise :class:`RedisAway`."""

    def get(self, name: str) -> _Entry | None: ...

    def put(self, name: str, entry: _Entry) -> None: ...

    def lock(self, name: str, token: str) -> bool: ...

    def unlock(self, name: str, token: str) -> None: ...


class Cache:
    """Values are what msgpack can hold: plain data and bytes."""

    def __init__(self, store: Store, *, fallback: Store | None = None) -> None:
        self._store = store
        self._fallback = fallback

    def get_or_compute(
        self,
        namespace: str,
        name: str,
        compute: Callable[[], Any],
        *,
        seconds: float,
        stale_seconds: float = STALE_SECONDS,
    ) -> Any:
        """The kept answer, or a new one that is kept for ``seconds``.

        ``name`` says all that the answer depends on, so there is nothing to forget.
        """
        try:
            return self._answer(self._store, namespace, name, compute, seconds, stale_seconds)
        except RedisAway:
            if self._fallback is None:
                return compute()
            return self._answer(self._fallback, namespace, name, compute, seconds, stale_seconds)

    def _answer(
        self,
        store: Store,
        namespace: str,
        name: str,
        compute: Callable[[], Any],
        seconds: float,
        stale_seconds: float,
    ) -> Any:
        full = f"{namespace}:{name}"
        token = secrets.token_hex(8)
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            entry = store.get(full)
            now = time.time()
            if entry is not None and now < entry.fresh_until:
                return msgspec.msgpack.decode(entry.value)
            mine = store.lock(full, token)
            if mine or (entry is None and time.monotonic() >= deadline):
                break
            if entry is not None:
                return msgspec.msgpack.decode(entry.value)
            time.sleep(_POLL_SECONDS)
        return _compute(store, full, token if mine else "", compute, seconds, stale_seconds)


def _compute(
    store: Store,
    full: str,
    token: str,
    compute: Callable[[], Any],
    seconds: float,
    stale_seconds: float,
) -> Any:
    try:
        value = compute()
        now = time.time()
        entry = _Entry(now + seconds, now + seconds + stale_seconds, msgspec.msgpack.encode(value))
        try:
            store.put(full, entry)
        except RedisAway:
            return value  # computed is computed
    finally:
        if token:
            _unlock(store, full, token)
    return value


def _unlock(store: Store, full: str, token: str) -> None:
    try:
        store.unlock(full, token)
    except RedisAway:
        return  # it ends by itself


class StoreInProcess:
    """Bounded in number and in bytes; the one that was used longest ago goes first."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._locks: dict[str, tuple[str, float]] = {}

    def get(self, name: str) -> _Entry | None:
        with self._guard:
            entry = self._entries.get(name)
            if entry is None or entry.gone_at <= time.time():
                return None
            self._entries.move_to_end(name)
            return entry

    def put(self, name: str, entry: _Entry) -> None:
        with self._guard:
            self._drop(name)
            self._entries[name] = entry
            self._bytes += len(entry.value)
            while len(self._entries) > _MAX_ENTRIES or self._bytes > _MAX_BYTES:
                self._drop(next(iter(self._entries)))

    def _drop(self, name: str) -> None:
        old = self._entries.pop(name, None)
        if old is not None:
            self._bytes -= len(old.value)

    def lock(self, name: str, token: str) -> bool:
        now = time.monotonic()
        with self._guard:
            held = self._locks.get(name)
            if held is not None and held[1] > now:
                return False
            self._locks[name] = (token, now + _LOCK_SECONDS)
            return True

    def unlock(self, name: str, token: str) -> None:
        with self._guard:
            if self._locks.get(name, ("", 0.0))[0] == token:
                del self._locks[name]


class StoreInRedis:
    """Shared by all processes; entries end by themselves."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def get(self, name: str) -> _Entry | None:
        packed = self._link.ask(lambda r: r.get(key("cache", name)))
        if packed is None:
            return None
        assert isinstance(packed, bytes)
        return msgspec.msgpack.decode(packed, type=_Entry)

    def put(self, name: str, entry: _Entry) -> None:
        millis = max(1, int((entry.gone_at - time.time()) * 1_000))
        packed = msgspec.msgpack.encode(entry)
        self._link.ask(lambda r: r.set(key("cache", name), packed, px=millis))

    def lock(self, name: str, token: str) -> bool:
        millis = int(_LOCK_SECONDS * 1_000)
        return bool(
            self._link.ask(lambda r: r.set(key("cache-lock", name), token, px=millis, nx=True))
        )

    def unlock(self, name: str, token: str) -> None:
        self._link.ask(lambda r: r.eval(_UNLOCK, 1, key("cache-lock", name), token))


_in_process = StoreInProcess()


def get_cache() -> Cache:
    """The cache that the settings ask for."""
    link = redis_link()
    if link is None:
        return Cache(_in_process)
    return Cache(StoreInRedis(link), fallback=_in_process)
