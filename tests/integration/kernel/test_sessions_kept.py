"""Sessions in Redis: for a minute at most, and never after they were revoked (Domain rule 36)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, update

from kernel import redis_link as redis_module
from kernel.auth import services as auth
from kernel.auth import sessions
from kernel.auth.models import Membership, Person
from kernel.auth.policy import Actor, Role
from kernel.auth.services import sign_in
from kernel.db import db, write_transaction
from kernel.redis_link import RedisLink, key, redis_link
from tests.factories.enterprises import build_company
from tests.factories.people import PASSWORD, build_member
from tests.integration.kernel.conftest import RealTime
from tests.integration.kernel.parts import NEEDS_REDIS, NOBODY
from tests.integration.kernel.test_auth import LOGIN, employee

__all__ = ["employee"]

pytestmark = NEEDS_REDIS


@contextmanager
def _statements() -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    seen: list[str] = []

    def note(_c: object, _u: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    for engine in db.engines.values():
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in db.engines.values():
            event.remove(engine, "before_cursor_execute", note)


def _is_kept(token: str) -> bool:
    link = redis_link()
    assert link is not None
    value = link.ask(lambda r: r.get(key("session", auth._token_hash(token))))
    return value not in (None, b"-")


def test_a_session_is_looked_up_once_a_minute(
    app: Flask, employee: Actor, real_time: RealTime
) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    assert auth.find_actor(token) == employee
    with _statements() as asked:
        for _ in range(3):
            assert auth.find_actor(token) == employee
        assert asked == []
        real_time.pass_by(timedelta(seconds=sessions.KEPT_SECONDS + 1))
        assert auth.find_actor(token) == employee
        assert len(asked) > 0


def test_signing_out_ends_it_everywhere_at_once(app: Flask, employee: Actor) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    auth.find_actor(token)
    assert _is_kept(token)
    auth.sign_out(token)
    assert not _is_kept(token)
    assert auth.find_actor(token) is None


def test_who_read_the_database_before_cannot_put_it_back(app: Flask, employee: Actor) -> None:
    """A request that was under way while the session was revoked."""
    token = sign_in(login=LOGIN, password=PASSWORD)
    token_hash = auth._token_hash(token)
    auth.sign_out(token)
    sessions.keep(token_hash, employee, expires_at=4e9)
    assert sessions.find(token_hash) is None
    assert auth.find_actor(token) is None


def test_switching_is_seen_at_once(app: Flask, employee: Actor) -> None:
    with write_transaction():
        person = db.session.get_one(Person, employee.person_id)
        second = build_member(build_company("贝塔贸易").id, Role.HR, person=person)
    token = sign_in(login=LOGIN, password=PASSWORD)
    assert auth.find_actor(token) == employee
    auth.switch_membership(actor=employee, token=token, membership_id=second.membership_public_id)
    assert auth.find_actor(token) == second
    assert auth.find_actor(token) == second


def test_a_leaver_is_one_at_once_and_stays_signed_in(app: Flask, employee: Actor) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    assert auth.find_actor(token) == employee
    auth.end_membership(membership_id=employee.membership_id)
    found = auth.find_actor(token)
    assert found is not None
    assert (found.active, found.membership_id) == (False, employee.membership_id)


def test_ending_all_sessions_of_a_person(app: Flask, employee: Actor) -> None:
    tokens = [sign_in(login=LOGIN, password=PASSWORD) for _ in range(3)]
    for token in tokens:
        auth.find_actor(token)
    db.session.rollback()
    with write_transaction():
        db.session.execute(update(Membership).values(active=False))
    assert auth.end_sessions(person_id=employee.person_id) == 3
    assert [auth.find_actor(token) for token in tokens] == [None] * 3


def test_a_session_that_ends_is_not_kept_beyond(
    app: Flask, employee: Actor, real_time: RealTime
) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    real_time.pass_by(timedelta(hours=12, seconds=-3))
    assert auth.find_actor(token) == employee
    link = redis_link()
    assert link is not None
    left: Any = link.ask(lambda r: r.pttl(key("session", auth._token_hash(token))))
    assert 0 < left <= 3_000
    real_time.pass_by(timedelta(seconds=4))
    assert auth.find_actor(token) is None


def test_without_redis_the_database_is_asked(
    app: Flask, employee: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = RedisLink(NOBODY)
    monkeypatch.setattr(redis_module, "_link", lambda _url: away)
    token = sign_in(login=LOGIN, password=PASSWORD)
    assert auth.find_actor(token) == employee
    with _statements() as asked:
        assert auth.find_actor(token) == employee
        assert len(asked) > 0
    auth.sign_out(token)
    assert auth.find_actor(token) is None
