"""The quote: prices, freight, tenders by line, refusals, and every kind of bad input."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from flask import Flask

from enterprises.services.companies import add_billing_entity, set_programme_rule
from kernel import clock
from kernel.auth.policy import Role
from kernel.db import db, write_transaction
from kernel.money import MAX_MINOR
from shop.rules import GoodsRule
from shop.services.cart import put_in_cart
from shop.services.catalogue import open_seller
from tests.factories.cashier import (
    API,
    Mall,
    Shopper,
    apart,
    body,
    everything,
    food_rule,
    give_address,
    problem,
    rows,
)
from tests.factories.catalogue import build_offer, category
from tests.factories.enterprises import build_pot, give_points, grant, hire


def funded(quote: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Fen by (title of the line, name of the source)."""
    titles = {line["line_id"]: line["title"] for line in quote["lines"]}
    return {(titles[f["line_id"]], f["source_name"]): f["amount_minor"] for f in quote["funding"]}


def test_every_field_of_a_quote(mall: Mall, buyer: Shopper) -> None:
    before = clock.now()
    quote = buyer.quote(
        {mall.quilt.public_id: 1, mall.tea.public_id: 2, mall.rice.public_id: 1},
        credit_minor=15_000,
        points=1_000,
    )
    north = {"id": mall.north.public_id, "name": mall.north.name}
    south = {"id": mall.south.public_id, "name": mall.south.name}
    lines = quote["lines"]
    assert [
        (x["kind"], x["merchant"], x["offer_id"], x["title"], x["sku_name"]) for x in lines
    ] == [
        ("goods", north, mall.quilt.public_id, "桑蚕丝夏被", "200×230cm"),
        ("goods", south, mall.tea.public_id, "明前龙井", "100g"),
        ("goods", south, mall.rice.public_id, "五常大米", "5kg"),
        ("freight", north, None, "运费", ""),
    ]
    money = ("quantity", "unit_price_minor", "gross_minor", "discount_minor", "payable_minor")
    assert [tuple(line[name] for name in money) for line in lines] == [
        (1, 9_900, 9_900, 0, 9_900),
        (2, 4_500, 9_000, 0, 9_000),
        (1, 3_333, 3_333, 0, 3_333),
        (1, 800, 800, 0, 800),
    ]
    assert lines[0]["product_id"] == mall.quilt.product_id
    assert lines[0]["image"] == mall.quilt.image
    assert (quote["discounts"], quote["saved_minor"], quote["freight_minor"]) == ([], 0, 800)
    assert quote["payable_minor"] == 23_033
    # The food pot expires first and goes as far as it may: tea and rice, no freight.
    assert quote["tenders"] == {
        "credit": [
            {"pot_id": mall.general.public_id, "name": "通用福利", "amount_minor": 2_667},
            {"pot_id": mall.food.public_id, "name": "节日食品", "amount_minor": 12_333},
        ],
        "points": {"points": 1_000, "amount_minor": 1_000},
        "cash_minor": 7_033,
    }
    general, food = (f"lot:{mall.lots[name]}" for name in ("general", "food"))
    ids = [line["line_id"] for line in lines]
    found = [
        (ids.index(f["line_id"]), f["source"], f["pot_id"], f["amount_minor"])
        for f in quote["funding"]
    ]
    assert found == [
        (0, general, mall.general.public_id, 2_667),
        (0, "points", None, 900),  # 1,000 over 7,233 and 800 by largest remainder
        (0, "cash", None, 6_333),
        (1, food, mall.food.public_id, 9_000),
        (2, food, mall.food.public_id, 3_333),
        (3, "points", None, 100),
        (3, "cash", None, 700),
    ]
    assert quote["available"] == {
        "credit": [
            {"pot_id": mall.general.public_id, "name": "通用福利", "available_minor": 100_000},
            {"pot_id": mall.food.public_id, "name": "节日食品", "available_minor": 30_000},
        ],
        "points": 30_000,
    }
    assert quote["billing_entity"] == {
        "id": mall.company.entity.public_id,
        "name": "阿尔法科技有限公司",
    }
    assert {(ids.index(r["line_id"]), r["pot_id"], r["code"]) for r in quote["refusals"]} == {
        (0, mall.food.public_id, "pot_not_eligible"),
        (3, mall.food.public_id, "pot_not_for_freight"),
    }
    assert "不在指定的商品类目内" in quote["refusals"][0]["detail"]
    [(expires_at,)] = rows("SELECT expires_at FROM quote")
    assert quote["expires_at"] == expires_at[:19].replace(" ", "T") + "Z"
    assert timedelta(minutes=14) < _time(expires_at) - before < timedelta(minutes=16)
    # What only we may read stays here.
    assert not any(name.endswith("_pk") for line in lines for name in line)
    assert "address" not in quote


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_credit_is_the_most_there_is_unless_asked_and_points_are_none(
    mall: Mall, buyer: Shopper
) -> None:
    items = {mall.quilt.public_id: 1, mall.tea.public_id: 1}
    whole = buyer.quote(items)
    assert [c["amount_minor"] for c in whole["tenders"]["credit"]] == [10_700, 4_500]
    assert whole["tenders"]["points"] == {"points": 0, "amount_minor": 0}
    assert whole["tenders"]["cash_minor"] == 0
    assert buyer.quote(items, credit_minor="max")["tenders"] == whole["tenders"]
    none = buyer.quote(items, credit_minor=0)
    assert none["tenders"]["credit"] == []
    assert none["tenders"]["cash_minor"] == 15_200
    assert none["billing_entity"] is None
    assert all(f["source"] == "cash" and f["pot_id"] is None for f in none["funding"])
    # More than the order costs is no more than it costs.
    assert buyer.quote(items, credit_minor=MAX_MINOR)["tenders"] == whole["tenders"]


def test_points_by_number_all_and_more_than_there_are(mall: Mall, buyer: Shopper) -> None:
    items = {mall.quilt.public_id: 1}
    some = buyer.quote(items, credit_minor=0, points=999)
    assert some["tenders"]["points"] == {"points": 999, "amount_minor": 999}
    assert funded(some) == {
        ("桑蚕丝夏被", "积分"): 924,  # 999 × 9,900 ÷ 10,700 = 924.3
        ("桑蚕丝夏被", "银行卡"): 8_976,
        ("运费", "积分"): 75,
        ("运费", "银行卡"): 725,
    }
    # All of the points, as far as the order goes.
    most = buyer.quote(items, credit_minor=0, points="max")
    assert most["tenders"]["points"] == {"points": 10_700, "amount_minor": 10_700}
    assert most["tenders"]["cash_minor"] == 0
    refused = problem(buyer.ask_quote(items, points=30_001), 409, "insufficient_points")
    assert refused["available"] == 30_000


def test_more_credit_than_may_pay_this_is_refused_with_what_may(mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        sofa = build_offer(mall.south, price_minor=250_000)
    refused = problem(
        buyer.ask_quote({sofa.public_id: 1}, credit_minor=100_001), 409, "insufficient_credit"
    )
    assert refused["available_minor"] == 100_000  # the food pot may not pay it


def test_a_restricted_pot_never_pays_what_its_rule_leaves_out(app: Flask, mall: Mall) -> None:
    with write_transaction():
        eater = hire(mall.company.id)
        grant(mall.company, mall.food, {eater: 50_000})
        address_id = give_address(eater)
    shopper = Shopper(app, eater, address_id)
    quote = shopper.quote({mall.quilt.public_id: 1, mall.rice.public_id: 2})
    assert funded(quote) == {
        ("桑蚕丝夏被", "银行卡"): 9_900,
        ("五常大米", "节日食品"): 6_666,
        ("运费", "银行卡"): 800,
    }


def test_overlapping_pots_where_greedy_is_wrong(app: Flask, mall: Mall) -> None:
    with write_transaction():
        early = build_pot(mall.company, "先到期")
        eater = hire(mall.company.id)
        grant(mall.company, early, {eater: 4_500}, days=3)
        grant(mall.company, mall.food, {eater: 4_500}, days=60)
        address_id = give_address(eater)
        mug = build_offer(mall.south, price_minor=4_500, category_key="kitchen.cups")
    quote = Shopper(app, eater, address_id).quote({mall.tea.public_id: 1, mug.public_id: 1})
    assert {(f["line_id"], f["source_name"]) for f in quote["funding"]} == {
        (quote["lines"][0]["line_id"], "节日食品"),
        (quote["lines"][1]["line_id"], "先到期"),
    }
    assert quote["tenders"]["cash_minor"] == 0


def test_pots_of_another_billing_entity_are_refused(app: Flask, mall: Mall) -> None:
    with write_transaction():
        union = add_billing_entity(
            enterprise_id=mall.company.id, name="阿尔法工会", tax_number="81330100MC0000001X"
        )
        gift = build_pot(mall.company, "工会慰问", entity=union)
        grant(mall.company, gift, {mall.buyer: 5_000}, days=2)
    buyer = Shopper(app, mall.buyer, mall.address_id)
    quote = buyer.quote({mall.quilt.public_id: 1})
    assert quote["billing_entity"]["name"] == "阿尔法科技有限公司"
    assert {r["code"] for r in quote["refusals"] if r["pot_id"] == gift.public_id} == {
        "other_billing_entity"
    }
    assert funded(quote) == {("桑蚕丝夏被", "通用福利"): 9_900, ("运费", "通用福利"): 800}
    # Where both can pay all, the one whose credit expires first pays, and the other is refused.
    small = buyer.quote({mall.tea.public_id: 1})
    assert small["billing_entity"]["name"] == "阿尔法工会"
    assert {r["pot_id"] for r in small["refusals"]} == {
        mall.general.public_id,
        mall.food.public_id,
    }


def test_freight_by_sub_order_and_free_from_an_amount(mall: Mall, buyer: Shopper) -> None:
    def freight(items: dict[str, int]) -> list[int]:
        lines = buyer.quote(items)["lines"]
        return [line["payable_minor"] for line in lines if line["kind"] == "freight"]

    with write_transaction():
        open_seller(merchant_id=mall.south.id, open_=True, freight_minor=600, free_from_minor=None)
    assert freight({mall.quilt.public_id: 1}) == [800]
    assert freight({mall.quilt.public_id: 3}) == []  # ¥297 ships free
    assert freight({mall.quilt.public_id: 1, mall.tea.public_id: 9}) == [800, 600]
    assert freight({mall.tea.public_id: 1, mall.quilt.public_id: 1}) == [600, 800]


def test_the_carts_chosen_lines_are_quoted_without_items(mall: Mall, buyer: Shopper) -> None:
    problem(buyer.ask_quote(None), 422, "empty_order")
    for offer, chosen in ((mall.quilt, True), (mall.tea, False), (mall.rice, True)):
        path = f"/cart/items/{offer.public_id}"
        body(buyer.call("PUT", path, json={"quantity": 2, "chosen": chosen}), 200)
    goods = [x for x in buyer.quote(None)["lines"] if x["kind"] == "goods"]
    assert [(line["offer_id"], line["quantity"]) for line in goods] == [
        (mall.quilt.public_id, 2),
        (mall.rice.public_id, 2),
    ]
    assert rows("SELECT count(*) FROM cart_item") == [(3,)]


def test_the_same_offer_twice_is_one_line(mall: Mall, buyer: Shopper) -> None:
    items = [{"offer_id": mall.tea.public_id, "quantity": n} for n in (1, 2)]
    quote = body(
        buyer.call(
            "POST", "/checkout/quotes", json={"address_id": buyer.address_id, "items": items}
        ),
        201,
    )
    assert [(line["quantity"], line["payable_minor"]) for line in quote["lines"]] == [(3, 13_500)]


# Refusals ----------------------------------------------------------------------------------------
def test_somebody_elses_address_is_not_found(app: Flask, mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        theirs = give_address(hire(mall.company.id))
    items = {mall.tea.public_id: 1}
    problem(buyer.ask_quote(items, address_id=theirs), 404, "not_found")
    problem(buyer.ask_quote(items, address_id="adr_nobody"), 404, "not_found")


def test_unknown_closed_and_hidden_offers_are_not_found(mall: Mall, buyer: Shopper) -> None:
    refused = problem(buyer.ask_quote({"off_unknown": 1}), 404, "unknown_offer")
    assert refused["offer_id"] == "off_unknown"
    with write_transaction():
        rule = GoodsRule(exclude={"categories": frozenset({category("tea").id})})
        set_programme_rule(enterprise_id=mall.company.id, rule=rule)
    problem(buyer.ask_quote({mall.tea.public_id: 1}), 404, "unknown_offer")
    problem(buyer.ask_quote({mall.rice.public_id: 1, mall.tea.public_id: 1}), 404, "unknown_offer")
    with write_transaction():
        open_seller(merchant_id=mall.south.id, open_=False, freight_minor=0, free_from_minor=None)
    problem(buyer.ask_quote({mall.rice.public_id: 1}), 404, "unknown_offer")
    body(buyer.ask_quote({mall.quilt.public_id: 1}), 201)


def test_more_than_there_is_names_what_is_left(mall: Mall, buyer: Shopper) -> None:
    refused = problem(buyer.ask_quote({mall.tea.public_id: 101}), 409, "out_of_stock")
    assert (refused["offer_id"], refused["available"]) == (mall.tea.public_id, 100)


WRONG_NUMBERS: list[tuple[Any, Any, Any]] = [
    # quantity, points, credit_minor
    (0, 0, 0),
    (-1, 0, 0),
    (10**12, 0, 0),
    (10**30, 0, 0),
    ("2", 0, 0),
    (1.0, 0, 0),
    (True, 0, 0),
    (None, 0, 0),
    ([1], 0, 0),
    (1, -1, 0),
    (1, "1", 0),
    (1, "all", 0),
    (1, 1.5, 0),
    (1, True, 0),
    (1, MAX_MINOR + 1, 0),
    (1, None, 0),
    (1, 0, -1),
    (1, 0, "MAX"),
    (1, 0, 0.5),
    (1, 0, {}),
]


def test_wrong_numbers_are_refused_by_field(mall: Mall, buyer: Shopper) -> None:
    for quantity, points, credit in WRONG_NUMBERS:
        payload = {
            "address_id": buyer.address_id,
            "items": [{"offer_id": mall.tea.public_id, "quantity": quantity}],
            "points": points,
            "credit_minor": credit,
        }
        # Written by json, since numbers beyond 64 bits are more than the client would send.
        answer = buyer.call(
            "POST",
            "/checkout/quotes",
            data=json.dumps(payload),
            headers={"Content-Type": "application/json"},
        )
        refused = problem(answer, 422, "invalid_input")
        wrong = [error["field"] for error in refused["errors"]]
        expected = [
            name
            for name, value, right in (
                ("items.0.quantity", quantity, 1),
                ("points", points, 0),
                ("credit_minor", credit, 0),
            )
            if value != right or type(value) is not int
        ]
        assert wrong == expected, payload
    assert rows("SELECT count(*) FROM quote") == [(0,)]


WRONG_SHAPES: list[tuple[Any, str]] = [
    ({}, "address_id"),
    ({"address_id": 7}, "address_id"),
    ({"address_id": "a", "items": []}, "items"),
    ({"address_id": "a", "items": "all"}, "items"),
    ({"address_id": "a", "items": [{"offer_id": "o"}]}, "items.0.quantity"),
    ({"address_id": "a", "items": [{"quantity": 1}]}, "items.0.offer_id"),
    ({"address_id": "a", "items": [{"offer_id": "o", "quantity": 1}] * 101}, "items"),
    ({"address_id": "a", "coupons": "all"}, "coupons"),
    ({"address_id": "a", "surprise": 1}, "surprise"),
    ([], ""),
]


def test_wrong_shapes_are_refused_by_field(mall: Mall, buyer: Shopper) -> None:
    for payload, field in WRONG_SHAPES:
        answer = buyer.call("POST", "/checkout/quotes", json=payload)
        refused = problem(answer, 422, "invalid_input")
        assert field in {error["field"] for error in refused["errors"]}, payload


def test_an_order_beyond_all_bounds_is_refused(mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        tower = build_offer(mall.south, price_minor=MAX_MINOR // 10 + 1)
    problem(buyer.ask_quote({tower.public_id: 10}), 422, "amount_too_large")
    assert buyer.quote({tower.public_id: 1})["payable_minor"] == MAX_MINOR // 10 + 1


def test_coupons_are_not_known_yet(mall: Mall, buyer: Shopper) -> None:
    problem(buyer.ask_quote({mall.tea.public_id: 1}, coupons=["cpn_x"]), 404, "unknown_coupon")


def test_malformed_json_is_a_clear_error(mall: Mall, buyer: Shopper) -> None:
    kind = {"Content-Type": "application/json"}
    for content in (b"", b"{", b"nonsense", b'{"a": 1,}', b"\xff\xfe", b"[1", b'{"a": NaN'):
        answer = buyer.call("POST", "/checkout/quotes", data=content, headers=kind)
        problem(answer, 400, "malformed_json")


def test_a_body_beyond_the_limit_is_not_read(mall: Mall, buyer: Shopper) -> None:
    big = orjson.dumps({"address_id": "a" * 1_100_000})
    answer = buyer.call(
        "POST", "/checkout/quotes", data=big, headers={"Content-Type": "application/json"}
    )
    problem(answer, 413, "body_too_large")


def test_only_a_signed_in_employee_with_the_pages_token_may_ask(
    app: Flask, mall: Mall, buyer: Shopper
) -> None:
    payload = {
        "address_id": buyer.address_id,
        "items": [{"offer_id": mall.tea.public_id, "quantity": 1}],
    }
    before = everything()
    anonymous = apart(lambda: app.test_client().post(f"{API}/checkout/quotes", json=payload))
    problem(anonymous, 401, "not_signed_in")
    finance = Shopper(app, mall.company.finance)
    problem(finance.call("POST", "/checkout/quotes", json=payload), 403, "forbidden")
    buyer.csrf = "somebody else's"
    problem(buyer.call("POST", "/checkout/quotes", json=payload), 403, "bad_csrf_token")
    assert everything() == before
    assert rows("SELECT count(*) FROM quote") == [(0,)]


def test_hr_staff_who_are_employees_shop_too(app: Flask, mall: Mall) -> None:
    with write_transaction():
        both = hire(mall.company.id, roles=(Role.HR, Role.EMPLOYEE))
        address_id = give_address(both)
        give_points(both, 50)
    quote = Shopper(app, both, address_id).quote({mall.tea.public_id: 1}, points="max")
    assert quote["tenders"]["points"]["points"] == 50
    assert quote["available"]["credit"] == []


def test_a_quote_moves_nothing(mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        put_in_cart(membership_id=mall.buyer.membership_id, offer_id=mall.tea.public_id, quantity=1)
    db.session.rollback()
    before = everything()
    buyer.quote({mall.quilt.public_id: 5, mall.tea.public_id: 1}, points="max")
    assert everything() == before


def test_the_food_rule_of_these_tests_is_what_it_says(mall: Mall) -> None:
    assert food_rule().allows(mall.tea.facts)
    assert food_rule().allows(mall.rice.facts)
    assert not food_rule().allows(mall.quilt.facts)
