"""Relevance lists kept between pages (Domain rule 30b).

A second look at the index would order anew; pages of one list must come from one list.
"""

import secrets
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import msgspec

from kernel.redis_link import RedisAway, RedisLink, key, redis_link

KEPT_SECONDS = 600.0
_MAX_LISTS = 2_000

Counts = Mapping[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class KeptList:
    """Product ids in their order, with the total and the facet counts of their search."""

    product_ids: Sequence[int]
    total: int
    facets: Counts


class KeptLists(Protocol):
    """Where lists are kept: in this process, or in something that all processes share."""

    def keep(self, kept: KeptList) -> str:
        """Keep a list for ``KEPT_SECONDS`` and return its name, which cannot be guessed."""
        ...

    def find(self, name: str) -> KeptList | None:
        """The list, unless it is too old or gone."""
        ...


class ListsInProcess:
    """Lists in memory, 8 bytes an id; beyond ``_MAX_LISTS`` the oldest make room."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lists: OrderedDict[str, tuple[float, KeptList]] = OrderedDict()

    def keep(self, kept: KeptList) -> str:
        """See ``KeptLists``."""
        name = secrets.token_urlsafe(12)
        packed = KeptList(array("q", kept.product_ids), kept.total, kept.facets)
        now = self._clock()
        with self._lock:
            self._drop_old(now)
            self._lists[name] = (now + KEPT_SECONDS, packed)
        return name

    def find(self, name: str) -> KeptList | None:
        """See ``KeptLists``."""
        with self._lock:
            self._drop_old(self._clock())
            entry = self._lists.get(name)
        return None if entry is None else entry[1]

    def _drop_old(self, now: float) -> None:
        while self._lists:
            expires, _ = next(iter(self._lists.values()))
            if expires > now and len(self._lists) < _MAX_LISTS:
                return
            self._lists.popitem(last=False)


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """8 bytes an id, in this machine's order: all processes of a mall run on one kind."""

    product_ids: bytes
    total: int
    facets: dict[str, tuple[tuple[int, int], ...]]


class ListsInRedis:
    """Lists that every process finds; kept in this one while Redis is away."""

    def __init__(self, link: RedisLink, instead: KeptLists) -> None:
        self._link = link
        self._instead = instead

    def keep(self, kept: KeptList) -> str:
        """See ``KeptLists``."""
        name = secrets.token_urlsafe(12)
        packed = msgspec.msgpack.encode(
            _Packed(array("q", kept.product_ids).tobytes(), kept.total, dict(kept.facets))
        )
        try:
            self._link.ask(lambda r: r.set(key("list", name), packed, ex=int(KEPT_SECONDS)))
        except RedisAway:
            return self._instead.keep(kept)
        return name

    def find(self, name: str) -> KeptList | None:
        """See ``KeptLists``."""
        try:
            packed = self._link.ask(lambda r: r.get(key("list", name)))
        except RedisAway:
            packed = None
        if not isinstance(packed, bytes):
            return self._instead.find(name)
        found = msgspec.msgpack.decode(packed, type=_Packed)
        ids = array("q")
        ids.frombytes(found.product_ids)
        return KeptList(ids, found.total, found.facets)


_in_process = ListsInProcess()


def kept_lists() -> KeptLists:
    """Where the settings keep lists: in Redis for several web processes, else in this one."""
    link = redis_link()
    return _in_process if link is None else _shared(link)


@lru_cache(maxsize=4)
def _shared(link: RedisLink) -> KeptLists:
    return ListsInRedis(link, _in_process)
