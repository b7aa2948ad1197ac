"""One effect and one answer for a key (Domain rule 28)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kernel import idempotency
from kernel.auth.policy import TenantKind
from kernel.auth.services import create_tenant
from kernel.db import db, write_transaction
from kernel.errors import Conflict
from kernel.idempotency import (
    Answer,
    KeyInProgress,
    KeyRequired,
    KeyReused,
    Pending,
    Scope,
    begin,
    complete,
    finish,
    purge,
    release,
)
from tests.integration.kernel.conftest import RealTime


def scope(payload: Any = None, *, actor: str = "usr_1", key: str = "k1") -> Scope:
    return Scope.of(actor=actor, key=key, command="POST /pay", payload=payload or {"a": 1})


def effect() -> Answer:
    """Something that can be counted, and an answer that nobody could guess."""
    tenant = create_tenant(kind=TenantKind.BANK, name="b", prefix="bnk")
    return Answer.json(201, {"id": tenant.public_id})


def pending() -> Pending:
    return Pending(create_tenant(kind=TenantKind.BANK, name="b", prefix="bnk").public_id)


def never() -> Answer:
    raise AssertionError("the first step ran again")


def effects() -> int:
    found = db.session.scalar(text("SELECT count(*) FROM tenant"))
    db.session.rollback()
    return int(found or 0)


def keys() -> list[tuple[str, str]]:
    found = db.session.execute(text("SELECT `key`, state FROM idempotency_key ORDER BY id")).all()
    db.session.rollback()
    return [(row.key, row.state) for row in found]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)


def test_the_first_answer_is_given_again_byte_by_byte(app: Flask) -> None:
    first = begin(scope(), effect)
    assert isinstance(first, Answer)
    assert first.status == 201
    assert [begin(scope(), never) for _ in range(3)] == [first] * 3
    assert effects() == 1
    assert keys() == [("k1", "completed")]


def test_answers_survive_the_process_that_gave_them(app: Flask) -> None:
    first = begin(scope(), effect)
    db.session.remove()
    for engine in db.engines.values():
        engine.dispose()
    assert begin(scope(), never) == first


@pytest.mark.parametrize("key", [None, "", "x" * 256, "a\nb", "a\x00"])
def test_a_key_is_one_to_255_printable_characters(key: str | None) -> None:
    with pytest.raises(KeyRequired):
        Scope.of(actor="usr_1", key=key, command="POST /pay", payload={})
    assert Scope.of(actor="usr_1", key="x" * 255, command="POST /pay", payload={}).key == "x" * 255


def test_the_order_of_fields_does_not_matter_and_all_else_does() -> None:
    one = Scope.of(actor="u", key="k", command="POST /pay", payload={"a": 1, "b": 2})
    assert Scope.of(actor="u", key="k", command="POST /pay", payload={"b": 2, "a": 1}) == one
    for command, payload in (
        ("POST /pay", {"a": 1, "b": "2"}),
        ("POST /pay", {"a": 1}),
        ("POST /refund", {"a": 1, "b": 2}),
    ):
        other = Scope.of(actor="u", key="k", command=command, payload=payload)
        assert other.input_hash != one.input_hash


def test_another_body_is_refused_and_changes_nothing(app: Flask) -> None:
    first = begin(scope({"amount": 1}), effect)
    with pytest.raises(KeyReused) as caught:
        begin(scope({"amount": 2}), never)
    assert (caught.value.status, caught.value.code) == (422, "idempotency_key_reused")
    assert effects() == 1
    assert begin(scope({"amount": 1}), never) == first


def test_another_body_is_refused_while_the_first_is_under_way(app: Flask) -> None:
    begin(scope({"amount": 1}), pending)
    with pytest.raises(KeyReused):
        begin(scope({"amount": 2}), never)


def test_a_key_belongs_to_its_actor(app: Flask) -> None:
    first = begin(scope(actor="usr_1"), effect)
    second = begin(scope(actor="usr_2"), effect)
    assert first != second
    assert effects() == 2


def test_a_refusal_is_not_kept_and_leaves_nothing(app: Flask) -> None:
    def refuse() -> Answer:
        effect()
        raise Conflict("没有库存")

    for _ in range(2):
        with pytest.raises(Conflict):
            begin(scope(), refuse)
    assert effects() == 0
    assert keys() == []
    # The same key, and even another body, may be tried again.
    assert isinstance(begin(scope({"other": 1}), effect), Answer)
    assert effects() == 1


def test_a_crash_in_the_first_step_leaves_nothing(app: Flask) -> None:
    def crash() -> Answer:
        effect()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        begin(scope(), crash)
    assert (effects(), keys()) == (0, [])


def test_a_later_request_waits_and_is_told_when_to_come_back(app: Flask) -> None:
    begin(scope(), pending)
    started = time.monotonic()
    with pytest.raises(KeyInProgress) as caught:
        begin(scope(), never)
    assert time.monotonic() - started >= 0.1
    assert (caught.value.status, caught.value.retry_after) == (409, 2)
    assert effects() == 1


def test_whoever_waits_gets_the_answer_as_soon_as_it_is_there(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 5.0)
    reference = begin(scope(), pending)
    assert isinstance(reference, Pending)
    answer = Answer.json(201, {"order": reference.reference})

    def last_step() -> None:
        time.sleep(0.15)
        with app.app_context(), write_transaction():
            complete(scope(), answer)

    thread = threading.Thread(target=last_step)
    thread.start()
    started = time.monotonic()
    assert begin(scope(), never) == answer
    assert time.monotonic() - started < 2
    thread.join()


def test_after_the_lease_a_retry_goes_on_where_the_first_stopped(
    app: Flask, real_time: RealTime
) -> None:
    reached = begin(scope(), pending)
    real_time.pass_by(idempotency.LEASE - timedelta(seconds=0.5))
    with pytest.raises(KeyInProgress):
        begin(scope(), never)
    real_time.pass_by(timedelta(seconds=1))
    assert begin(scope(), never) == reached
    # Who resumes has a lease of his own.
    with pytest.raises(KeyInProgress):
        begin(scope(), never)
    assert effects() == 1


def test_a_retry_may_go_on_at_once_after_a_release(app: Flask) -> None:
    reached = begin(scope(), pending)
    release(scope())
    assert begin(scope(), never) == reached
    assert keys() == [("k1", "started")]


def test_a_finished_command_gives_its_answer_for_ever_after(app: Flask) -> None:
    begin(scope(), pending)
    answer = Answer.json(201, {"order": "ord_1"})
    assert finish(scope(), answer) == answer
    assert begin(scope(), never) == answer
    assert keys() == [("k1", "completed")]


def test_of_two_who_finish_both_get_the_answer_of_the_first(app: Flask) -> None:
    begin(scope(), pending)
    first = finish(scope(), Answer.json(201, {"n": 1}))
    assert finish(scope(), Answer.json(500, {"n": 2})) == first
    assert begin(scope(), never) == first


def test_the_loser_of_a_race_for_a_new_key_gets_the_winners_answer(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On databases with many writers two may insert the same key; one then fails."""
    winner = begin(scope(), effect)
    real: Callable[[Scope], Any] = idempotency._claim
    losing = iter([True])

    def claim(wanted: Scope) -> Any:
        if next(losing, False):
            raise IntegrityError("INSERT", {}, Exception("Duplicate entry"))
        return real(wanted)

    monkeypatch.setattr(idempotency, "_claim", claim)
    assert begin(scope(), never) == winner
    assert effects() == 1


def test_a_constraint_of_the_command_itself_is_not_swallowed(app: Flask) -> None:
    def twice() -> Answer:
        first = create_tenant(kind=TenantKind.BANK, name="b", prefix="bnk")
        second = create_tenant(kind=TenantKind.BANK, name="b", prefix="bnk")
        second.public_id = first.public_id
        db.session.flush()
        raise AssertionError("two tenants have one id")

    with pytest.raises(IntegrityError):
        begin(scope(), twice)
    assert (effects(), keys()) == (0, [])


def test_answers_are_kept_two_days(app: Flask, real_time: RealTime) -> None:
    begin(scope(key="old"), effect)
    real_time.pass_by(timedelta(hours=47))
    begin(scope(key="new"), effect)
    with write_transaction():
        assert purge() == 0
    real_time.pass_by(timedelta(hours=1, seconds=1))
    with write_transaction():
        assert purge() == 1
    assert keys() == [("new", "completed")]
