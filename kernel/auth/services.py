"""Sign-in with argon2id, server-side sessions, lockout, memberships."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Row, bindparam, delete, insert, select, update

from kernel import clock
from kernel.audit import services as audit
from kernel.auth import sessions
from kernel.auth.models import LoginThrottle, Membership, Person, Tenant, UserSession
from kernel.auth.policy import Actor, Role, TenantKind
from kernel.crypto import blind_index, derived_key
from kernel.db import changed_rows, db, run, write_transaction
from kernel.errors import NotFound, Problem
from kernel.ids import public_id
from kernel.settings import get_settings

# OWASP's second recommendation for argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Checked when the name is unknown, so that both failures take the same time.
_DUMMY_HASH = _hasher.hash("no such person")

FREE_FAILURES = 5
_LONGEST_LOCK = timedelta(minutes=15)
_SEEN_EVERY = timedelta(minutes=1)


class WrongCredentials(Problem):
    code = "wrong_credentials"
    status = 401
    title = "账号或密码不对"


class TooManyFailures(Problem):
    code = "too_many_failures"
    status = 429
    title = "尝试次数过多，请稍后再试"


@dataclass(frozen=True)
class MembershipView:
    membership_id: str
    tenant_id: str
    tenant_kind: str
    tenant_name: str
    roles: list[str]
    active: bool


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def create_tenant(*, kind: TenantKind, name: str, prefix: str) -> Tenant:
    """A tenant row; the room that owns the kind adds its own with the same id."""
    tenant = Tenant(public_id=public_id(prefix), kind=kind.value, name=name)
    db.session.add(tenant)
    db.session.flush()
    return tenant


def create_person(*, login: str, name: str, password_hash: str) -> Person:
    person = Person(
        public_id=public_id("usr"),
        login=login.strip().lower(),
        name=name,
        password_hash=password_hash,
        created_at=clock.now(),
    )
    db.session.add(person)
    db.session.flush()
    return person


def add_membership(*, person_id: int, tenant_id: int, roles: Sequence[Role]) -> Membership:
    membership = Membership(
        public_id=public_id("mbr"),
        person_id=person_id,
        tenant_id=tenant_id,
        roles=[role.value for role in roles],
        active=True,
    )
    db.session.add(membership)
    db.session.flush()
    return membership


def sign_in(*, login: str, password: str) -> str:
    """Check the password and open a session; returns its token. Opens its own transactions.

    Raises :class:`WrongCredentials`, the same for a wrong name or password, and
    :class:`TooManyFailures` once a name has failed :data:`FREE_FAILURES` times.
    """
    name = login.strip().lower()
    throttle = blind_index(name)
    _check_lock(throttle)
    found = db.session.execute(
        select(Person.id, Person.password_hash).where(Person.login == name)
    ).one_or_none()
    db.session.rollback()
    try:
        # Hashing takes a while, so it runs outside of any transaction.
        _hasher.verify(found.password_hash if found else _DUMMY_HASH, password)
        accepted = found
    except VerificationError:
        accepted = None
    with write_transaction():
        if accepted is None:
            _count_failure(throttle)
        else:
            db.session.execute(delete(LoginThrottle).where(LoginThrottle.login_hash == throttle))
            return _open_session(accepted.id)
    raise WrongCredentials


def _check_lock(throttle: str) -> None:
    until = db.session.scalar(
        select(LoginThrottle.locked_until).where(LoginThrottle.login_hash == throttle)
    )
    if until is not None and until > clock.real_now():
        seconds = int((until - clock.real_now()).total_seconds()) + 1
        raise TooManyFailures(f"尝试次数过多，请 {seconds} 秒后再试", retry_after=seconds)


def _count_failure(throttle: str) -> None:
    row = db.session.get(LoginThrottle, throttle)
    at = clock.real_now()
    if row is None:
        db.session.add(LoginThrottle(login_hash=throttle, failures=1, last_failure_at=at))
        return
    row.failures += 1
    row.last_failure_at = at
    over = row.failures - FREE_FAILURES
    if over >= 0:
        row.locked_until = at + min(timedelta(seconds=30 * 2 ** min(over, 6)), _LONGEST_LOCK)


def _open_session(person_id: int) -> str:
    membership_id = db.session.scalar(
        select(Membership.id)
        .where(Membership.person_id == person_id)
        .order_by(Membership.active.desc(), Membership.id)
        .limit(1)
    )
    if membership_id is None:
        raise WrongCredentials
    token = secrets.token_urlsafe(32)
    at = clock.real_now()
    db.session.execute(
        insert(UserSession).values(
            token_hash=_token_hash(token),
            person_id=person_id,
            membership_id=membership_id,
            created_at=at,
            last_seen_at=at,
            expires_at=at + timedelta(hours=get_settings().session_hours),
        )
    )
    return token


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def csrf_token(token: str) -> str:
    """Derived from the session's token, so it needs no place of its own."""
    return hmac.new(derived_key("csrf"), token.encode(), "sha256").hexdigest()


_ACTOR = (
    select(
        Person.id.label("person_id"),
        Person.public_id.label("person_public_id"),
        Person.login,
        Person.name,
        Membership.id.label("membership_id"),
        Membership.public_id.label("membership_public_id"),
        Membership.roles,
        Membership.active,
        Tenant.id.label("tenant_id"),
        Tenant.public_id.label("tenant_public_id"),
        Tenant.kind,
        Tenant.name.label("tenant_name"),
    )
    .select_from(Membership)
    .join(Person, Person.id == Membership.person_id)
    .join(Tenant, Tenant.id == Membership.tenant_id)
)


def _actor(row: Row[*tuple[Any, ...]]) -> Actor:
    return Actor(
        person_id=row.person_id,
        person_public_id=row.person_public_id,
        login=row.login,
        name=row.name,
        membership_id=row.membership_id,
        membership_public_id=row.membership_public_id,
        tenant_id=row.tenant_id,
        tenant_public_id=row.tenant_public_id,
        tenant_kind=TenantKind(row.kind),
        tenant_name=row.tenant_name,
        roles=frozenset(Role(role) for role in row.roles),
        active=row.active,
    )


# Every request sends it, so it is made once: building a statement costs more than running it.
_ACTOR_OF_SESSION = (
    _ACTOR.add_columns(UserSession.expires_at, UserSession.last_seen_at)
    .join(UserSession, UserSession.membership_id == Membership.id)
    .where(UserSession.token_hash == bindparam("the_token"))
)


def find_actor(token: str) -> Actor | None:
    """Whom a session's token stands for; None where it is unknown or over. One query at most."""
    token_hash = _token_hash(token)
    kept = sessions.find(token_hash)
    if kept is not None:
        return kept
    row = run(_ACTOR_OF_SESSION, [{"the_token": token_hash}]).one_or_none()
    if row is None or row.expires_at <= clock.real_now():
        return None
    db.session.rollback()
    if clock.real_now() - row.last_seen_at > _SEEN_EVERY:
        with write_transaction():
            db.session.execute(
                update(UserSession)
                .where(UserSession.token_hash == token_hash)
                .values(last_seen_at=clock.real_now())
            )
    actor = _actor(row)
    sessions.keep(token_hash, actor, expires_at=row.expires_at.timestamp())
    return actor


def actor_of_login(login: str) -> Actor | None:
    """A login acting for its first membership, an enterprise's before others: command lines."""
    row = db.session.execute(
        _ACTOR.where(Person.login == login.strip().lower())
        .order_by(Tenant.kind != TenantKind.ENTERPRISE.value, Membership.id)
        .limit(1)
    ).one_or_none()
    return _actor(row) if row else None


def sign_out(token: str) -> None:
    """End a session. Opens its own transaction."""
    token_hash = _token_hash(token)
    sessions.bar([token_hash])
    with write_transaction():
        db.session.execute(delete(UserSession).where(UserSession.token_hash == token_hash))


def end_sessions(*, person_id: int) -> int:
    """End all sessions of a person: a new password, or a membership that was changed.

    Opens its own transactions; returns how many there were.
    """
    mine = UserSession.person_id == person_id
    hashes = db.session.scalars(select(UserSession.token_hash).where(mine)).all()
    db.session.rollback()
    sessions.bar(hashes)
    with write_transaction():
        return changed_rows(delete(UserSession).where(mine))


def end_membership(*, membership_id: int) -> None:
    """The person is with that tenant no more (Domain rule 21a); their sessions know it at once.

    They stay signed in: past orders, invoices and points are still theirs to reach. Opens its own
    transactions.
    """
    hashes = db.session.scalars(
        select(UserSession.token_hash)
        .join(Membership, Membership.person_id == UserSession.person_id)
        .where(Membership.id == membership_id)
    ).all()
    db.session.rollback()
    sessions.bar(hashes)
    with write_transaction():
        db.session.execute(
            update(Membership).where(Membership.id == membership_id).values(active=False)
        )


def list_memberships(*, person_id: int) -> list[MembershipView]:
    rows = db.session.execute(
        select(
            Membership.public_id,
            Membership.roles,
            Membership.active,
            Tenant.public_id.label("tenant_id"),
            Tenant.kind,
            Tenant.name,
        )
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(Membership.person_id == person_id)
        .order_by(Membership.id)
        .limit(50)
    )
    return [
        MembershipView(r.public_id, r.tenant_id, r.kind, r.name, r.roles, r.active) for r in rows
    ]


def is_personalised(*, person_id: int) -> bool:
    """Whether what a person did before may shape what they are shown."""
    found = db.session.scalar(select(Person.personalised).where(Person.id == person_id))
    return bool(found)


def set_personalised(*, actor: Actor, personalised: bool) -> None:
    """Switch personalisation on or off for a person; the audit log has each change."""
    changed = changed_rows(
        update(Person)
        .where(Person.id == actor.person_id, Person.personalised.is_not(personalised))
        .values(personalised=personalised)
    )
    if changed:
        audit.record(
            actor=actor.person_public_id,
            action="person.set_personalisation",
            subject=actor.person_public_id,
            details={"personalisation": personalised},
        )


def switch_membership(*, actor: Actor, token: str, membership_id: str) -> None:
    """Let this session act for another of the person's memberships. Opens its own transaction.

    Raises :class:`NotFound`.
    """
    found = db.session.scalar(
        select(Membership.id).where(
            Membership.public_id == membership_id, Membership.person_id == actor.person_id
        )
    )
    if found is None:
        raise NotFound("没有这个身份")
    db.session.rollback()
    token_hash = _token_hash(token)
    sessions.bar([token_hash])
    with write_transaction():
        db.session.execute(
            update(UserSession)
            .where(UserSession.token_hash == token_hash)
            .values(membership_id=found)
        )


def names_of(public_ids: Collection[str]) -> dict[str, str]:
    """The names of people by public id, in one statement."""
    if not public_ids:
        return {}
    rows = db.session.execute(
        select(Person.public_id, Person.name).where(Person.public_id.in_(public_ids))
    )
    return dict(rows.tuples().all())


def purge_sessions(*, limit: int = 5000) -> int:
    """Forget sessions that are over."""
    hashes = db.session.scalars(
        select(UserSession.token_hash).where(UserSession.expires_at < clock.real_now()).limit(limit)
    ).all()
    if hashes:
        db.session.execute(delete(UserSession).where(UserSession.token_hash.in_(hashes)))
    return len(hashes)
