"""Failing fast, and the one call that tries whether the other side is back."""

from search.engines.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_lets_one_call_try() -> None:
    clock = Clock()
    breaker = Breaker(failures=3, pause=2.0, clock=clock)
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert breaker.wait_seconds() == 0.0

    breaker.failed()

    assert breaker.wait_seconds() == 2.0
    clock.now += 1.5
    assert breaker.wait_seconds() == 0.5
    clock.now += 0.5
    assert breaker.wait_seconds() == 0.0  # this caller tries
    assert breaker.wait_seconds() == 2.0  # the others wait for what comes of it
    breaker.succeeded()
    assert breaker.wait_seconds() == 0.0


def test_a_failed_try_opens_it_again() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, pause=2.0, clock=clock)
    breaker.failed()
    clock.now += 2.0
    assert breaker.wait_seconds() == 0.0

    breaker.failed()

    assert breaker.wait_seconds() == 2.0
