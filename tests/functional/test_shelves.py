"""The shelves of a product page and the switch of personalisation, as a client meets them."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import text

from enterprises.services.companies import set_programme_rule
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.settings import get_settings
from kernel.tasks import run_task
from kernel.worker import drain_all
from search import indexing
from search.engines.choice import get_engine
from shop.rules import GoodsRule
from shop.services.catalogue import OfferView, set_price
from tests.engines import forget_indexes
from tests.factories.cashier import Shopper, body, give_address, problem
from tests.factories.catalogue import build_categories, build_merchant, build_offer, category
from tests.factories.enterprises import build_company, build_pot, grant, hire

_TITLES = {
    "quilt": ("云川桑蚕丝夏被", "bedding.quilt"),
    "silk": ("山岚桑蚕丝被春秋款", "bedding.quilt"),
    "down": ("云川羽绒冬被", "bedding.quilt"),
    "tea": ("青禾龙井绿茶礼盒", "tea.green-tea"),
    "cup": ("青禾碧螺春绿茶", "tea.green-tea"),
}


@dataclass
class Mall:
    """Two people of Alpha, and one of Beta, whose company hides all tea."""

    goods: dict[str, OfferView]
    first: Shopper
    second: Shopper
    other: Shopper

    def path(self, name: str, shelf: str) -> str:
        return f"/products/{self.goods[name].product_id}/{shelf}"

    def buy(self, who: Shopper, *names: str) -> str:
        """An order that credit pays at once; the background has heard of it."""
        order = who.order({self.goods[name].public_id: 1 for name in names})
        assert order["state"] == "paid"
        drain_all()
        return str(order["order_id"])


@pytest.fixture
def mall(app: Flask) -> Iterator[Mall]:
    forget_indexes()
    shutil.rmtree(get_settings().index_dir, ignore_errors=True)
    g.pop("shop_categories", None)
    with write_transaction():
        build_categories()
        north = build_merchant("north")
        goods = {
            name: build_offer(north, title=title, category_key=key, price_minor=10_000)
            for name, (title, key) in _TITLES.items()
        }
        alpha, beta = build_company("阿尔法"), build_company("贝塔")
        people = []
        for company, count in ((alpha, 2), (beta, 1)):
            pot = build_pot(company)
            hired = [hire(company.id) for _ in range(count)]
            grant(company, pot, dict.fromkeys(hired, 500_000))
            people += [(actor, give_address(actor)) for actor in hired]
        set_programme_rule(
            enterprise_id=beta.id,
            rule=GoodsRule(exclude={"categories": frozenset({category("tea").id})}),
        )
    drain_all()
    indexing.write_suggestions()
    yield Mall(goods, *(_signed_in(app, *person) for person in people))
    get_engine().close()


def _signed_in(app: Flask, actor: Actor, address_id: str) -> Shopper:
    return Shopper(app, actor, address_id)


def titles(shelf: dict[str, Any]) -> list[str]:
    return [item["title"] for item in shelf["items"]]


# --- similar ---------------------------------------------------------------------------------


def test_similar_goods_in_the_shape_of_a_result(mall: Mall) -> None:
    shelf = mall.first.get(mall.path("quilt", "similar"))

    assert shelf["degraded"] is False
    assert titles(shelf) == ["山岚桑蚕丝被春秋款", "云川羽绒冬被"]
    item = next(i for i in mall.first.get("/search?q=山岚")["items"])
    assert {**shelf["items"][0], "highlight": []} == {**item, "highlight": []}
    assert titles(mall.first.get(mall.path("quilt", "similar") + "?limit=1")) == titles(shelf)[:1]
    with write_transaction():
        set_price(offer_id=mall.goods["silk"].public_id, price_minor=8_800)
    shelf = mall.first.get(mall.path("quilt", "similar"))
    assert shelf["items"][0]["price_minor"] == 8_800


@pytest.mark.parametrize("shelf", ["similar", "bought-together"])
def test_unknown_hidden_and_wrong(mall: Mall, client: FlaskClient, shelf: str) -> None:
    for who, path in (
        (mall.first, f"/products/prd_none/{shelf}"),
        (mall.other, mall.path("tea", shelf)),
    ):
        page = path.removesuffix(f"/{shelf}")
        refused = problem(who.call("GET", path), 404, "not_found")
        asked = problem(who.call("GET", page), 404, "not_found")
        assert refused["title"] == asked["title"]
    for limit in ("0", "31", "many"):
        answer = mall.first.call("GET", f"{mall.path('tea', shelf)}?limit={limit}")
        assert problem(answer, 422, "invalid_input")["errors"][0]["field"] == "limit"
    assert client.get(f"/api/v1{mall.path('tea', shelf)}").status_code == 401


def test_without_the_index_the_page_and_its_shelves_go_on(
    mall: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    mall.buy(mall.first, "quilt", "tea")
    mall.buy(mall.second, "quilt", "tea")
    monkeypatch.setenv("MALL_SEARCH_URL", "http://127.0.0.1:9")
    get_settings.cache_clear()
    try:
        assert mall.first.get(mall.path("quilt", "similar")) == {"items": [], "degraded": True}
        beside = mall.first.get(mall.path("quilt", "bought-together"))
        assert (titles(beside), beside["degraded"]) == (["青禾龙井绿茶礼盒"], False)
        problem(mall.other.call("GET", mall.path("tea", "similar")), 404, "not_found")
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()


# --- bought together -------------------------------------------------------------------------


def test_what_two_people_bought_in_one_order_stands_beside(mall: Mall) -> None:
    path = mall.path("quilt", "bought-together")
    assert mall.first.get(path) == {"items": [], "degraded": False}

    mall.buy(mall.first, "quilt", "tea", "down")
    mall.buy(mall.first, "quilt", "tea")
    assert titles(mall.second.get(path)) == []  # one person's baskets, however many

    mall.buy(mall.second, "quilt", "tea")
    assert titles(mall.second.get(path)) == ["青禾龙井绿茶礼盒"]
    mall.buy(mall.second, "quilt", "down")
    assert titles(mall.first.get(path)) == ["青禾龙井绿茶礼盒", "云川羽绒冬被"]
    assert titles(mall.first.get(f"{path}?limit=1")) == ["青禾龙井绿茶礼盒"]
    assert titles(mall.first.get(mall.path("tea", "bought-together"))) == ["云川桑蚕丝夏被"]
    # Beta hides tea; its own people are shown the rest.
    assert titles(mall.other.get(path)) == ["云川羽绒冬被"]


def _pairs() -> list[tuple[int, int, int]]:
    with db.engines["read"].connect() as connection:
        query = "SELECT product_id, companion_id, orders FROM bought_together ORDER BY 1, 2"
        return [(a, b, n) for a, b, n in connection.execute(text(query))]


def test_an_event_delivered_twice_counts_once_and_refunds_take_nothing_back(mall: Mall) -> None:
    order_id = mall.buy(mall.first, "quilt", "tea")
    once = _pairs()
    assert [orders for _, _, orders in once] == [1, 1]

    run_task("checkout.count_companions", {"order_ids": [order_id]})
    run_task("checkout.count_companions", {"order_ids": [order_id, order_id, "ord_none"]})

    assert _pairs() == once
    lines = mall.first.get(f"/orders/{order_id}")["lines"]
    units = {line["line_id"]: 1 for line in lines if line["kind"] == "goods"}
    body(mall.first.give_back(order_id, units), 201)
    drain_all()
    assert _pairs() == once


def test_only_what_was_paid_counts(mall: Mall) -> None:
    quote = mall.first.quote({mall.goods[name].public_id: 1 for name in ("quilt", "tea")})
    assert quote["payable_minor"] == 20_000
    drain_all()
    assert _pairs() == []


# --- personalisation (feature S4) ------------------------------------------------------------


def test_personalisation_is_on_until_a_person_switches_it_off(mall: Mall) -> None:
    assert mall.first.get("/me/settings") == {"personalisation": True}
    assert mall.first.get("/me")["settings"] == {"personalisation": True}

    for _ in range(2):
        answer = mall.first.call("PUT", "/me/settings", json={"personalisation": False})
        assert body(answer, 200) == {"personalisation": False}

    assert mall.first.get("/me")["settings"] == {"personalisation": False}
    again = Shopper(mall.first.app, mall.first.actor)  # another device
    assert again.get("/me/settings") == {"personalisation": False}
    assert mall.second.get("/me/settings") == {"personalisation": True}
    person = mall.first.actor.person_public_id
    with db.engines["read"].connect() as connection:
        query = "SELECT actor, subject, details FROM audit_entry WHERE action LIKE 'person.%'"
        assert connection.execute(text(query)).all() == [
            (person, person, '{"personalisation":false}')
        ]


@pytest.mark.parametrize("wrong", [{}, {"personalisation": None}, {"personalisation": "perhaps"}])
def test_a_wrong_choice_changes_nothing(mall: Mall, wrong: dict[str, Any]) -> None:
    problem(mall.first.call("PUT", "/me/settings", json=wrong), 422, "invalid_input")
    assert mall.first.get("/me/settings") == {"personalisation": True}


def test_the_switch_needs_a_session_and_the_pages_token(mall: Mall, client: FlaskClient) -> None:
    assert client.get("/api/v1/me/settings").status_code == 401
    assert client.put("/api/v1/me/settings", json={"personalisation": False}).status_code == 401
    answer = mall.first.call(
        "PUT", "/me/settings", json={"personalisation": False}, headers={"X-CSRF-Token": "no"}
    )
    problem(answer, 403, "bad_csrf_token")
    assert mall.first.get("/me/settings") == {"personalisation": True}


_ASKED = (
    "/search?q=桑蚕丝被",
    "/search?q=lvcha",
    "/search?q=云川&sort=price_desc",
    "/search",
    "/search?sort=newest&limit=2",
    "/suggest?q=qh",
    "/suggest?q=云",
)


def _answers(mall: Mall, who: Shopper) -> list[Any]:
    """All that is found and shown, without what is each request's own."""
    found = []
    for path in (*_ASKED, mall.path("quilt", "similar"), mall.path("quilt", "bought-together")):
        answer = who.get(path)
        for own in ("took_ms", "next_cursor"):
            answer.pop(own, None)
        found.append(answer)
    return found


def test_two_people_of_one_enterprise_get_the_same_with_the_switch_on_or_off(mall: Mall) -> None:
    # What one of them did before must make no difference.
    mall.buy(mall.first, "quilt", "tea")
    mall.buy(mall.second, "quilt", "tea")
    for text_ in ("羽绒", "茶", "云川"):
        mall.first.get(f"/search?q={text_}")
    mall.buy(mall.first, "down", "cup")

    before = _answers(mall, mall.first)

    assert before[0]["total"] > 0
    assert before[-1]["items"]
    assert before[-2]["items"]
    assert _answers(mall, mall.second) == before
    body(mall.first.call("PUT", "/me/settings", json={"personalisation": False}), 200)
    assert _answers(mall, mall.first) == before
    body(mall.second.call("PUT", "/me/settings", json={"personalisation": False}), 200)
    assert _answers(mall, mall.second) == before
