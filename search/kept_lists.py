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
from typing import Protocol

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
