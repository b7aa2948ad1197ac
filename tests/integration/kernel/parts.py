"""What tests of the kernel share: Redis where there is one, and things that run beside a test."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import pytest

NEEDS_REDIS = pytest.mark.skipif(
    not os.environ.get("MALL_REDIS_URL"),
    reason="NOT tested on Redis: MALL_REDIS_URL is not set (make test-stack sets it)",
)
# Nothing listens on the discard port.
NOBODY = "redis://127.0.0.1:9/0"


class Runs(Protocol):
    """A relay or a worker."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


R = TypeVar("R", bound=Runs)


@contextmanager
def running(made: R) -> Iterator[R]:
    """Run it in a thread; it must end when it is told to."""
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join(20)
        assert not thread.is_alive()
