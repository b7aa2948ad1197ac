"""The operators' search desk over HTTP: what they may, what others may not, what customers see."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import func, select

from enterprises.services.companies import set_programme_rule
from kernel.audit.models import AuditEntry
from kernel.auth.models import Tenant
from kernel.auth.policy import Actor, Role
from kernel.db import db, write_transaction
from kernel.settings import get_settings
from kernel.worker import drain_all
from search import query_counts
from search.engines.choice import get_engine
from search.models import SearchQueryDay, SearchRule, SearchSynonym
from search.query_counts import write_counts
from shop.models import Product
from shop.rules import GoodsRule
from tests.engines import forget_indexes
from tests.factories.catalogue import build_categories, build_merchant, build_offer, category
from tests.factories.enterprises import build_company, hire
from tests.factories.people import PASSWORD, build_marketer, build_member, build_operator

QUILTS = ("云川桑蚕丝夏被", "云川羽绒冬被", "山岚蚕丝被春秋款")
TEA = "青禾龙井绿茶礼盒"
DESK = "/admin/search"
_keys = count(1)


@dataclass
class Desk:
    """An operator, an employee, one whose company hides tea, and who else works here."""

    operator: Actor
    employee: Actor
    teetotaller: Actor
    others: dict[str, Actor]
    companies: dict[str, str]


@pytest.fixture
def desk(app: Flask) -> Iterator[Desk]:
    forget_indexes()
    shutil.rmtree(get_settings().index_dir, ignore_errors=True)
    g.pop("shop_categories", None)
    query_counts._waiting.take()
    with write_transaction():
        build_categories()
        north = build_merchant("north")
        for title in QUILTS:
            build_offer(north, title=title, category_key="bedding.quilt", brand=title[:2])
        build_offer(north, title=TEA, category_key="tea.green-tea", brand="青禾")
        alpha, beta = build_company("阿尔法"), build_company("贝塔")
        set_programme_rule(
            enterprise_id=beta.id,
            rule=GoodsRule(exclude={"categories": frozenset({category("tea").id})}),
        )
        found = Desk(
            operator=build_operator(),
            employee=hire(alpha.id),
            teetotaller=hire(beta.id),
            others={
                "hr": build_member(alpha.id, Role.HR),
                "finance": build_member(alpha.id, Role.FINANCE),
                "merchant": build_member(north.id, Role.MERCHANT_OWNER),
                "marketing": build_marketer(),
            },
            companies={each.view.name: each.public_id for each in (alpha, beta)},
        )
    drain_all()
    yield found
    get_engine().close()


class Browser:
    """A client of one person, with the token and the keys that the pages send."""

    def __init__(self, app: Flask, actor: Actor) -> None:
        self._client: FlaskClient = app.test_client()
        answer = self._client.post(
            "/api/v1/auth/login", json={"login": actor.login, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        self._token = answer.get_json()["csrf_token"]

    def ask(
        self, method: str, path: str, body: Any = None, *, status: int = 200, key: str | None = ""
    ) -> Any:
        headers = {"X-CSRF-Token": self._token}
        if key is not None:
            headers["Idempotency-Key"] = key or f"key-{next(_keys)}"
        answer = self._client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.get_json(silent=True)

    def titles(self, text: str) -> list[str]:
        return [item["title"] for item in self.ask("GET", f"/search?q={text}")["items"]]


@pytest.fixture
def operator(app: Flask, desk: Desk) -> Browser:
    return Browser(app, desk.operator)


@pytest.fixture
def employee(app: Flask, desk: Desk) -> Browser:
    return Browser(app, desk.employee)


def product(title: str) -> str:
    found = db.session.scalar(select(Product.public_id).where(Product.title == title))
    db.session.rollback()
    assert found is not None
    return found


def number_of(table: Any) -> int:
    found = db.session.scalar(select(func.count()).select_from(table)) or 0
    db.session.rollback()
    return found


def pin(title: str, query: str = "蚕丝被", **fields: Any) -> dict[str, Any]:
    rule = {"query": query, "product_id": product(title), "action": "pin", "amount": 1}
    return rule | fields


# --- synonyms ------------------------------------------------------------------------------


def test_synonyms_from_first_to_last(operator: Browser, desk: Desk) -> None:
    asked = {"kind": "group", "words": ["充电宝", "移动电源", "Ｐｏｗｅｒ Bank"]}
    added = operator.ask("POST", f"{DESK}/synonyms", asked, status=201)
    assert added == {
        "synonym_id": added["synonym_id"],
        "kind": "group",
        "word": "",
        "words": ["充电宝", "移动电源", "power bank"],
        "active": True,
        "changed_by": desk.operator.name,
        "changed_at": added["changed_at"],
    }
    assert operator.ask("GET", f"{DESK}/synonyms") == {"items": [added], "next_cursor": None}

    path = f"{DESK}/synonyms/{added['synonym_id']}"
    alias = {"kind": "alias", "word": "小天鹅", "words": ["LittleSwan"], "active": False}
    changed = operator.ask("PUT", path, alias)
    assert (changed["word"], changed["words"], changed["active"]) == (
        "小天鹅", ["littleswan"], False,
    )  # fmt: skip
    assert operator.ask("GET", f"{DESK}/synonyms?q=天鹅")["items"] == [changed]
    assert operator.ask("GET", f"{DESK}/synonyms?q=电源")["items"] == []

    operator.ask("DELETE", path, status=204)
    operator.ask("DELETE", path, status=404)
    assert number_of(SearchSynonym) == 0


def test_the_same_wish_twice_makes_one_entry(operator: Browser) -> None:
    asked = {"kind": "group", "words": ["番茄", "西红柿"]}
    first = operator.ask("POST", f"{DESK}/synonyms", asked, status=201, key="once")
    assert operator.ask("POST", f"{DESK}/synonyms", asked, status=201, key="once") == first
    other = asked | {"words": ["土豆", "马铃薯"]}
    refused = operator.ask("POST", f"{DESK}/synonyms", other, status=422, key="once")
    assert refused["code"] == "idempotency_key_reused"
    refused = operator.ask("POST", f"{DESK}/synonyms", asked, status=400, key=None)
    assert refused["code"] == "idempotency_key_required"
    refused = operator.ask("POST", f"{DESK}/rules", pin(TEA), status=400, key=None)
    assert refused["code"] == "idempotency_key_required"
    assert (number_of(SearchSynonym), number_of(SearchRule)) == (1, 0)


def test_lists_are_paged(operator: Browser) -> None:
    for number in range(5):
        words = [f"甲{number}", f"乙{number}"]
        operator.ask("POST", f"{DESK}/synonyms", {"kind": "group", "words": words}, status=201)
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = operator.ask("GET", f"{DESK}/synonyms?limit=2{cursor}")
        seen += [item["words"][0] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == ["甲4", "甲3", "甲2", "甲1", "甲0"]
    refused = operator.ask("GET", f"{DESK}/rules?cursor=AAAA", status=400)
    assert refused["code"] == "bad_cursor"


# --- rules ---------------------------------------------------------------------------------


def test_a_rule_is_drafted_looked_at_and_published(
    operator: Browser, employee: Browser, app: Flask, desk: Desk
) -> None:
    before = employee.titles("蚕丝被")
    assert TEA not in before
    rule = operator.ask("POST", f"{DESK}/rules", pin(TEA, amount=2), status=201)
    assert (rule["state"], rule["in_force"], rule["amount"]) == ("draft", False, 2)
    assert rule["product"] == {"id": product(TEA), "title": TEA, "live": True}
    assert employee.titles("蚕丝被") == before

    shown = operator.ask("GET", f"{DESK}/preview?query=蚕丝被")
    assert [item["title"] for item in shown["present"]["items"]] == before
    assert [item["title"] for item in shown["draft"]["items"]] == [before[0], TEA, *before[1:]]
    assert [item["action"] for item in shown["draft"]["items"]] == [None, "pin", None][
        : len(before) + 1
    ]
    assert (shown["present"]["total"], shown["draft"]["total"]) == (len(before), len(before) + 1)
    assert shown["drafts"] == 1

    path = f"{DESK}/rules/{rule['rule_id']}"
    operator.ask("PUT", path, pin(TEA, amount=1))
    asked = {"query": "蚕丝被"}
    assert operator.ask("POST", f"{DESK}/rules/publish", asked) == {"published": 1}
    assert employee.titles("蚕丝被") == [TEA, *before]
    teetotaller = Browser(app, desk.teetotaller)
    assert teetotaller.titles("蚕丝被") == before
    [listed] = operator.ask("GET", f"{DESK}/rules?query=蚕丝被&state=published")["items"]
    assert listed["in_force"] is True

    refused = operator.ask("PUT", path, pin(TEA), status=409)
    assert refused["code"] == "rule_published"
    assert operator.ask("POST", f"{path}/withdraw")["state"] == "draft"
    assert employee.titles("蚕丝被") == before
    operator.ask("DELETE", path, status=204)
    assert operator.ask("GET", f"{DESK}/rules")["items"] == []


def test_a_row_of_a_report_becomes_a_pin_or_a_synonym_with_one_call(
    operator: Browser, employee: Browser
) -> None:
    assert employee.ask("GET", "/search?q=zzqqxx")["total"] == 0
    write_counts()
    [row] = operator.ask("GET", f"{DESK}/reports/zero-results")["items"]
    assert (row["query"], row["found_nothing"], row["handled"]) == ("zzqqxx", 1, False)

    asked = pin(TEA, row["query"], publish=True)
    operator.ask("POST", f"{DESK}/rules", asked, status=201)
    assert employee.titles("zzqqxx") == [TEA]
    [row] = operator.ask("GET", f"{DESK}/reports/zero-results")["items"]
    assert row["handled"] is True

    alias = {"kind": "alias", "word": row["query"], "words": ["绿茶"]}
    operator.ask("POST", f"{DESK}/synonyms", alias, status=201)


def test_rules_of_a_category(operator: Browser, employee: Browser) -> None:
    bedding = category("bedding.quilt").public_id
    db.session.rollback()
    body = pin(QUILTS[2], "", category=bedding, publish=True)
    rule = operator.ask("POST", f"{DESK}/rules", body, status=201)
    assert rule["category"]["id"] == bedding
    found = employee.ask("GET", f"/search?category={bedding}")
    assert found["items"][0]["title"] == QUILTS[2]
    shown = operator.ask("GET", f"{DESK}/preview?category={bedding}")
    assert shown["category"]["id"] == bedding
    assert shown["present"]["items"][0]["action"] == "pin"


def test_a_preview_shows_a_list_as_the_people_of_one_enterprise_see_it(
    operator: Browser, app: Flask, desk: Desk
) -> None:
    before = Browser(app, desk.teetotaller).titles("蚕丝被")
    operator.ask("POST", f"{DESK}/rules", pin(TEA), status=201)
    operator.ask("POST", f"{DESK}/rules", pin(QUILTS[2], amount=1), status=201)
    drafted = [QUILTS[2], *(title for title in before if title != QUILTS[2])]
    names = {name: {"id": ent, "name": name} for name, ent in desk.companies.items()}
    for enterprise, present, draft in (
        ({"id": "", "name": ""}, before, [TEA, *drafted]),
        (names["阿尔法"], before, [TEA, *drafted]),
        (names["贝塔"], before, drafted),
    ):
        path = f"{DESK}/preview?query=蚕丝被&enterprise={enterprise['id']}"
        shown = operator.ask("GET", path)
        assert shown["enterprise"] == (enterprise if enterprise["id"] else None)
        assert [item["title"] for item in shown["present"]["items"]] == present
        assert [item["title"] for item in shown["draft"]["items"]] == draft
        assert shown["draft"]["total"] == len(draft)
        assert (shown["present"]["ruled_query"], shown["draft"]["ruled_query"]) == ("", "蚕丝被")


@pytest.mark.parametrize("enterprise", ["ent_none", "merchant"])
def test_a_preview_for_no_enterprise_is_refused(
    operator: Browser, desk: Desk, enterprise: str
) -> None:
    named = desk.others["merchant"].tenant_id if enterprise == "merchant" else None
    if named is not None:
        enterprise = db.session.scalar(select(Tenant.public_id).where(Tenant.id == named)) or ""
        db.session.rollback()
    path = f"{DESK}/preview?query=蚕丝被&enterprise={enterprise}"
    refused = operator.ask("GET", path, status=404)
    assert (refused["code"], refused["detail"]) == ("not_found", "没有这家企业")


def test_enterprises_are_found_by_name_and_paged(operator: Browser, desk: Desk) -> None:
    newest_first = [{"id": desk.companies[name], "name": name} for name in ("贝塔", "阿尔法")]
    path = "/admin/enterprises"
    assert operator.ask("GET", path) == {"items": newest_first, "next_cursor": None}
    first = operator.ask("GET", f"{path}?limit=1")
    assert first["items"] == newest_first[:1]
    rest = operator.ask("GET", f"{path}?limit=1&cursor={first['next_cursor']}")
    assert rest == {"items": newest_first[1:], "next_cursor": None}
    assert operator.ask("GET", f"{path}?q=尔法")["items"] == newest_first[1:]
    assert operator.ask("GET", f"{path}?q=%25")["items"] == []
    other = operator.ask("GET", f"{path}?cursor=AAAA", status=400)
    assert other["code"] == "bad_cursor"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/synonyms", {}, 422, "kind"),
        ("POST", "/synonyms", {"kind": "pair", "words": ["a"]}, 422, "kind"),
        ("POST", "/synonyms", {"kind": "group", "words": "被"}, 422, "words"),
        ("POST", "/synonyms", {"kind": "group", "words": ["被"]}, 422, "words"),
        ("POST", "/synonyms", {"kind": "group", "words": ["被", "?"]}, 422, "words.1"),
        ("POST", "/synonyms", {"kind": "group", "words": ["被"] * 21}, 422, "words"),
        ("POST", "/synonyms", {"kind": "alias", "words": ["被"]}, 422, "word"),
        ("POST", "/synonyms", {"kind": "group", "words": ["a", "b"], "x": 1}, 422, "x"),
        ("POST", "/rules", {"query": "被"}, 422, "product_id"),
        ("POST", "/rules", {"amount": "1"}, 422, "amount"),
        ("POST", "/rules", {"amount": 101}, 422, "amount"),
        ("POST", "/rules", {"action": "hide"}, 422, "action"),
        ("POST", "/rules", {"valid_from": "2026-12-01T00:00:00"}, 422, "valid_from"),
        ("POST", "/rules", {"category": "cat_x"}, 422, "query"),
        ("POST", "/rules", {"query": "  "}, 422, "query"),
        ("POST", "/rules", {"product_id": "prd_none"}, 422, "product_id"),
        ("POST", "/rules/publish", {}, 422, "query"),
        ("GET", "/preview", None, 422, "query"),
        ("GET", "/preview?query=%3F", None, 422, "query"),
        ("GET", "/preview?category=cat_none", None, 422, "category"),
        ("GET", f"/preview?query=被&enterprise={'e' * 41}", None, 422, "enterprise"),
        ("GET", "/rules?state=old", None, 422, "state"),
        ("GET", "/rules?limit=101", None, 422, "limit"),
        ("GET", "/reports/zero-results?first=yesterday", None, 422, "first"),
        ("GET", "/reports/zero-results?first=2026-01-01&last=2025-01-01", None, 422, "first"),
        ("GET", "/reports/low-clicks?below_percent=0", None, 422, "below_percent"),
    ],
)
def test_wrong_input_is_refused_by_field_and_changes_nothing(
    operator: Browser, method: str, path: str, body: Any, status: int, field: str
) -> None:
    if path == "/rules" and body != {"query": "被"}:
        body = pin(TEA) | (body or {})
    refused = operator.ask(method, f"{DESK}{path}", body, status=status)
    assert refused["code"] == "invalid_input"
    assert field in [error["field"] for error in refused["errors"]]
    assert [number_of(table) for table in (SearchSynonym, SearchRule, AuditEntry)] == [0, 0, 0]


def test_nobody_else_may_do_any_of_it(app: Flask, desk: Desk, operator: Browser) -> None:
    words = {"kind": "group", "words": ["番茄", "西红柿"]}
    synonym = operator.ask("POST", f"{DESK}/synonyms", words, status=201)
    rule = operator.ask("POST", f"{DESK}/rules", pin(TEA, publish=True), status=201)
    draft = operator.ask("POST", f"{DESK}/rules", pin(QUILTS[0]), status=201)
    audited = number_of(AuditEntry)
    calls = [
        ("GET", "/synonyms", None),
        ("POST", "/synonyms", words),
        ("PUT", f"/synonyms/{synonym['synonym_id']}", words),
        ("DELETE", f"/synonyms/{synonym['synonym_id']}", None),
        ("GET", "/rules", None),
        ("POST", "/rules", pin(QUILTS[1])),
        ("PUT", f"/rules/{draft['rule_id']}", pin(QUILTS[0], amount=9)),
        ("DELETE", f"/rules/{rule['rule_id']}", None),
        ("POST", f"/rules/{rule['rule_id']}/withdraw", None),
        ("POST", "/rules/publish", {"query": "蚕丝被"}),
        ("GET", "/preview?query=蚕丝被", None),
        ("GET", f"/preview?query=蚕丝被&enterprise={desk.companies['贝塔']}", None),
        ("GET", "/reports/zero-results", None),
        ("GET", "/reports/low-clicks", None),
    ]
    for who in (desk.employee, *desk.others.values()):
        browser = Browser(app, who)
        for method, path, body in calls:
            refused = browser.ask(method, f"{DESK}{path}", body, status=403)
            assert refused["code"] == "forbidden"
        refused = browser.ask("GET", "/admin/enterprises", status=403)
        assert refused["code"] == "forbidden"
    assert operator.ask("GET", f"{DESK}/synonyms")["items"] == [synonym]
    assert operator.ask("GET", f"{DESK}/rules")["items"] == [draft, rule]
    assert number_of(AuditEntry) == audited


# --- counts --------------------------------------------------------------------------------


def counted() -> dict[str, tuple[int, int, int, int]]:
    write_counts()
    rows = db.session.scalars(select(SearchQueryDay)).all()
    db.session.rollback()
    return {row.query: (row.searches, row.found_nothing, row.clicks, row.places) for row in rows}


def test_searches_and_clicks_of_employees_are_counted(employee: Browser, operator: Browser) -> None:
    employee.titles("蚕丝被")
    employee.titles(" 蚕丝被")
    employee.ask("GET", "/search?q=zzqqxx")
    click = {"query": "蚕丝被", "product_id": product(QUILTS[0]), "position": 2}
    assert employee.ask("POST", "/search/clicks", click, status=204, key=None) is None
    # The same search goes on, or somebody works, or nothing was typed.
    employee.ask("GET", "/search?q=蚕丝被&sort=sales")
    employee.ask("GET", "/search?q=蚕丝被&in_stock=true")
    employee.ask("GET", "/search?q=蚕丝被&price_min=1")
    employee.ask("GET", "/search")
    operator.titles("蚕丝被")
    operator.ask("POST", "/search/clicks", click, status=204)
    operator.ask("GET", f"{DESK}/preview?query=蚕丝被")

    assert counted() == {"蚕丝被": (2, 0, 1, 2), "zzqqxx": (1, 1, 0, 0)}


def test_a_further_page_is_no_further_search(employee: Browser) -> None:
    page = employee.ask("GET", "/search?q=被&limit=1")
    assert page["next_cursor"]
    employee.ask("GET", f"/search?q=被&limit=1&cursor={page['next_cursor']}")
    assert counted() == {"被": (1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": None}, "query"),
        ({"product_id": ""}, "product_id"),
        ({"position": 0}, "position"),
        ({"position": 1_001}, "position"),
        ({"position": "1"}, "position"),
        ({"who": "me"}, "who"),
    ],
)
def test_clicks_that_cannot_be(employee: Browser, body: dict[str, Any], field: str) -> None:
    click = {"query": "蚕丝被", "product_id": "prd_1", "position": 1} | body
    refused = employee.ask("POST", "/search/clicks", click, status=422)
    assert [error["field"] for error in refused["errors"]] == [field]
    assert counted() == {}


def test_a_click_needs_a_session_and_its_token(app: Flask, desk: Desk) -> None:
    click = {"query": "蚕丝被", "product_id": "prd_1", "position": 1}
    assert app.test_client().post("/api/v1/search/clicks", json=click).status_code == 401
    client = app.test_client()
    signed_in = {"login": desk.employee.login, "password": PASSWORD}
    client.post("/api/v1/auth/login", json=signed_in)
    answer = client.post("/api/v1/search/clicks", json=click)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "bad_csrf_token")
    assert counted() == {}


def test_clicks_are_limited_like_searches(
    employee: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "searches_per_minute", 1)
    click = {"query": "蚕丝被", "product_id": "prd_1", "position": 1}
    employee.ask("POST", "/search/clicks", click, status=204)
    refused = employee.ask("POST", "/search/clicks", click, status=429)
    assert refused["code"] == "rate_limited"
