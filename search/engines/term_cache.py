"""How rare tokens are, remembered for a while: every search asks, and the answer hardly moves.

While the index grows it does move, so all is forgotten when the listings have become a tenth more
or less than they were. A rare token is asked every time: the next product may be the first with it.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from search.engines.base import TermStatistics, TokenField

KEPT_SECONDS = 600.0
_MOVED = 0.1
_SETTLED = 20
_MAX_TOKENS = 200_000
_NONE: Mapping[str, int] = {}
Tokens = Mapping[TokenField, Sequence[str]]


class TermCache:
    """Statistics by token; all are forgotten together, so that they are of about one time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._forget(0.0)

    def _forget(self, now: float) -> None:
        self._listings = 0
        self._known: dict[TokenField, dict[str, int]] = {field: {} for field in TokenField}
        self._until = now + KEPT_SECONDS

    def clear(self) -> None:
        """Forget everything: the index was written to."""
        with self._lock:
            self._forget(self._clock())

    def find(self, tokens: Tokens, read: Callable[[Tokens], TermStatistics]) -> TermStatistics:
        """The statistics of the tokens; ``read`` is asked for those that are not known."""
        with self._lock:
            now = self._clock()
            if now > self._until or sum(map(len, self._known.values())) > _MAX_TOKENS:
                self._forget(now)
            known = self._known
            missing: Tokens = {
                field: unknown
                for field, values in tokens.items()
                if (unknown := [value for value in values if value not in known[field]])
            }
        fresh: dict[TokenField, Mapping[str, int]] = {}
        if missing:
            found = read(missing)
            if abs(found.listings - self._listings) > self._listings * _MOVED:
                with self._lock:
                    self._forget(now)
                    self._listings, known = found.listings, self._known
                if missing != tokens:
                    found = read(tokens)
            for field, frequencies in found.frequencies.items():
                fresh[field] = frequencies
                settled = {t: count for t, count in frequencies.items() if count >= _SETTLED}
                known[field].update(settled)
        return TermStatistics(
            listings=self._listings,
            frequencies={
                field: {
                    value: known[field].get(value, fresh.get(field, _NONE).get(value, 0))
                    for value in values
                }
                for field, values in tokens.items()
            },
        )
