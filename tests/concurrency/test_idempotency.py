"""Many at once with one key: one effect, and the same answer for all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from flask import Flask, current_app

from kernel.errors import Conflict
from kernel.idempotency import Answer, Pending, begin, finish
from tests.concurrency.processes import run_together
from tests.integration.kernel.test_idempotency import effect, effects, keys, pending, scope

THREADS = 50


def test_fifty_threads_with_one_key_have_one_effect_and_one_answer(app: Flask) -> None:
    together = threading.Barrier(THREADS)

    def request(_number: int) -> Answer | Pending:
        with app.app_context():
            together.wait(30)
            return begin(scope(), effect)

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(request, range(THREADS)))
    assert len(answers) == THREADS
    assert set(answers) == {answers[0]}
    assert isinstance(answers[0], Answer)
    assert effects() == 1
    assert keys() == [("k1", "completed")]


def test_of_fifty_threads_one_does_the_later_steps_and_all_get_its_answer(app: Flask) -> None:
    together = threading.Barrier(THREADS)
    runners: list[str] = []

    def request(number: int) -> Answer:
        with app.app_context():
            together.wait(30)
            outcome = begin(scope(), pending)
            if isinstance(outcome, Answer):
                return outcome
            runners.append(outcome.reference)
            return finish(scope(), Answer.json(201, {"id": outcome.reference, "n": number}))

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(request, range(THREADS)))
    assert set(answers) == {answers[0]}
    assert len(runners) == 1
    assert effects() == 1


def test_after_a_refusal_exactly_one_of_many_retries_has_its_effect(app: Flask) -> None:
    def refuse() -> Answer:
        effect()
        raise Conflict

    with pytest.raises(Conflict):
        begin(scope(), refuse)
    together = threading.Barrier(10)

    def request(_number: int) -> Answer | Pending:
        with app.app_context():
            together.wait(30)
            return begin(scope(), effect)

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(request, range(10)))) == 1
    assert effects() == 1


def test_different_keys_do_not_wait_for_each_other(app: Flask) -> None:
    begin(scope(key="slow"), pending)  # leased, and nobody finishes it

    def request(number: int) -> Answer | Pending:
        with app.app_context():
            return begin(scope(key=f"k{number}"), effect)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(request, range(40)))) == 40
    assert effects() == 41


def _five_threads(_number: int) -> list[Answer]:
    """In a process of its own: five requests with the one key."""
    app = cast("Flask", current_app._get_current_object())  # type: ignore[attr-defined]

    def request(_number: int) -> Answer:
        with app.app_context():
            answer = begin(scope(), effect)
            assert isinstance(answer, Answer)
            return answer

    with ThreadPoolExecutor(5) as pool:
        return list(pool.map(request, range(5)))


def test_four_processes_with_one_key_have_one_effect(app: Flask) -> None:
    told = run_together(_five_threads, range(4))
    answers = [answer for process in told for answer in process]
    assert len(answers) == 20
    assert set(answers) == {answers[0]}
    assert effects() == 1
    # And this process, a fifth one, gets it too.
    assert begin(scope(), effect) == answers[0]
    assert effects() == 1
