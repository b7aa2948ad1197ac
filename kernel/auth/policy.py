"""Who may call what: one table, in ``app/policy.py``, in which every route must stand.

This module is the mechanism. A route that is missing from the table is refused for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kernel.errors import Forbidden, NotSignedIn


class Role(StrEnum):
    EMPLOYEE = "employee"
    HR = "hr"
    FINANCE = "finance"
    MERCHANT_OWNER = "merchant_owner"
    MARKETING = "marketing"
    OPERATOR = "operator"


class TenantKind(StrEnum):
    ENTERPRISE = "enterprise"
    MERCHANT = "merchant"
    BANK = "bank"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for which tenant. Services get it explicitly and never read the request."""

    person_id: int
    person_public_id: str
    login: str
    name: str
    membership_id: int
    membership_public_id: str
    tenant_id: int
    tenant_public_id: str
    tenant_kind: TenantKind
    tenant_name: str
    roles: frozenset[Role] = field(default_factory=frozenset)
    active: bool = True

    def has(self, *roles: Role) -> bool:
        return bool(self.roles.intersection(roles))


@dataclass(frozen=True, slots=True)
class Access:
    """``PUBLIC``, ``SIGNED_IN``, or the roles of which one is needed."""

    public: bool = False
    roles: frozenset[Role] = frozenset()

    @classmethod
    def of(cls, *roles: Role) -> Access:
        return cls(roles=frozenset(roles))


PUBLIC = Access(public=True)
SIGNED_IN = Access()

Policy = Mapping[str, Access]


def authorise(policy: Policy, endpoint: str, actor: Actor | None) -> None:
    """Raise :class:`NotSignedIn` or :class:`Forbidden` unless ``actor`` may call ``endpoint``."""
    access = policy.get(endpoint)
    if access is None:
        raise Forbidden("这个接口没有登记权限")
    if access.public:
        return
    if actor is None:
        raise NotSignedIn
    # A leaver keeps what is theirs (orders, points, the cart), and no office (Domain rule 21a).
    held = actor.roles if actor.active else actor.roles & {Role.EMPLOYEE}
    if access.roles and not held & access.roles:
        raise Forbidden
