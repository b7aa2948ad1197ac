"""The demo world: made step by step through the ordinary services, the same each time.

Every step looks first whether it is done, so a seed that was stopped goes on where it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from app.demo.catalogue import HIDDEN_BRAND, HIDDEN_CATEGORY
from app.demo.catalogue.feeds import write_feeds
from app.demo.logins import DEMO_LOGINS
from app.demo.media import make_media
from enterprises.services.budgets import approve_grant, open_budget, submit_grant
from enterprises.services.companies import (
    add_billing_entity,
    add_employee,
    create_enterprise,
    programme_of,
    set_programme_rule,
)
from kernel import clock, ids
from kernel.audit.models import AuditEntry
from kernel.audit.services import record
from kernel.auth.models import Person, Tenant
from kernel.auth.policy import Actor, Role, TenantKind
from kernel.auth.services import (
    actor_of_login,
    add_membership,
    create_person,
    create_tenant,
    hash_password,
)
from kernel.db import db, write_transaction
from kernel.settings import get_settings
from merchants.feeds.importing import import_feed
from merchants.services import approve_merchant, create_merchant
from points.services.pots import create_pot, credit_lots, issue_points, pots_of_enterprise
from shop.rules import GoodsRule
from shop.services.addresses import add_address
from shop.services.catalogue import find_brands
from shop.services.categories import category_tree, load_categories

Say = Callable[[str], None]
_SEED = 20_261_124
_SEEDED = "demo_seeded"

MERCHANTS = (
    # code, name, tax number, commission, freight, free from
    ("north", "北岸生活", "91330100MA2NORTH1X", 500, 800, 9_900),
    ("south", "南风家居", "91440100MA5SOUTH2Y", 600, 1_000, 19_900),
    ("east", "东篱优选", "91310000MA1EAST003", 450, 600, 6_900),
)


@dataclass(frozen=True)
class _Company:
    key: str
    name: str
    entity: str
    tax_number: str
    union: str
    union_number: str
    limit_minor: int


COMPANIES = (
    _Company("alpha", "阿尔法科技", "阿尔法科技（杭州）有限公司", "91330106MA2ALPHA8K",
             "阿尔法科技工会委员会", "81330106MC0ALPHA3U", 200_000_000),
    _Company("beta", "贝塔制造", "贝塔制造（宁波）股份有限公司", "91330200MA2BETA06P",
             "贝塔制造工会委员会", "81330200MC0BETA07T", 80_000_000),
)  # fmt: skip

_ROLES: Mapping[str, tuple[Role, ...]] = {
    "employee": (Role.EMPLOYEE,),
    "hr": (Role.HR, Role.EMPLOYEE),
    "finance": (Role.FINANCE, Role.EMPLOYEE),
}


def is_seeded() -> bool:
    """Whether the demo world is whole."""
    return bool(
        db.session.scalar(select(AuditEntry.number).where(AuditEntry.action == _SEEDED).limit(1))
    )


def seed(*, rebuild_index: Callable[[], None], say: Say) -> None:
    """Make the demo world, or what of it is missing."""
    with ids.predictable(_SEED):
        say("人员、企业、商户")
        if not db.session.scalar(select(Person.id).limit(1)):
            with write_transaction():
                _people()
        say("商品图片和发票字体")
        pictures = make_media()
        say("三家商户的商品")
        _feeds(pictures)
        say("福利方案、预算和发放")
        _programmes()
        _grants()
    say("搜索索引")
    rebuild_index()
    with write_transaction():
        record(actor="system", action=_SEEDED, subject="demo")


def _people() -> None:
    load_categories()
    hashed = hash_password(get_settings().demo_password)
    people = {
        entry.login: create_person(login=entry.login, name=entry.name, password_hash=hashed)
        for entry in DEMO_LOGINS
    }
    bank = create_tenant(kind=TenantKind.BANK, name="江南银行", prefix="bank")
    add_membership(
        person_id=people["marketing@bank.example"].id, tenant_id=bank.id, roles=[Role.MARKETING]
    )
    platform = create_tenant(kind=TenantKind.PLATFORM, name="福满平台", prefix="plat")
    for login in ("operator1@mall.example", "operator2@mall.example"):
        add_membership(person_id=people[login].id, tenant_id=platform.id, roles=[Role.OPERATOR])
    for code, name, tax_number, commission_bp, freight, free_from in MERCHANTS:
        merchant = create_merchant(
            code=code, name=name, tax_number=tax_number, commission_bp=commission_bp
        )
        approve_merchant(merchant_id=merchant.id, freight_minor=freight, free_from_minor=free_from)
        add_membership(
            person_id=people[f"seller@{code}.example"].id,
            tenant_id=merchant.id,
            roles=[Role.MERCHANT_OWNER],
        )
    for company in COMPANIES:
        _company(company, people)


def _company(company: _Company, people: Mapping[str, Person]) -> None:
    enterprise = create_enterprise(
        name=company.name, credit_limit_minor=company.limit_minor, term_days=30
    )
    entity = add_billing_entity(
        enterprise_id=enterprise.id,
        name=company.entity,
        tax_number=company.tax_number,
        address_phone="浙江省杭州市滨江区江南大道 100 号 0571-88000000",
        bank_account="江南银行滨江支行 3301 0400 0012 3456",
    )
    add_billing_entity(
        enterprise_id=enterprise.id, name=company.union, tax_number=company.union_number
    )
    logins = [login for login in people if login.endswith(f"@{company.key}.example")]
    for number, login in enumerate(logins, start=1):
        add_employee(
            enterprise_id=enterprise.id,
            person_id=people[login].id,
            number=f"{company.key[0].upper()}{number:04d}",
            department="研发中心" if login.startswith("employee") else "职能中心",
            roles=_ROLES[login.split("@")[0].rstrip("0123456789")],
        )
        if login.startswith("employee"):
            add_address(
                person_id=people[login].id,
                data={
                    "name": people[login].name,
                    "phone": f"1381234556{number}",
                    "region_code": "330106",
                    "detail": f"文三路 {100 + number} 号 3 幢 {number}02 室",
                },
                is_default=True,
            )
    tree = category_tree()
    create_pot(
        enterprise_id=enterprise.id,
        billing_entity_id=entity.public_id,
        name="通用福利",
        rule=GoodsRule(
            exclude={"categories": frozenset({tree.by_key[HIDDEN_CATEGORY].id})}
        ).to_json(),
        rule_text="全部商品，酒水除外",
        pays_freight=True,
    )
    food = frozenset(tree.by_key[key].id for key in ("tea", "snack", "grocery"))
    create_pot(
        enterprise_id=enterprise.id,
        billing_entity_id=entity.public_id,
        name="节日食品",
        rule=GoodsRule(include={"categories": food}).to_json(),
        rule_text="仅限茶饮、零食、粮油生鲜",
        pays_freight=False,
        refund_after_expiry="budget",
    )


def _feeds(pictures: Mapping[str, str]) -> None:
    def picture_of(reference: str) -> str:
        return pictures.get(reference.removeprefix("demo:"), "")

    with tempfile.TemporaryDirectory() as folder:
        for code, path in write_feeds(Path(folder)).items():
            import_feed(merchant_code=code, path=path, picture_of=picture_of)


def _programmes() -> None:
    """Beta's people do not see alcohol, nor one brand (what may not be seen can be tested)."""
    beta = _tenant_id("贝塔制造")
    rule, _ = programme_of(enterprise_id=beta)
    if rule.exclude:
        return
    brands = find_brands([HIDDEN_BRAND])
    with write_transaction():
        set_programme_rule(
            enterprise_id=beta,
            rule=GoodsRule(
                exclude={
                    "categories": frozenset({category_tree().by_key[HIDDEN_CATEGORY].id}),
                    "brands": frozenset(brands.values()),
                }
            ),
        )


def _tenant_id(name: str) -> int:
    return db.session.scalars(select(Tenant.id).where(Tenant.name == name)).one()


def _actor(login: str) -> Actor:
    actor = actor_of_login(login)
    if actor is None:
        raise LookupError(f"the demo world has no {login}")
    return actor


def _end_of_day(at: datetime) -> datetime:
    """The last second of that day in China."""
    return at.replace(hour=15, minute=59, second=59, microsecond=0)


def _grants() -> None:
    """¥2,000 to each of Alpha's employees in two pots, ¥800 to Beta's, and points to all."""
    with write_transaction():
        if _granted():
            return
        at = clock.now()
        in_spring = _end_of_day(at + timedelta(days=218))
        festival = _end_of_day(at + timedelta(days=21))
        _grant("alpha", "通用福利", "2026 下半年福利", in_spring, 160_000, 500_000_000)
        _grant("alpha", "节日食品", "2026 岁末年货", festival, 40_000, 60_000_000)
        _grant("beta", "通用福利", "2026 下半年福利", in_spring, 80_000, 80_000_000)
        for login in (entry.login for entry in DEMO_LOGINS if entry.login.startswith("employee")):
            person_id = _actor(login).person_id
            issue_points(
                key=f"welcome:{login}",
                person_id=person_id,
                points=3_200,
                source="开户礼",
                expires_at=_end_of_day(at + timedelta(days=37)),
            )
            issue_points(
                key=f"year:{login}",
                person_id=person_id,
                points=26_800,
                source="年度积分",
                expires_at=_end_of_day(at + timedelta(days=402)),
            )


def _granted() -> bool:
    actor = _actor("employee1@alpha.example")
    return bool(credit_lots(membership_id=actor.membership_id, at=clock.now()))


def _grant(
    company: str, pot_name: str, name: str, expires_at: datetime, amount: int, budget: int
) -> None:
    maker, checker = _actor(f"hr@{company}.example"), _actor(f"finance@{company}.example")
    pot = next(p for p in pots_of_enterprise(enterprise_id=maker.tenant_id) if p.name == pot_name)
    budget_id = open_budget(
        enterprise_id=maker.tenant_id,
        name=f"{name}预算",
        amount_minor=budget,
        key=f"{company}:{pot_name}",
    )
    employees = [
        _actor(entry.login).membership_id
        for entry in DEMO_LOGINS
        if entry.login.startswith("employee") and entry.login.endswith(f"@{company}.example")
    ]
    grant_id = submit_grant(
        actor=maker,
        key=f"demo:{pot_name}",
        budget_id=budget_id,
        pot_id=pot.public_id,
        name=name,
        expires_at=expires_at,
        amounts=dict.fromkeys(employees, amount),
    )
    approve_grant(actor=checker, grant_id=grant_id)
