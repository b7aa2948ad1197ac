"""How rare tokens are, remembered for a while: every search asks, and the answer hardly moves."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from search.engines.base import TermStatistics, TokenField

KEPT_SECONDS = 60.0
_MAX_TOKENS = 200_000
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
            missing = {
                field: unknown
                for field, values in tokens.items()
                if (unknown := [value for value in values if value not in known[field]])
            }
        if missing:
            found = read(missing)
            with self._lock:
                if known is self._known:
                    self._listings = max(self._listings, found.listings)
            for field, frequencies in found.frequencies.items():
                known[field].update(frequencies)
        return TermStatistics(
            listings=self._listings,
            frequencies={
                field: {value: known[field].get(value, 0) for value in values}
                for field, values in tokens.items()
            },
        )
