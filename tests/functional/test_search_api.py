"""Search as a client meets it: HTTP in, JSON out, signed in as employees of two companies."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import select

from enterprises.services.companies import set_programme_rule
from kernel import outbox
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.settings import get_settings
from kernel.tasks import PartUnavailable
from kernel.worker import drain_all, drain_lane
from search import indexing
from search.engines.choice import get_engine
from shop.models import Product
from shop.rules import GoodsRule
from shop.services.catalogue import touch_products
from shop.services.categories import category_tree
from tests.engines import forget_indexes
from tests.factories.catalogue import build_categories, build_merchant, build_offer, category
from tests.factories.enterprises import build_company, build_pot, grant, hire
from tests.factories.people import PASSWORD

_TITLES = {
    "bedding.quilt": ("云川桑蚕丝夏被", "云川羽绒冬被", "山岚蚕丝被春秋款"),
    "tea.green-tea": ("青禾龙井绿茶礼盒", "青禾碧螺春绿茶"),
}


@dataclass
class Mall:
    """Two employees: Alpha's has a pot for tea, Beta's company hides all tea."""

    alpha: Actor
    beta: Actor
    tea_pot: str


@pytest.fixture
def mall(app: Flask) -> Iterator[Mall]:
    forget_indexes()
    shutil.rmtree(get_settings().index_dir, ignore_errors=True)
    g.pop("shop_categories", None)
    with write_transaction():
        build_categories()
        north, south = build_merchant("north"), build_merchant("south")
        for key, titles in _TITLES.items():
            for number, title in enumerate(titles):
                build_offer(
                    north,
                    title=title,
                    category_key=key,
                    brand=title[:2],
                    price_minor=10_000 * (number + 1),
                    attributes={"包装": ("盒装", "罐装", "袋装")[number], "产地": title[:2]},
                )
        build_offer(south, title="南方羊毛被", price_minor=66_000, stock=0)
        alpha, beta = build_company("阿尔法"), build_company("贝塔")
        tea = GoodsRule(include={"categories": frozenset({category("tea").id})})
        pot = build_pot(alpha, "节日食品", rule=tea)
        employee = hire(alpha.id)
        grant(alpha, pot, {employee: 50_000})
        _hide_tea(beta.id)
        other = hire(beta.id)
    drain_all()
    indexing.write_suggestions()
    yield Mall(employee, other, pot.public_id)
    get_engine().close()


def _hide_tea(enterprise_id: int) -> None:
    set_programme_rule(
        enterprise_id=enterprise_id,
        rule=GoodsRule(exclude={"categories": frozenset({category("tea").id})}),
    )


def sign_in(client: FlaskClient, actor: Actor) -> FlaskClient:
    answer = client.post("/api/v1/auth/login", json={"login": actor.login, "password": PASSWORD})
    assert answer.status_code == 200
    return client


def get(client: FlaskClient, path: str, status: int = 200) -> dict[str, Any]:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def test_a_search_answers_in_the_shape_of_the_contract(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)

    body = get(client, "/search?q=龙井")

    assert body["total"] == 1
    assert body["corrected_query"] is None
    assert body["next_cursor"] is None
    (item,) = body["items"]
    quilt = category("tea.green-tea")
    assert item["product_id"].startswith("prd_")
    assert item["title"] == "青禾龙井绿茶礼盒"
    assert item["highlight"] == [
        {"text": "青禾", "hit": False},
        {"text": "龙井", "hit": True},
        {"text": "绿茶礼盒", "hit": False},
    ]
    assert item["price_minor"] == 10_000
    assert item["brand"]["name"] == "青禾"
    assert item["category"] == {"id": quilt.public_id, "name": quilt.name}
    assert [merchant["name"] for merchant in item["merchants"]] == ["north 商户"]
    assert item["in_stock"] is True
    assert item["pots"] == [{"pot_id": mall.tea_pot, "name": "节日食品", "eligible": True}]
    assert body["facets"]["category"] == [
        {"value": quilt.public_id, "label": quilt.name, "count": 1}
    ]
    assert body["facets"]["price"] == [{"value": "10000-14999", "label": "100–150元", "count": 1}]
    assert set(body["facets"]) == {"category", "brand", "price", "merchant"}


def test_browsing_by_category_price_and_stock(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)
    bedding = category_tree().by_key["bedding"].public_id
    path = f"/search?category={bedding}"

    assert get(client, path)["total"] == 4
    assert get(client, f"{path}&in_stock=true")["total"] == 3
    prices = [i["price_minor"] for i in get(client, f"{path}&sort=price_desc")["items"]]
    assert prices == [66_000, 30_000, 20_000, 10_000]
    assert get(client, f"{path}&price_min=20000&price_max=30000")["total"] == 2
    assert get(client, f"{path}&price=0-10000&price=60000-")["total"] == 2
    assert get(client, "/search?brand=brd_unknown")["total"] == 0


def test_several_values_of_a_facet(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)
    brands = {v["label"]: v["value"] for v in get(client, "/search")["facets"]["brand"]}

    body = get(client, f"/search?brand={brands['云川']}&brand={brands['山岚']}")

    assert body["total"] == 3
    counts = {v["label"]: v["count"] for v in body["facets"]["brand"]}
    assert counts == {"云川": 2, "青禾": 2, "山岚": 1}


def test_attributes_of_a_category(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)
    path = f"/search?category={category('bedding.quilt').public_id}"

    body = get(client, path)

    assert body["facets"]["attribute.包装"] == [
        {"value": "盒装", "label": "盒装", "count": 1},
        {"value": "罐装", "label": "罐装", "count": 1},
        {"value": "袋装", "label": "袋装", "count": 1},
    ]
    assert {v["value"]: v["count"] for v in body["facets"]["attribute.产地"]} == {
        "云川": 2,
        "山岚": 1,
    }
    assert not any(name.startswith("attribute") for name in get(client, "/search")["facets"])
    body = get(client, f"{path}&attribute.产地=云川&attribute.包装=盒装&attribute.包装=袋装")
    assert [item["title"] for item in body["items"]] == ["云川桑蚕丝夏被"]
    assert {v["value"]: v["count"] for v in body["facets"]["attribute.包装"]} == {
        "盒装": 1,
        "罐装": 1,
        "袋装": 0,
    }
    assert {v["value"]: v["count"] for v in body["facets"]["attribute.产地"]} == {
        "云川": 1,
        "山岚": 1,
    }
    assert get(client, "/search?attribute.产地=火星")["total"] == 0
    first = get(client, f"{path}&attribute.产地=云川&limit=1")
    assert get(client, f"{path}&limit=1&cursor={first['next_cursor']}", 400)["code"] == "bad_cursor"
    rest = get(client, f"{path}&attribute.产地=云川&limit=1&cursor={first['next_cursor']}")
    assert {item["title"] for item in (*first["items"], *rest["items"])} == {
        "云川桑蚕丝夏被",
        "云川羽绒冬被",
    }


def test_a_chosen_price_is_offered_whatever_it_is(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)

    whole = get(client, "/search")["facets"]["price"]
    body = get(client, "/search?price=15000-25000&price=-5000")

    assert sum(value["count"] for value in whole) == 6
    assert body["total"] == 2
    assert {"value": "15000-25000", "label": "150–250元", "count": 2} in body["facets"]["price"]
    assert {"value": "-5000", "label": "50元以下", "count": 0} in body["facets"]["price"]
    assert [value for value in body["facets"]["price"] if value in whole] == whole


def test_only_what_a_pot_may_pay(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)

    body = get(client, f"/search?pot={mall.tea_pot}")

    assert body["total"] == 2
    assert all(item["pots"][0]["eligible"] for item in body["items"])
    assert [i["pots"][0]["eligible"] for i in get(client, "/search?q=蚕丝被")["items"]] == [
        False
    ] * 2
    assert get(client, "/search?pot=pot_of_nobody", 404)["code"] == "not_found"


def test_another_company_sees_nothing_of_what_is_hidden(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.beta)

    everything = get(client, "/search?limit=100")

    assert everything["total"] == 4
    assert "青禾" not in [v["label"] for v in everything["facets"]["brand"]]
    assert "绿茶" not in [v["label"] for v in everything["facets"]["category"]]
    assert get(client, "/search?q=龙井绿茶")["total"] == 0
    tea = get(client, f"/search?category={category('tea.green-tea').public_id}")
    assert not any(name.startswith("attribute") for name in tea["facets"])
    of_tea = get(client, "/search?attribute.产地=青禾")
    assert (of_tea["total"], of_tea["facets"]["attribute.产地"]) == (
        0,
        [
            {"value": "云川", "label": "云川", "count": 2},
            {"value": "山岚", "label": "山岚", "count": 1},
            {"value": "青禾", "label": "青禾", "count": 0},
        ],
    )
    for typed in ("龙井", "qinghe", "lc", "绿茶"):
        assert get(client, f"/suggest?q={typed}") == {"suggestions": []}
    assert get(client, f"/search?pot={mall.tea_pot}", 404)["code"] == "not_found"


def test_suggestions(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)

    assert get(client, "/suggest?q=qh")["suggestions"][0] == {"text": "青禾", "kind": "brand"}
    assert get(client, "/suggest?q=lvcha")["suggestions"][0] == {"text": "绿茶", "kind": "category"}
    assert get(client, "/suggest") == {"suggestions": []}


def test_pages_by_cursor(client: FlaskClient, mall: Mall) -> None:
    sign_in(client, mall.alpha)
    seen: list[str] = []
    path = "/search?sort=price_asc&limit=2"
    body = get(client, path)
    while True:
        seen += [item["product_id"] for item in body["items"]]
        if body["next_cursor"] is None:
            break
        body = get(client, f"{path}&cursor={body['next_cursor']}")

    assert len(seen) == len(set(seen)) == 6
    assert get(client, f"{path}&cursor=AAAA", 400)["code"] == "bad_cursor"


@pytest.mark.parametrize(
    "query",
    [
        "price_min=-1",
        "price_min=abc",
        "price_min=2&price_max=1",
        "price=5",
        "price=a-b",
        "price=1000000000000000-",
        "limit=0",
        "limit=101",
        "sort=cheapest",
        "in_stock=perhaps",
        "&".join(f"attribute.{number}=1" for number in range(11)),
        "&".join(f"attribute.1={number}" for number in range(51)),
        f"attribute.{'长' * 41}=1",
        f"attribute.1={'长' * 81}",
        "attribute.=1",
        "attribute.1=",
    ],
)
def test_wrong_input_is_refused_by_field(client: FlaskClient, mall: Mall, query: str) -> None:
    sign_in(client, mall.alpha)

    body = get(client, f"/search?{query}", 422)

    assert body["code"] == "invalid_input"
    assert body["errors"][0]["field"].split(".")[0] in query


@pytest.mark.parametrize(
    "text", ["%00%01", "%E2%80%AE%F0%9F%98%80", "*" * 3_000, "%22AND%20title:(", "%FF%FE"]
)
def test_hostile_text_is_answered(client: FlaskClient, mall: Mall, text: str) -> None:
    sign_in(client, mall.alpha)

    assert get(client, f"/search?q={text}")["total"] >= 0
    assert get(client, f"/suggest?q={text}") == {"suggestions": []}


def test_nobody_searches_without_signing_in(client: FlaskClient, mall: Mall) -> None:
    assert get(client, "/search?q=被", 401)["code"] == "not_signed_in"
    assert get(client, "/suggest?q=被", 401)["code"] == "not_signed_in"


# --- while a search server is away -----------------------------------------------------------


@pytest.fixture
def away(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mall]:
    """The mall, with a search server configured that nobody runs."""
    monkeypatch.setenv("MALL_SEARCH_URL", "http://127.0.0.1:9")
    get_settings.cache_clear()
    yield mall
    monkeypatch.undo()
    get_settings.cache_clear()


def test_words_get_a_clear_answer_with_a_time_to_come_back(client: FlaskClient, away: Mall) -> None:
    sign_in(client, away.alpha)

    for _ in range(5):
        answer = client.get("/api/v1/search?q=龙井绿茶")
        assert answer.status_code == 503
        assert answer.mimetype == "application/problem+json"
        assert answer.get_json()["code"] == "search_unavailable"
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert get(client, "/search?brand=brd_any", 503)["code"] == "search_unavailable"


def test_categories_are_browsed_from_the_database(client: FlaskClient, away: Mall) -> None:
    sign_in(client, away.alpha)
    bedding = category_tree().by_key["bedding"].public_id
    path = f"/search?category={bedding}&sort=price_desc"

    body = get(client, f"{path}&limit=3")

    assert body["degraded"] is True
    assert body["total"] == 4
    assert not any(body["facets"].values())
    assert [i["price_minor"] for i in body["items"]] == [66_000, 30_000, 20_000]
    rest = get(client, f"{path}&limit=3&cursor={body['next_cursor']}")
    assert [i["price_minor"] for i in rest["items"]] == [10_000]
    assert rest["next_cursor"] is None
    assert get(client, f"{path}&in_stock=true")["total"] == 3
    assert get(client, f"{path}&price_max=20000")["total"] == 2
    assert get(client, "/search")["total"] == 6


def test_what_is_hidden_stays_hidden_without_the_index(client: FlaskClient, away: Mall) -> None:
    sign_in(client, away.beta)

    assert get(client, "/search")["total"] == 4
    tea = category_tree().by_key["tea"].public_id
    assert get(client, f"/search?category={tea}")["items"] == []
    for typed in ("lc", "绿茶", "青禾龙井"):
        assert get(client, f"/suggest?q={typed}") == {"suggestions": []}


def test_suggestions_go_on_without_the_index(client: FlaskClient, away: Mall) -> None:
    sign_in(client, away.alpha)

    assert get(client, "/suggest?q=lvcha")["suggestions"][0] == {"text": "绿茶", "kind": "category"}
    assert get(client, "/suggest?q=qh")["suggestions"][0] == {"text": "青禾", "kind": "brand"}


def test_news_waits_for_the_index_and_is_not_buried(away: Mall) -> None:
    with write_transaction():
        touch_products(list(db.session.scalars(select(Product.id))))

    with pytest.raises(PartUnavailable):
        drain_lane("index")

    assert outbox.backlog() == {"index": {"pending": 1}}
    assert {row.attempts for row in outbox.take(lane="index")} <= {0}
