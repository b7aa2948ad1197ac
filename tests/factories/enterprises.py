"""Companies with people, pots and credit, granted by a maker and a checker as in life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from enterprises.services.budgets import approve_grant, open_budget, submit_grant
from enterprises.services.companies import (
    BillingEntityView,
    EnterpriseView,
    add_billing_entity,
    add_employee,
    create_enterprise,
)
from kernel import clock
from kernel.auth.models import Person
from kernel.auth.policy import Actor, Role
from points.services.pots import PotView, create_pot, issue_points
from shop.rules import GoodsRule
from tests.factories.people import actor_of, build_person

_numbers = count(1)


@dataclass(frozen=True)
class Company:
    """An enterprise with one billing entity, its maker (``hr``) and its checker (``finance``)."""

    view: EnterpriseView
    entity: BillingEntityView
    hr: Actor
    finance: Actor

    @property
    def id(self) -> int:
        return self.view.id

    @property
    def public_id(self) -> str:
        return self.view.public_id


def build_company(
    name: str = "阿尔法科技",
    *,
    credit_limit_minor: int = 100_000_000,
    invoice_detail: str = "items",
) -> Company:
    view = create_enterprise(
        name=name,
        credit_limit_minor=credit_limit_minor,
        term_days=30,
        invoice_detail=invoice_detail,
    )
    entity = add_billing_entity(
        enterprise_id=view.id, name=f"{name}有限公司", tax_number="91330100MA2ALPHA0X"
    )
    return Company(
        view=view,
        entity=entity,
        hr=hire(view.id, roles=(Role.HR,)),
        finance=hire(view.id, roles=(Role.FINANCE,)),
    )


def hire(
    enterprise_id: int,
    *,
    login: str | None = None,
    person: Person | None = None,
    roles: tuple[Role, ...] = (Role.EMPLOYEE,),
) -> Actor:
    """A person (a new one unless given) with an employee record."""
    person = person or build_person(login)
    return actor_of(
        add_employee(
            enterprise_id=enterprise_id,
            person_id=person.id,
            number=f"E{next(_numbers):05d}",
            department="研发部",
            roles=roles,
        )
    )


def build_pot(
    company: Company,
    name: str = "通用福利",
    *,
    rule: GoodsRule | None = None,
    entity: BillingEntityView | None = None,
    pays_freight: bool = True,
    on_expiry: str = "budget",
    refund_after_expiry: str = "restore",
    grace_days: int = 30,
) -> PotView:
    """A pot that may pay all goods, unless ``rule`` says otherwise."""
    return create_pot(
        enterprise_id=company.id,
        billing_entity_id=(entity or company.entity).public_id,
        name=name,
        rule=(rule or GoodsRule()).to_json(),
        rule_text="全部商品",
        pays_freight=pays_freight,
        on_expiry=on_expiry,
        refund_after_expiry=refund_after_expiry,
        grace_days=grace_days,
    )


def build_budget(company: Company, amount_minor: int, *, name: str = "年度福利") -> str:
    """An open budget; returns its public id."""
    return open_budget(
        enterprise_id=company.id, name=name, amount_minor=amount_minor, key=f"test-{next(_numbers)}"
    )


def grant(
    company: Company,
    pot: PotView,
    amounts: Mapping[Actor, int],
    *,
    days: float = 365,
    budget_id: str | None = None,
) -> list[str]:
    """Lots of ``actor → fen`` that expire in ``days``; returns their public ids, as ``amounts``.

    Without ``budget_id``, out of a new budget of exactly the sum.
    """
    budget_id = budget_id or build_budget(company, sum(amounts.values()))
    grant_id = submit_grant(
        actor=company.hr,
        key=f"grant-{next(_numbers)}",
        budget_id=budget_id,
        pot_id=pot.public_id,
        name="中秋福利",
        expires_at=clock.now() + timedelta(days=days),
        amounts={actor.membership_id: fen for actor, fen in amounts.items()},
    )
    # Lots come in the order of memberships.
    lots = approve_grant(actor=company.finance, grant_id=grant_id)
    by_membership = dict(zip(sorted(a.membership_id for a in amounts), lots, strict=True))
    return [by_membership[actor.membership_id] for actor in amounts]


def give_points(actor: Actor, points: int, *, days: float = 365) -> str:
    """A lot of points from the bank; returns its public id."""
    return issue_points(
        key=f"test-{next(_numbers)}",
        person_id=actor.person_id,
        points=points,
        source="银行赠送",
        expires_at=clock.now() + timedelta(days=days),
    )
