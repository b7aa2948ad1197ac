"""Sign-in, lockout, sessions and memberships."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from kernel import clock
from kernel.auth import services as auth
from kernel.auth.models import Membership, Person, UserSession
from kernel.auth.policy import Actor, Role, TenantKind
from kernel.auth.services import FREE_FAILURES, TooManyFailures, WrongCredentials, sign_in
from kernel.crypto import blind_index
from kernel.db import db, write_transaction
from kernel.errors import NotFound
from tests.factories.enterprises import build_company, hire
from tests.factories.people import PASSWORD, build_member, build_operator, build_person
from tests.integration.kernel.conftest import RealTime

LOGIN = "li.ming@alpha.example"


@pytest.fixture
def employee(app: Flask) -> Actor:
    with write_transaction():
        return hire(build_company().id, login=LOGIN)


def _count(table: str) -> int:
    found = db.session.scalar(text(f"SELECT count(*) FROM {table}")) or 0
    db.session.rollback()
    return int(found)


def _fail(times: int, login: str = LOGIN) -> None:
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            sign_in(login=login, password="wrong")


def test_the_right_password_opens_a_session(employee: Actor) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    assert auth.find_actor(token) == employee
    assert employee.tenant_kind is TenantKind.ENTERPRISE
    assert employee.roles == {Role.EMPLOYEE}
    kept = db.session.scalars(select(UserSession.token_hash)).one()
    assert token not in kept
    assert len(token) >= 43
    assert sign_in(login=f"  {LOGIN.upper()} ", password=PASSWORD) != token
    assert _count("user_session") == 2


@pytest.mark.parametrize("password", ["wrong", "", PASSWORD + " ", PASSWORD.upper()])
def test_another_password_opens_none(employee: Actor, password: str) -> None:
    with pytest.raises(WrongCredentials):
        sign_in(login=LOGIN, password=password)
    assert _count("user_session") == 0


def test_an_unknown_name_is_checked_as_long_as_a_known_one(employee: Actor) -> None:
    with patch.object(auth, "_hasher", wraps=auth._hasher) as hasher:
        _fail(1, "nobody@alpha.example")
        _fail(1)
    assert hasher.verify.call_count == 2
    assert hasher.verify.call_args_list[0].args == (auth._DUMMY_HASH, "wrong")


def test_the_dummy_password_signs_nobody_in(employee: Actor) -> None:
    with pytest.raises(WrongCredentials):
        sign_in(login="nobody@alpha.example", password="no such person")


def test_passwords_are_kept_as_argon2id() -> None:
    kept, again = auth.hash_password("secret"), auth.hash_password("secret")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert kept != again


@pytest.mark.parametrize("login", [LOGIN, "nobody@alpha.example"])
def test_a_name_locks_after_its_failures_known_or_not(employee: Actor, login: str) -> None:
    _fail(FREE_FAILURES, login)
    with pytest.raises(TooManyFailures) as caught:
        sign_in(login=login, password=PASSWORD)
    assert caught.value.status == 429
    assert caught.value.retry_after is not None
    assert 28 <= caught.value.retry_after <= 31
    assert _count("user_session") == 0
    # Nobody else is locked out.
    if login != LOGIN:
        assert sign_in(login=LOGIN, password=PASSWORD)


def test_a_lock_passes_and_success_forgets_the_failures(
    employee: Actor, real_time: RealTime
) -> None:
    _fail(FREE_FAILURES)
    real_time.pass_by(timedelta(seconds=29))
    with pytest.raises(TooManyFailures):
        sign_in(login=LOGIN, password=PASSWORD)
    real_time.pass_by(timedelta(seconds=2))
    assert sign_in(login=LOGIN, password=PASSWORD)
    assert _count("login_throttle") == 0
    _fail(FREE_FAILURES - 1)
    assert sign_in(login=LOGIN, password=PASSWORD)


def test_locks_grow_to_a_quarter_of_an_hour(employee: Actor, real_time: RealTime) -> None:
    _fail(FREE_FAILURES - 1)
    waits = []
    for _ in range(8):
        _fail(1)
        with pytest.raises(TooManyFailures) as caught:
            sign_in(login=LOGIN, password=PASSWORD)
        waits.append((caught.value.retry_after or 0) // 10 * 10)
        real_time.pass_by(timedelta(seconds=(caught.value.retry_after or 0) + 1))
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_failures_are_kept_without_the_name(employee: Actor) -> None:
    _fail(1)
    kept = db.session.scalar(text("SELECT login_hash FROM login_throttle"))
    assert kept == blind_index(LOGIN)


def test_a_moved_business_clock_neither_ends_nor_prolongs_a_session(employee: Actor) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    with clock.frozen(clock.real_now() + timedelta(days=400)):
        assert auth.find_actor(token) == employee


def test_a_session_ends_by_itself(employee: Actor, real_time: RealTime) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)
    real_time.pass_by(timedelta(hours=12, seconds=-5))
    assert auth.find_actor(token) == employee
    with write_transaction():
        assert auth.purge_sessions() == 0
    real_time.pass_by(timedelta(seconds=6))
    assert auth.find_actor(token) is None
    db.session.rollback()
    with write_transaction():
        assert auth.purge_sessions() == 1
        assert auth.purge_sessions() == 0
    assert _count("user_session") == 0


def test_last_seen_is_written_once_a_minute_at_most(employee: Actor, real_time: RealTime) -> None:
    token = sign_in(login=LOGIN, password=PASSWORD)

    def last_seen() -> str:
        auth.find_actor(token)
        found = db.session.scalar(text("SELECT last_seen_at FROM user_session"))
        db.session.rollback()
        return str(found)

    first = last_seen()
    real_time.pass_by(timedelta(seconds=55))
    assert last_seen() == first
    real_time.pass_by(timedelta(seconds=10))
    second = last_seen()
    assert second > first
    assert last_seen() == second


def test_signing_out_ends_this_session_only(employee: Actor) -> None:
    one, other = (sign_in(login=LOGIN, password=PASSWORD) for _ in range(2))
    auth.sign_out(one)
    assert auth.find_actor(one) is None
    assert auth.find_actor(other) == employee


@pytest.mark.parametrize("token", ["", "guess", "é"])
def test_an_unknown_token_is_nobody(employee: Actor, token: str) -> None:
    assert auth.find_actor(token) is None


def test_csrf_tokens_belong_to_their_session() -> None:
    assert auth.csrf_token("a") == auth.csrf_token("a")
    assert auth.csrf_token("a") != auth.csrf_token("b")


def test_a_person_without_a_membership_cannot_sign_in(app: Flask) -> None:
    with write_transaction():
        build_person("lonely@people.example")
    with pytest.raises(WrongCredentials):
        sign_in(login="lonely@people.example", password=PASSWORD)
    assert _count("user_session") == 0


def test_a_session_acts_for_one_membership_and_can_switch(employee: Actor) -> None:
    with write_transaction():
        person = db.session.get_one(Person, employee.person_id)
        second = build_member(build_company("贝塔贸易").id, Role.HR, person=person)
    token = sign_in(login=LOGIN, password=PASSWORD)
    other_session = sign_in(login=LOGIN, password=PASSWORD)
    assert auth.find_actor(token) == employee
    auth.switch_membership(actor=employee, token=token, membership_id=second.membership_public_id)
    assert auth.find_actor(token) == second
    assert second.roles == {Role.HR}
    assert auth.find_actor(other_session) == employee
    assert [
        (m.membership_id, m.tenant_name, m.roles, m.active) for m in _memberships(employee)
    ] == [
        (employee.membership_public_id, "阿尔法科技", ["employee"], True),
        (second.membership_public_id, "贝塔贸易", ["hr"], True),
    ]


def _memberships(actor: Actor) -> list[auth.MembershipView]:
    return auth.list_memberships(person_id=actor.person_id)


def test_nobody_switches_to_somebody_elses_membership(employee: Actor) -> None:
    with write_transaction():
        stranger = build_operator()
    token = sign_in(login=LOGIN, password=PASSWORD)
    for wanted in (stranger.membership_public_id, "mbr_none"):
        with pytest.raises(NotFound), write_transaction():
            auth.switch_membership(actor=employee, token=token, membership_id=wanted)
    assert auth.find_actor(token) == employee


def test_a_leaver_still_signs_in_and_an_active_membership_goes_first(employee: Actor) -> None:
    with write_transaction():
        db.session.execute(update(Membership).values(active=False))
    actor = auth.find_actor(sign_in(login=LOGIN, password=PASSWORD))
    assert actor is not None
    assert actor.active is False
    db.session.rollback()
    with write_transaction():
        person = db.session.get_one(Person, employee.person_id)
        second = build_member(build_company("贝塔贸易").id, Role.EMPLOYEE, person=person)
    assert auth.find_actor(sign_in(login=LOGIN, password=PASSWORD)) == second


def test_a_command_line_acts_as_a_login_in_its_enterprise_first(app: Flask) -> None:
    with write_transaction():
        operator = build_operator(LOGIN)
        person = db.session.get_one(Person, operator.person_id)
    assert auth.actor_of_login(LOGIN) == operator
    db.session.rollback()
    with write_transaction():
        employee = hire(build_company().id, person=person)
    assert auth.actor_of_login(f" {LOGIN.upper()} ") == employee
    assert auth.actor_of_login("nobody@alpha.example") is None
