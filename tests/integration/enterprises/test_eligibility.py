"""Who may see what, and which pot may pay for it."""

from __future__ import annotations

from itertools import product

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from enterprises.services.companies import (
    add_billing_entity,
    find_billing_entity,
    find_enterprise,
    programme_of,
    set_programme_rule,
)
from enterprises.services.eligibility import viewer_of
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.errors import NotFound
from kernel.web import API
from points.services.holds import hold_lots
from shop.rules import DIMENSIONS, GoodsFacts, GoodsRule
from shop.services.catalogue import OfferView, find_brands
from tests.factories.catalogue import build_categories, build_merchant, build_offer, category
from tests.factories.enterprises import build_company, build_pot, give_points, grant, hire
from tests.factories.people import PASSWORD, actor_of, build_operator
from tests.integration.points.books import commit
from tests.integration.points.conftest import Scene, scene

__all__ = ["scene"]


@pytest.fixture
def goods(scene: Scene) -> dict[str, OfferView]:
    """A quilt of 眠山, a pillow without a brand and a tea, of two merchants."""
    with write_transaction():
        build_categories()
        north, south = build_merchant("north"), build_merchant("south")
        return {
            "quilt": build_offer(north, title="被子", brand="眠山"),
            "pillow": build_offer(south, title="枕头", category_key="bedding.pillow"),
            "tea": build_offer(south, title="龙井", category_key="tea.green-tea", brand="山野"),
        }


def _rule(**sides: dict[str, set[int]]) -> GoodsRule:
    return GoodsRule(
        **{side: {k: frozenset(v) for k, v in ids.items()} for side, ids in sides.items()}
    )


def _seen(actor: Actor, goods: dict[str, OfferView]) -> set[str]:
    viewer = viewer_of(actor)
    return {name for name, offer in goods.items() if viewer.sees(offer.facts)}


def test_a_new_enterprise_sees_everything(scene: Scene, goods: dict[str, OfferView]) -> None:
    assert _seen(scene.employee, goods) == {"quilt", "pillow", "tea"}
    assert programme_of(enterprise_id=scene.company.id) == (GoodsRule(), 1)


def test_a_programme_lets_in_and_out_and_out_beats_in(
    scene: Scene, goods: dict[str, OfferView]
) -> None:
    bedding, pillow = category("bedding").id, category("bedding.pillow").id
    commit(
        set_programme_rule,
        enterprise_id=scene.company.id,
        rule=_rule(include={"categories": {bedding}}, exclude={"categories": {pillow}}),
    )
    assert _seen(scene.employee, goods) == {"quilt"}
    rule, version = programme_of(enterprise_id=scene.company.id)
    assert version == 2
    assert rule.include == {"categories": {bedding}}
    with write_transaction():
        other = hire(build_company("贝塔贸易").id)
    assert _seen(other, goods) == {"quilt", "pillow", "tea"}


def test_goods_without_a_brand_are_in_no_list_of_brands(
    scene: Scene, goods: dict[str, OfferView]
) -> None:
    brands = set(find_brands(["眠山", "山野"]).values())
    commit(
        set_programme_rule,
        enterprise_id=scene.company.id,
        rule=_rule(include={"brands": brands}),
    )
    assert _seen(scene.employee, goods) == {"quilt", "tea"}


def test_pots_answer_for_themselves_with_a_reason(
    scene: Scene, goods: dict[str, OfferView]
) -> None:
    with write_transaction():
        tea_only = build_pot(
            scene.company, "节日", rule=_rule(include={"categories": {category("tea").id}})
        )
        build_pot(scene.company, "没有发放的额度")
        grant(scene.company, scene.pot, {scene.employee: 700})
        grant(scene.company, tea_only, {scene.employee: 300})
    viewer = viewer_of(scene.employee)
    assert [(p.pot.name, p.available_minor) for p in viewer.pots] == [
        ("通用福利", 700),
        ("节日", 300),
    ]
    answers = viewer.pot_answers(goods["quilt"].facts)
    assert [(a.pot_id, a.eligible, a.reason) for a in answers] == [
        (scene.pot.public_id, True, None),
        (tea_only.public_id, False, "不能付：不在指定的商品类目内"),
    ]
    assert [a.eligible for a in viewer.pot_answers(goods["tea"].facts)] == [True, True]
    found = viewer.find_pot(tea_only.public_id)
    assert found is not None
    assert found.pot == tea_only
    assert viewer.find_pot("pot_none") is None


def test_a_leaver_sees_but_has_no_pots(scene: Scene, goods: dict[str, OfferView]) -> None:
    with write_transaction():
        grant(scene.company, scene.pot, {scene.employee: 700})
        db.session.execute(
            text("UPDATE membership SET active = 0 WHERE id = :id"),
            {"id": scene.employee.membership_id},
        )
    leaver = actor_of(scene.employee.membership_id)
    assert viewer_of(leaver).pots == ()
    assert _seen(leaver, goods) == {"quilt", "pillow", "tea"}


def test_who_is_of_no_enterprise_sees_all_and_pays_by_card(
    scene: Scene, goods: dict[str, OfferView]
) -> None:
    with write_transaction():
        operator = build_operator()
    viewer = viewer_of(operator)
    assert (viewer.enterprise_id, viewer.pots, viewer.programme_version) == (None, (), 0)
    assert _seen(operator, goods) == {"quilt", "pillow", "tea"}


ONE, TWO = frozenset({1}), frozenset({2})
FACTS = GoodsFacts(product_id=1, categories=ONE, brands=ONE, merchants=ONE, assortments=ONE)


@pytest.mark.parametrize("name", DIMENSIONS)
@pytest.mark.parametrize(
    ("include", "exclude", "allowed"),
    [
        (frozenset(), frozenset(), True),
        (ONE, frozenset(), True),
        (ONE | TWO, frozenset(), True),
        (TWO, frozenset(), False),
        (frozenset(), ONE, False),
        (frozenset(), TWO, True),
        (ONE, ONE, False),
        (ONE, TWO, True),
        (TWO, ONE, False),
    ],
)
def test_a_rule_in_every_dimension(
    name: str, include: frozenset[int], exclude: frozenset[int], allowed: bool
) -> None:
    rule = GoodsRule(include={name: include}, exclude={name: exclude})
    assert rule.allows(FACTS) is allowed
    assert (rule.refusal(FACTS) is None) is allowed
    assert GoodsRule.from_json(rule.to_json()).allows(FACTS) is allowed


def test_dimensions_are_all_needed_and_one_out_is_enough() -> None:
    for first, second in product(DIMENSIONS, DIMENSIONS):
        if first != second:
            assert GoodsRule(include={first: ONE, second: ONE}).allows(FACTS)
            assert not GoodsRule(include={first: ONE, second: TWO}).allows(FACTS)
            assert not GoodsRule(include={first: ONE}, exclude={second: ONE}).allows(FACTS)


def test_a_rule_reads_what_it_writes_and_nothing_else() -> None:
    rule = GoodsRule(include={"brands": TWO | ONE, "categories": frozenset()}, exclude={})
    assert rule.to_json() == {"include": {"brands": [1, 2]}, "exclude": {}}
    assert GoodsRule.from_json(None) == GoodsRule.from_json({}) == GoodsRule()
    assert GoodsRule.from_json({"include": None, "exclude": {"brands": ["3"]}}).exclude == {
        "brands": {3}
    }
    with pytest.raises(ValueError, match="colours"):
        GoodsRule.from_json({"include": {"colours": [1]}})


def test_an_enterprise_and_its_entities_are_found_by_id(scene: Scene) -> None:
    assert find_enterprise(enterprise_id=scene.company.id) == scene.company.view
    with write_transaction():
        union = add_billing_entity(
            enterprise_id=scene.company.id,
            name="阿尔法工会",
            tax_number="81330100MA2UNION0X",
            address_phone="杭州 0571-88",
            bank_account="工行 1234",
        )
    assert find_billing_entity(entity_id=union.public_id) == union
    assert (union.name, union.enterprise_id, union.address_phone, union.bank_account) == (
        "阿尔法工会",
        scene.company.id,
        "杭州 0571-88",
        "工行 1234",
    )
    for call in (
        lambda: find_enterprise(enterprise_id=999_999),
        lambda: find_billing_entity(entity_id="bil_none"),
    ):
        with pytest.raises(NotFound):
            call()


def test_what_is_no_enterprise_has_an_open_programme(app: Flask) -> None:
    assert programme_of(enterprise_id=999_999) == (GoodsRule(), 0)


@pytest.fixture
def shopper(scene: Scene, client: FlaskClient) -> FlaskClient:
    answer = client.post(
        f"{API}/auth/login", json={"login": scene.employee.login, "password": PASSWORD}
    )
    assert answer.status_code == 200
    return client


def test_the_wallet_tells_pots_points_and_what_expires_when(
    scene: Scene, goods: dict[str, OfferView], shopper: FlaskClient
) -> None:
    with write_transaction():
        tea = category("tea")
        festival = build_pot(
            scene.company,
            "节日",
            rule=_rule(include={"categories": {tea.id}}),
            on_expiry="lapse",
        )
        [late] = grant(scene.company, festival, {scene.employee: 500}, days=60)
        [soon] = grant(scene.company, festival, {scene.employee: 300}, days=10)
        points = give_points(scene.employee, 900)
    commit(hold_lots, order_id="ord_1", amounts={late: 200, points: 100, soon: 300})
    body = shopper.get(f"{API}/wallet").get_json()
    [pot] = body["pots"]
    assert (pot["id"], pot["available_minor"], pot["held_minor"]) == (
        festival.public_id,
        300,
        500,
    )
    assert [(e["lot_id"], e["amount_minor"], e["granted_minor"]) for e in pot["expires"]] == [
        (late, 300, 500)
    ]
    assert pot["eligible"]["categories"] == [{"id": tea.public_id, "name": tea.name}]
    assert pot["billing_entity"]["id"] == scene.company.entity.public_id
    assert pot["after_expiry"] == "lapse"
    assert (body["points"]["available"], body["points"]["held"]) == (800, 100)
    assert body["points"]["per_yuan"] == 100
    assert [e["amount"] for e in body["points"]["expires"]] == [800]


def test_the_statement_comes_in_pages(scene: Scene, shopper: FlaskClient) -> None:
    with write_transaction():
        for amount in (100, 200, 300):
            grant(scene.company, scene.pot, {scene.employee: amount})
    told, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = shopper.get(f"{API}/wallet/statement", query_string=query).get_json()
        told += [(row["kind"], row["amount_minor"]) for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert told == [("grant", 300), ("grant", 200), ("grant", 100)]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"cursor": "forged"}, 400, "bad_cursor"),
        ({"limit": 0}, 422, "invalid_input"),
        ({"limit": 101}, 422, "invalid_input"),
        ({"limit": "x"}, 422, "invalid_input"),
    ],
)
def test_a_statement_refuses_what_it_cannot_read(
    shopper: FlaskClient, query: dict[str, object], status: int, code: str
) -> None:
    answer = shopper.get(f"{API}/wallet/statement", query_string=query)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_an_empty_wallet_is_empty(shopper: FlaskClient) -> None:
    assert shopper.get(f"{API}/wallet").get_json() == {
        "pots": [],
        "points": {"available": 0, "held": 0, "per_yuan": 100, "expires": []},
    }
