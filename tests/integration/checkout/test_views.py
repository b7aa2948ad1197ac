"""What people see of it: order lists and pages, cart, product page, invoices, the enterprise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from enterprises.models import Enterprise
from enterprises.services.companies import set_programme_rule
from kernel import clock, cursors
from kernel.auth.policy import Role
from kernel.db import db, write_transaction
from shop.rules import GoodsRule
from shop.services.stock import set_available
from tests.factories.cashier import (
    Mall,
    Shopper,
    body,
    everything,
    give_address,
    problem,
)
from tests.factories.catalogue import build_offer, build_seller, category
from tests.factories.enterprises import build_company, hire
from tests.factories.people import build_person
from tests.integration.checkout.desk import CardDesk


def other_companys(app: Flask, *roles: Role) -> Shopper:
    with write_transaction():
        actor = hire(build_company("贝塔").id, roles=roles)
    return Shopper(app, actor)


# Orders ------------------------------------------------------------------------------------------
def test_own_orders_newest_first_by_pages_and_state(mall: Mall, buyer: Shopper) -> None:
    paid = [buyer.order({mall.rice.public_id: 1})["order_id"] for _ in range(3)]
    waiting = buyer.order(
        {mall.tea.public_id: 1, mall.quilt.public_id: 2}, credit_minor=0, points=100
    )["order_id"]
    newest_first = [waiting, *reversed(paid)]
    whole = buyer.get("/orders")
    assert [o["order_id"] for o in whole["items"]] == newest_first
    assert whole["next_cursor"] is None
    first = whole["items"][0]
    assert {name: first[name] for name in first if name != "created_at"} == {
        "order_id": waiting,
        "state": "pending_payment",
        "title": "明前龙井",
        "images": [mall.tea.image, mall.quilt.image],
        "line_count": 2,
        "merchants": [mall.south.name, mall.north.name],
        "payable_minor": 25_100,
        "credit_minor": 0,
        "points": 100,
        "points_minor": 100,
        "cash_minor": 25_000,
        "refunded_minor": 0,
    }
    seen: list[str] = []
    path = "/orders?limit=3"
    while path:
        page = buyer.get(path)
        seen += [o["order_id"] for o in page["items"]]
        path = f"/orders?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == newest_first
    only = buyer.get("/orders?state=paid&limit=2")
    assert [o["order_id"] for o in only["items"]] == newest_first[1:3]
    assert buyer.get("/orders?state=closed") == {"items": [], "next_cursor": None}


def test_wrong_pages_are_refused(app: Flask, mall: Mall, buyer: Shopper) -> None:
    for query in ("state=lost", "limit=0", "limit=101", "limit=x", "cursor="):
        problem(buyer.call("GET", f"/orders?{query}"), 422, "invalid_input")
    finance = Shopper(app, mall.company.finance)
    for cursor in ("nonsense", "é", cursors.pack([1, 2]), cursors.pack("x")):
        for who, path in ((buyer, "/orders"), (finance, "/enterprise/orders")):
            answer = who.call("GET", path, query_string={"cursor": cursor})
            problem(answer, 400, "bad_cursor")


def test_one_order_with_everything(desk: CardDesk, mall: Mall, buyer: Shopper) -> None:
    order = buyer.order(
        {mall.quilt.public_id: 1, mall.rice.public_id: 1}, credit_minor=5_000, points=10
    )
    waiting = buyer.get(f"/orders/{order['order_id']}")
    assert waiting["payment"] == order["payment"]
    assert waiting["pay_before_at"] > waiting["created_at"]
    assert (waiting["paid_at"], waiting["invoice"]) == (None, None)
    desk.paid(order)
    seen = buyer.get(f"/orders/{order['order_id']}")
    assert (seen["payment"], seen["pay_before_at"]) == (None, None)
    assert seen["paid_at"] >= seen["created_at"]
    assert seen["address"] == {
        "name": "李明",
        "phone": "138****1234",
        "region_name": "北京市 朝阳区",
        "detail": "望京街道 1 号",
    }
    assert [(x["kind"], x["title"], x["payable_minor"]) for x in seen["lines"]] == [
        ("goods", "桑蚕丝夏被", 9_900),
        ("goods", "五常大米", 3_333),
        ("freight", "运费", 800),
    ]
    ids = [line["line_id"] for line in seen["lines"]]
    assert [
        (sub["merchant"]["id"], sub["state"], sub["line_ids"], sub["freight_minor"])
        for sub in seen["sub_orders"]
    ] == [
        (mall.north.public_id, "to_ship", [ids[0], ids[2]], 800),
        (mall.south.public_id, "to_ship", [ids[1]], 0),
    ]
    assert seen["tenders"] == {
        "credit": [
            {"pot_id": mall.general.public_id, "name": "通用福利", "amount_minor": 1_667},
            {"pot_id": mall.food.public_id, "name": "节日食品", "amount_minor": 3_333},
        ],
        "points": {"points": 10, "amount_minor": 10},
        "cash_minor": 9_023,
    }
    assert sum(f["amount_minor"] for f in seen["funding"]) == seen["payable_minor"] == 14_033
    assert seen["invoice"]["gross_minor"] == 5_000


def test_past_orders_stay_a_persons_whatever_company_they_act_for(
    app: Flask, mall: Mall, buyer: Shopper
) -> None:
    order_id = buyer.order({mall.rice.public_id: 1})["order_id"]
    with write_transaction():
        beta = build_company("贝塔")
        person = db.session.get_one(type(build_person()), mall.buyer.person_id)
        second = hire(beta.id, person=person)
    body(
        buyer.call("POST", "/auth/switch", json={"membership_id": second.membership_public_id}),
        200,
    )
    assert buyer.get("/orders")["items"] == []
    assert buyer.get(f"/orders/{order_id}")["state"] == "paid"
    assert buyer.get("/wallet")["pots"] == []


# Cart and product page ---------------------------------------------------------------------------
def test_the_cart_by_merchant_with_what_is_wrong(mall: Mall, buyer: Shopper) -> None:
    with write_transaction():
        plate = build_offer(mall.north, title="骨瓷盘", price_minor=2_500, stock=3)
    for offer, quantity in ((mall.quilt, 1), (mall.tea, 2), (plate, 3), (mall.rice, 1)):
        path = f"/cart/items/{offer.public_id}"
        body(buyer.call("PUT", path, json={"quantity": quantity}), 200)
    with write_transaction():
        set_available(offer_id=plate.id, units=2)
        set_available(offer_id=mall.rice.id, units=0)
        rule = GoodsRule(exclude={"categories": frozenset({category("tea").id})})
        set_programme_rule(enterprise_id=mall.company.id, rule=rule)
    seen = buyer.get("/cart")
    assert [group["merchant"]["id"] for group in seen["groups"]] == [
        mall.north.public_id,
        mall.south.public_id,
    ]
    items = [item for group in seen["groups"] for item in group["items"]]
    assert [
        (i["title"], i["quantity"], i["available"], (i["problem"] or {}).get("code")) for i in items
    ] == [
        ("桑蚕丝夏被", 1, 100, None),
        ("骨瓷盘", 3, 2, "out_of_stock"),
        ("明前龙井", 2, 100, "unknown_offer"),
        ("五常大米", 1, 0, "out_of_stock"),
    ]
    # Only what can be bought is in the sum.
    assert (seen["count"], seen["chosen_total_minor"]) == (7, 9_900)
    quilt = {pot["name"]: pot for pot in items[0]["pots"]}
    assert (quilt["通用福利"]["eligible"], quilt["通用福利"]["reason"]) == (True, None)
    assert quilt["节日食品"]["eligible"] is False
    assert quilt["节日食品"]["reason"] == "不能付：不在指定的商品类目内"
    path = f"/cart/items/{mall.quilt.public_id}"
    unchosen = body(buyer.call("PUT", path, json={"quantity": 5, "chosen": False}), 200)
    assert unchosen["chosen_total_minor"] == 0
    assert body(buyer.call("DELETE", path), 200)["count"] == 6
    assert body(buyer.call("DELETE", path), 200)["count"] == 6


def test_what_cannot_be_put_in_the_cart(mall: Mall, buyer: Shopper) -> None:
    before = everything()
    path = f"/cart/items/{mall.tea.public_id}"
    for quantity in (0, -1, 10**12, "1", 1.5, None, True):
        refused = buyer.call("PUT", path, json={"quantity": quantity})
        problem(refused, 422, "invalid_input")
    unknown = buyer.call("PUT", "/cart/items/off_unknown", json={"quantity": 1})
    problem(unknown, 404, "unknown_offer")
    with write_transaction():
        rule = GoodsRule(exclude={"categories": frozenset({category("tea").id})})
        set_programme_rule(enterprise_id=mall.company.id, rule=rule)
    problem(buyer.call("PUT", path, json={"quantity": 1}), 404, "unknown_offer")
    assert everything() == before


def test_a_product_page_shows_what_this_viewer_may_see(
    app: Flask, mall: Mall, buyer: Shopper
) -> None:
    with write_transaction():
        dear = build_offer(
            mall.north, title="桑蚕丝夏被", price_minor=12_000, product_code="P-2", brand="云川"
        )
    seen = buyer.get(f"/products/{dear.product_id}")
    assert (seen["title"], seen["brand"]["name"]) == ("桑蚕丝夏被", "云川")
    assert [node["name"] for node in seen["category"]["path"]] == ["家纺", "被子"]
    [sku] = seen["skus"]
    [offer] = sku["offers"]
    assert (offer["offer_id"], offer["price_minor"], offer["available"]) == (
        dear.public_id,
        12_000,
        100,
    )
    assert {(pot["name"], pot["eligible"]) for pot in offer["pots"]} == {
        ("通用福利", True),
        ("节日食品", False),
    }
    # A merchant looks at it without pots; an unknown or hidden one is not there.
    with write_transaction():
        seller = build_seller(mall.north)
    bare = Shopper(app, seller).get(f"/products/{dear.product_id}")
    assert bare["skus"][0]["offers"][0]["pots"] == []
    problem(buyer.call("GET", "/products/prd_unknown"), 404, "not_found")
    with write_transaction():
        rule = GoodsRule(exclude={"merchants": frozenset({mall.north.id})})
        set_programme_rule(enterprise_id=mall.company.id, rule=rule)
    problem(buyer.call("GET", f"/products/{dear.product_id}"), 404, "not_found")


# Invoices ----------------------------------------------------------------------------------------
@pytest.fixture
def order_id(mall: Mall, buyer: Shopper) -> Any:
    return buyer.order({mall.rice.public_id: 2, mall.quilt.public_id: 1})["order_id"]


def test_the_invoice_is_for_finance_and_the_buyer_and_nobody_else(
    app: Flask, mall: Mall, buyer: Shopper, order_id: str
) -> None:
    path = f"/orders/{order_id}/invoice"
    mine = buyer.get(path)
    finance = Shopper(app, mall.company.finance)
    assert finance.get(path) == mine
    assert Shopper(app, mall.company.hr).get(path) == mine
    for stranger in (
        other_companys(app, Role.FINANCE),
        other_companys(app, Role.EMPLOYEE),
        Shopper(app, _colleague(mall)),
    ):
        problem(stranger.call("GET", path), 404, "not_found")
    # Finance reaches the invoice, not the order: it says what one person bought.
    problem(finance.call("GET", f"/orders/{order_id}"), 404, "not_found")
    with write_transaction():
        db.session.execute(update(Enterprise).values(employee_sees_invoice=False))
    problem(buyer.call("GET", path), 404, "no_enterprise_invoice")
    assert finance.get(path) == mine


def _colleague(mall: Mall) -> Any:
    with write_transaction():
        return hire(mall.company.id)


def test_finance_staff_who_shop_see_their_own_invoice(app: Flask, mall: Mall) -> None:
    with write_transaction():
        both = hire(mall.company.id, roles=(Role.FINANCE, Role.EMPLOYEE))
        address_id = give_address(both)
    shopper = Shopper(app, both, address_id)
    order = shopper.order({mall.rice.public_id: 1})
    assert order["payment"]["amount_minor"] == 3_333
    problem(
        shopper.call("GET", f"/orders/{order['order_id']}/invoice"), 404, "no_enterprise_invoice"
    )


def test_the_invoice_as_page_pdf_and_xml(mall: Mall, buyer: Shopper, order_id: str) -> None:
    seen = buyer.get(f"/orders/{order_id}/invoice")
    assert (seen["kind"], seen["gross_minor"]) == ("blue", 17_366)
    pdf = buyer.call("GET", f"/orders/{order_id}/invoice.pdf")
    assert (pdf.status_code, pdf.mimetype) == (200, "application/pdf")
    assert pdf.data.startswith(b"%PDF-")
    assert f'filename="invoice-{seen["number"]}.pdf"' in pdf.headers["Content-Disposition"]
    xml = buyer.call("GET", f"/orders/{order_id}/invoice.xml")
    assert (xml.status_code, xml.mimetype) == (200, "application/xml")
    assert seen["number"].encode() in xml.data


def test_red_invoices_are_asked_for_by_number(mall: Mall, buyer: Shopper, order_id: str) -> None:
    path = f"/orders/{order_id}/invoice"
    line = buyer.get(f"/orders/{order_id}")["lines"][0]["line_id"]
    body(buyer.give_back(order_id, {line: 1}), 201)
    [red] = buyer.get(path)["red"]
    assert red["gross_minor"] == -3_333
    seen = buyer.get(f"{path}?red={red['number']}")
    assert (seen["kind"], seen["gross_minor"]) == ("red", -3_333)
    problem(buyer.call("GET", f"{path}?red=000"), 404, "no_enterprise_invoice")


# The enterprise ----------------------------------------------------------------------------------
def test_the_enterprise_sees_orders_that_its_credit_paid_and_no_names(
    app: Flask, mall: Mall, buyer: Shopper, order_id: str
) -> None:
    buyer.order({mall.tea.public_id: 1}, credit_minor=0)  # by card: none of its business
    second = buyer.order({mall.tea.public_id: 1})["order_id"]
    line = buyer.get(f"/orders/{second}")["lines"][0]["line_id"]
    body(buyer.give_back(second, {line: 1}), 201)
    finance = Shopper(app, mall.company.finance)
    seen = finance.get("/enterprise/orders")
    assert (seen["total"], seen["next_cursor"]) == (2, None)
    assert [
        (o["order_id"], o["state"], o["merchant_count"], o["rates"], o["credit_minor"])
        for o in seen["items"]
    ] == [
        (second, "refunded", 1, ["13%"], 4_500),
        (order_id, "paid", 2, ["13%", "9%"], 17_366),
    ]
    assert seen["items"][0]["invoice"]["red_minor"] == -4_500
    assert mall.buyer.name not in str(seen)
    assert mall.buyer.login not in str(seen)
    page = finance.get("/enterprise/orders?limit=1")
    assert [o["order_id"] for o in page["items"]] == [second]
    rest = finance.get(f"/enterprise/orders?limit=1&cursor={page['next_cursor']}")
    assert ([o["order_id"] for o in rest["items"]], rest["next_cursor"]) == ([order_id], None)
    nobody = other_companys(app, Role.FINANCE).get("/enterprise/orders")
    assert (nobody["items"], nobody["total"]) == ([], 0)
    problem(buyer.call("GET", "/enterprise/orders"), 403, "forbidden")


def test_the_enterprise_looks_at_one_month_as_its_calendar_says(
    app: Flask, mall: Mall, buyer: Shopper
) -> None:
    ids = []
    # Months are China's: 16:30 UTC on the last of November is December there.
    for at in ("2026-11-30T15:30:00", "2026-11-30T16:30:00", "2026-12-31T16:00:00"):
        with clock.frozen(datetime.fromisoformat(at).replace(tzinfo=UTC)):
            ids.append(buyer.order({mall.rice.public_id: 1})["order_id"])
    finance = Shopper(app, mall.company.finance)
    for month, expected in (
        ("2026-11", ids[:1]),
        ("2026-12", ids[1:2]),
        ("2027-01", ids[2:]),
        ("2026-10", []),
    ):
        seen = finance.get(f"/enterprise/orders?month={month}")
        assert [o["order_id"] for o in seen["items"]] == expected
        assert seen["total"] == len(expected)
    for wrong in ("2026-13", "2026", "2026-1", "x", "2026-00", "1999-01", "9999-12", "2026-11-1"):
        answer = finance.call("GET", f"/enterprise/orders?month={wrong}")
        problem(answer, 422, "invalid_input")


def test_the_overview_is_the_books(app: Flask, mall: Mall, buyer: Shopper, order_id: str) -> None:
    hr = Shopper(app, mall.company.hr)
    seen = hr.get("/enterprise/overview")
    assert seen["enterprise"] == {"id": mall.company.public_id, "name": "阿尔法科技"}
    figures = {f["key"]: f["amount_minor"] for f in seen["figures"]}
    assert figures["receivable"] == 17_366
    assert figures["budget_open"] == 0
    assert figures["expiring_30d"] == 30_000 - 6_666
    assert figures["credit_available"] == 100_000_000 - 130_000
    problem(buyer.call("GET", "/enterprise/overview"), 403, "forbidden")
