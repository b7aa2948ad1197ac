"""Buyers with credit and points, and goods of three merchants: what checkouts are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from checkout.services import orders, quotes
from enterprises.services.budgets import approve_grant, open_budget, submit_grant
from enterprises.services.companies import add_billing_entity, add_employee, create_enterprise
from kernel import clock
from kernel.auth.models import Membership, Tenant
from kernel.auth.policy import Actor, Role, TenantKind
from kernel.auth.services import create_person, hash_password
from kernel.db import db, write_transaction
from merchants.services import approve_merchant, create_merchant
from points.services.pots import create_pot, issue_points
from shop.rules import GoodsRule
from shop.services.addresses import add_address
from shop.services.catalogue import offers_of_ids
from shop.services.catalogue_import import CatalogueRow, RowChange, apply_rows
from shop.services.categories import category_tree, load_categories

# Of all buyers, so that it is hashed once.
PASSPHRASE = "only for measuring"  # noqa: S105 -- it guards a scratch folder
_MERCHANTS = 3
_PRODUCTS = 20
_STOCK = 10_000_000
_POINTS = 1_000_000_000
_CREDIT_MINOR = 1_000_000_000
_LEAVES = ("bedding.quilt", "tea.green-tea", "kitchen.pots")

# Three tenders: more than the credit and the points that it may use, so the card pays the rest.
CREDIT_USED_MINOR = 15_000
POINTS_USED = 3_000


@dataclass(frozen=True)
class Buyer:
    """An employee with lots in two pots and of points."""

    actor: Actor
    address_id: str


@dataclass
class Till:
    """``companies`` hold their buyers; ``offers`` one list a merchant."""

    companies: list[list[Buyer]]
    offers: list[list[str]]

    def __post_init__(self) -> None:
        self._turns = count()

    def basket(self) -> tuple[tuple[str, int], ...]:
        """One line of each merchant, other goods each time."""
        turn = next(self._turns)
        return tuple(
            (offers[(turn * step) % len(offers)], 1)
            for step, offers in zip((1, 3, 7), self.offers, strict=True)
        )


def build_till(*, companies: int, buyers: int) -> Till:
    """Make ``companies`` enterprises with ``buyers`` each. Opens its own transactions."""
    with write_transaction():
        load_categories()
        offers = [_merchant(number) for number in range(_MERCHANTS)]
    hashed = hash_password(PASSPHRASE)
    made = []
    for number in range(companies):
        with write_transaction():
            made.append(_company(number, buyers, hashed))
    return Till(made, offers)


def _merchant(number: int) -> list[str]:
    merchant = create_merchant(
        code=f"bench{number}",
        name=f"商户{number}",
        tax_number="91330100MA2BENCH0X",
        commission_bp=500,
    )
    approve_merchant(merchant_id=merchant.id, freight_minor=800, free_from_minor=5_000)
    leaf = category_tree().by_key[_LEAVES[number]]
    changes = [
        RowChange(
            CatalogueRow(
                product_code=f"P{item}",
                sku_code=f"S{item}",
                title=f"{leaf.name} {item} 号",
                category_id=leaf.id,
                price_minor=9_900 + 100 * item,
                list_price_minor=12_900,
                stock=_STOCK,
                tax_code=leaf.tax_code,
                unit=leaf.unit,
                spec="标准款",
            )
        )
        for item in range(_PRODUCTS)
    ]
    ids = apply_rows(merchant_id=merchant.id, changes=changes, at=clock.now())
    return [offer.public_id for offer in offers_of_ids(ids).values()]


def _company(number: int, buyers: int, hashed: str) -> list[Buyer]:
    company = create_enterprise(name=f"企业{number}", credit_limit_minor=10**15, term_days=30)
    entity = add_billing_entity(
        enterprise_id=company.id, name=f"企业{number}有限公司", tax_number="91330100MA2BENCH1X"
    )
    maker, checker, *staff = (
        _employee(company.id, f"{number}-{place}", hashed) for place in range(buyers + 2)
    )
    for name in ("通用福利", "节日福利"):
        pot = create_pot(
            enterprise_id=company.id,
            billing_entity_id=entity.public_id,
            name=name,
            rule=GoodsRule().to_json(),
            rule_text="全部商品",
            pays_freight=True,
        )
        budget_id = open_budget(
            enterprise_id=company.id,
            name=name,
            amount_minor=_CREDIT_MINOR * buyers,
            key=f"bench:{number}:{name}",
        )
        grant_id = submit_grant(
            actor=maker,
            key=f"bench:{number}:{name}",
            budget_id=budget_id,
            pot_id=pot.public_id,
            name=name,
            expires_at=clock.now() + timedelta(days=200),
            amounts={actor.membership_id: _CREDIT_MINOR for actor in staff},
        )
        approve_grant(actor=checker, grant_id=grant_id)
    return [_buyer(actor) for actor in staff]


def _employee(enterprise_id: int, name: str, hashed: str) -> Actor:
    person = create_person(login=f"{name}@bench.example", name="李明", password_hash=hashed)
    membership_id = add_employee(
        enterprise_id=enterprise_id,
        person_id=person.id,
        number=f"B{name}",
        department="研发部",
        roles=(Role.EMPLOYEE,),
    )
    row = db.session.execute(
        select(Membership, Tenant)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(Membership.id == membership_id)
    ).one()
    return Actor(
        person_id=person.id,
        person_public_id=person.public_id,
        login=person.login,
        name=person.name,
        membership_id=membership_id,
        membership_public_id=row.Membership.public_id,
        tenant_id=row.Tenant.id,
        tenant_public_id=row.Tenant.public_id,
        tenant_kind=TenantKind(row.Tenant.kind),
        tenant_name=row.Tenant.name,
        roles=frozenset({Role.EMPLOYEE}),
    )


def _buyer(actor: Actor) -> Buyer:
    issue_points(
        key=f"bench:{actor.login}",
        person_id=actor.person_id,
        points=_POINTS,
        source="年度积分",
        expires_at=clock.now() + timedelta(days=300),
    )
    address = add_address(
        person_id=actor.person_id,
        data={
            "name": actor.name,
            "phone": "13812345678",
            "region_code": "330106",
            "detail": "文三路 1 号",
        },
        is_default=True,
    )
    return Buyer(actor, address.public_id)


def check_out(app: Any, buyer: Buyer, basket: Sequence[tuple[str, int]]) -> None:
    """One whole checkout in process: quote, order, capture with its invoice.

    Each step has an application context of its own, as each is a request of its own. The card is
    captured as the gateway's notice would, without the gateway.
    """
    request = quotes.QuoteRequest(
        address_id=buyer.address_id,
        items=tuple(basket),
        credit_minor=CREDIT_USED_MINOR,
        points=POINTS_USED,
    )
    with app.app_context():
        quote = quotes.create_quote(actor=buyer.actor, request=request)
    with app.app_context():
        with write_transaction():
            order = orders.place_order(actor=buyer.actor, quote_id=quote["quote_id"])
        order_id = order.id
    with app.app_context(), write_transaction():
        orders.capture_order(order=orders.lock_order(order_id=order_id), actor="gateway")
