"""What hardly ever changes, remembered by this process for some seconds: names, the categories.

Only for what may be shown a little late. Price, stock and eligibility are read every time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar
from weakref import WeakSet

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_all: WeakSet[Remembered[Any, Any]] = WeakSet()


class Remembered(Generic[K, V]):
    """Values by key, each for ``seconds``; with more than ``most`` of them it starts anew."""

    def __init__(
        self, seconds: float, *, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[K, tuple[float, V]] = {}
        _all.add(self)

    def find(self, keys: Iterable[K], read: Callable[[list[K]], Mapping[K, V]]) -> dict[K, V]:
        """The values of the keys that exist; ``read`` is asked for those not known, if any.

        What ``read`` does not find is asked again the next time.
        """
        now = self._clock()
        found: dict[K, V] = {}
        missing: list[K] = []
        known = self._known
        for key in dict.fromkeys(keys):
            entry = known.get(key)
            if entry is not None and entry[0] > now:
                found[key] = entry[1]
            else:
                missing.append(key)
        if missing:
            fresh = read(missing)
            found.update(fresh)
            with self._lock:
                if len(self._known) + len(fresh) > self._most:
                    self._known = {}
                self._known.update({key: (now + self._seconds, fresh[key]) for key in fresh})
        return found

    def forget(self) -> None:
        """Read everything anew from now on."""
        with self._lock:
            self._known = {}


def forget_all() -> None:
    """For a process whose database was replaced."""
    for each in list(_all):
        each.forget()
