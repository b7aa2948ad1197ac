"""People who can sign in, and the actors that they are in a tenant."""

from __future__ import annotations

from functools import lru_cache
from itertools import count

from argon2 import PasswordHasher
from sqlalchemy import select

from kernel.auth.models import Membership, Person, Tenant
from kernel.auth.policy import Actor, Role, TenantKind
from kernel.auth.services import add_membership, create_person, create_tenant
from kernel.db import db

PASSWORD = "a password of tests"

# Argon2id as the product's, but as cheap as it gets: a hash says itself how it is checked.
_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

_numbers = count(1)


@lru_cache(maxsize=8)
def password_hash(password: str = PASSWORD) -> str:
    return _hasher.hash(password)


def build_person(
    login: str | None = None, *, name: str = "李明", password: str = PASSWORD
) -> Person:
    """A person who signs in with :data:`PASSWORD`; without a login, one of its own."""
    return create_person(
        login=login or f"person{next(_numbers)}@people.example",
        name=name,
        password_hash=password_hash(password),
    )


def actor_of(membership_id: int) -> Actor:
    """The actor that a membership (internal id) acts as."""
    row = db.session.execute(
        select(Person, Membership, Tenant)
        .join(Membership, Membership.person_id == Person.id)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(Membership.id == membership_id)
    ).one()
    return Actor(
        person_id=row.Person.id,
        person_public_id=row.Person.public_id,
        login=row.Person.login,
        name=row.Person.name,
        membership_id=row.Membership.id,
        membership_public_id=row.Membership.public_id,
        tenant_id=row.Tenant.id,
        tenant_public_id=row.Tenant.public_id,
        tenant_kind=TenantKind(row.Tenant.kind),
        tenant_name=row.Tenant.name,
        roles=frozenset(Role(role) for role in row.Membership.roles),
        active=row.Membership.active,
    )


def build_member(
    tenant_id: int, *roles: Role, login: str | None = None, person: Person | None = None
) -> Actor:
    """A person (a new one unless given) with ``roles`` in a tenant."""
    person = person or build_person(login)
    membership = add_membership(person_id=person.id, tenant_id=tenant_id, roles=roles)
    return actor_of(membership.id)


def build_operator(login: str | None = None) -> Actor:
    """One who runs the platform."""
    tenant = _only_tenant(TenantKind.PLATFORM, "福满平台", "plt")
    return build_member(tenant, Role.OPERATOR, login=login)


def build_marketer(login: str | None = None) -> Actor:
    """One who makes the bank's campaigns."""
    tenant = _only_tenant(TenantKind.BANK, "示例银行", "bnk")
    return build_member(tenant, Role.MARKETING, login=login)


def _only_tenant(kind: TenantKind, name: str, prefix: str) -> int:
    found = db.session.scalar(select(Tenant.id).where(Tenant.kind == kind.value))
    return found or create_tenant(kind=kind, name=name, prefix=prefix).id
