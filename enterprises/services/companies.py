"""Enterprises, their billing entities, employees and programme."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, bindparam, select, update

from enterprises.models import BillingEntity, Employee, Enterprise, Programme
from kernel.auth.models import Tenant
from kernel.auth.policy import Role, TenantKind
from kernel.auth.services import add_membership, create_tenant
from kernel.db import db, run
from kernel.errors import NotFound
from kernel.ids import public_id
from shop.rules import GoodsRule

# Statements of the hot path are made once: building one costs more than running it.
_INVOICE_TERMS = (
    select(
        BillingEntity.public_id,
        BillingEntity.enterprise_id,
        BillingEntity.name,
        BillingEntity.tax_number,
        BillingEntity.address_phone,
        BillingEntity.bank_account,
        Enterprise.invoice_detail,
    )
    .join(Enterprise, Enterprise.id == BillingEntity.enterprise_id)
    .where(BillingEntity.public_id == bindparam("the_entity"))
)
_PROGRAMME = select(Programme.rule, Programme.version).where(
    Programme.enterprise_id == bindparam("the_enterprise")
)


@dataclass(frozen=True, slots=True)
class EnterpriseView:
    id: int
    public_id: str
    name: str
    credit_limit_minor: int
    term_days: int
    invoice_detail: str
    employee_sees_invoice: bool


@dataclass(frozen=True, slots=True)
class EnterpriseName:
    id: int
    public_id: str
    name: str


@dataclass(frozen=True, slots=True)
class BillingEntityView:
    public_id: str
    enterprise_id: int
    name: str
    tax_number: str
    address_phone: str
    bank_account: str


def create_enterprise(
    *, name: str, credit_limit_minor: int, term_days: int, invoice_detail: str = "items"
) -> EnterpriseView:
    """A company with an open programme: its people see all until a rule says otherwise."""
    tenant = create_tenant(kind=TenantKind.ENTERPRISE, name=name, prefix="ent")
    db.session.add(
        Enterprise(
            id=tenant.id,
            credit_limit_minor=credit_limit_minor,
            term_days=term_days,
            invoice_detail=invoice_detail,
            employee_sees_invoice=True,
        )
    )
    db.session.flush()
    db.session.add(
        Programme(
            public_id=public_id("prg"),
            enterprise_id=tenant.id,
            name="全员福利",
            rule=GoodsRule().to_json(),
        )
    )
    db.session.flush()
    return find_enterprise(enterprise_id=tenant.id)


def find_enterprise(*, enterprise_id: int) -> EnterpriseView:
    """By internal id. Raises :class:`NotFound`."""
    row = db.session.execute(
        select(Enterprise, Tenant.public_id, Tenant.name)
        .join(Tenant, Tenant.id == Enterprise.id)
        .where(Enterprise.id == enterprise_id)
    ).one_or_none()
    if row is None:
        raise NotFound("没有这家企业")
    company: Enterprise = row.Enterprise
    return EnterpriseView(
        id=company.id,
        public_id=row.public_id,
        name=row.name,
        credit_limit_minor=company.credit_limit_minor,
        term_days=company.term_days,
        invoice_detail=company.invoice_detail,
        employee_sees_invoice=company.employee_sees_invoice,
    )


def list_enterprises(*, name: str, before: int | None, limit: int) -> list[EnterpriseName]:
    """Newest first; with ``name`` only those that have it in theirs."""
    statement = _names().order_by(Enterprise.id.desc()).limit(limit)
    if name.strip():
        statement = statement.where(Tenant.name.icontains(name.strip(), autoescape=True))
    if before is not None:
        statement = statement.where(Enterprise.id < before)
    return [EnterpriseName(*row) for row in db.session.execute(statement)]


def name_enterprise(*, public_id: str) -> EnterpriseName:
    """By public id. Raises :class:`NotFound`."""
    row = db.session.execute(_names().where(Tenant.public_id == public_id)).one_or_none()
    if row is None:
        raise NotFound("没有这家企业")
    return EnterpriseName(*row)


def _names() -> Select[int, str, str]:
    return select(Enterprise.id, Tenant.public_id, Tenant.name).join(
        Tenant, Tenant.id == Enterprise.id
    )


def add_billing_entity(
    *,
    enterprise_id: int,
    name: str,
    tax_number: str,
    address_phone: str = "",
    bank_account: str = "",
) -> BillingEntityView:
    entity = BillingEntity(
        public_id=public_id("bil"),
        enterprise_id=enterprise_id,
        name=name,
        tax_number=tax_number,
        address_phone=address_phone,
        bank_account=bank_account,
    )
    db.session.add(entity)
    db.session.flush()
    return find_billing_entity(entity_id=entity.public_id)


def find_billing_entity(*, entity_id: str) -> BillingEntityView:
    """By public id. Raises :class:`NotFound`."""
    return invoice_terms(entity_id=entity_id)[0]


def invoice_terms(*, entity_id: str) -> tuple[BillingEntityView, str]:
    """The billing entity, and in what detail its enterprise wants invoices (``items`` or
    ``category``). Raises :class:`NotFound`."""
    row = run(_INVOICE_TERMS, [{"the_entity": entity_id}]).one_or_none()
    if row is None:
        raise NotFound("没有这个开票主体")
    entity = BillingEntityView(
        public_id=row.public_id,
        enterprise_id=row.enterprise_id,
        name=row.name,
        tax_number=row.tax_number,
        address_phone=row.address_phone,
        bank_account=row.bank_account,
    )
    return entity, row.invoice_detail


def add_employee(
    *, enterprise_id: int, person_id: int, number: str, department: str, roles: tuple[Role, ...]
) -> int:
    """Join a person to a company; returns the membership's internal id."""
    membership = add_membership(person_id=person_id, tenant_id=enterprise_id, roles=roles)
    db.session.add(
        Employee(
            membership_id=membership.id,
            enterprise_id=enterprise_id,
            number=number,
            department=department,
        )
    )
    db.session.flush()
    return membership.id


def set_programme_rule(*, enterprise_id: int, rule: GoodsRule) -> None:
    """Change what a company's people may see. Nothing is indexed again (Domain rule 30)."""
    db.session.execute(
        update(Programme)
        .where(Programme.enterprise_id == enterprise_id)
        .values(rule=rule.to_json(), version=Programme.version + 1)
    )


def programme_of(*, enterprise_id: int) -> tuple[GoodsRule, int]:
    """The rule and its version."""
    row = run(_PROGRAMME, [{"the_enterprise": enterprise_id}]).one_or_none()
    return (GoodsRule.from_json(row.rule), row.version) if row else (GoodsRule(), 0)
