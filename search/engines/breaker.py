"""A circuit breaker: who has failed several times is left alone for a while."""

import threading
import time
from collections.abc import Callable

FAILURES = 3
PAUSE_SECONDS = 3.0


class Breaker:
    """Counts failures in a row, for all threads of a process.

    After ``failures`` of them calls are refused for ``pause`` seconds; then one call is let
    through to try, and the others wait for what comes of it.
    """

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._open_until = 0.0

    def wait_seconds(self) -> float:
        """0 where a call may be made now; else how long it is refused for.

        Whoever gets 0 while the breaker is open is the one that tries, so it must report.
        """
        with self._lock:
            if self._failed < self._limit:
                return 0.0
            now = self._clock()
            if now < self._open_until:
                return self._open_until - now
            self._open_until = now + self._pause
            return 0.0

    def succeeded(self) -> None:
        """A call was answered."""
        if self._failed:
            with self._lock:
                self._failed = 0

    def failed(self) -> None:
        """A call was not answered, or not in time."""
        with self._lock:
            self._failed += 1
            if self._failed >= self._limit:
                self._open_until = self._clock() + self._pause
