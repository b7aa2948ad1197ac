"""The contract of the HTTP interface: every call, its fields and their kinds, who may see what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.running import Mall
from tests.functional.shapes import (
    FACET,
    ID,
    INVOICE,
    NAMED,
    ORDER,
    ORDER_STATE,
    PAYMENT,
    POT_ANSWER,
    QUOTE,
    SEARCH_ITEM,
    SIGNED_IN,
    TENDERS,
    TIME,
    WHOLE,
    WHOLE_ORDER,
    Maybe,
    OneOf,
    Text,
    check,
)
from tests.functional.shopper import (
    COLLEAGUE,
    EMPLOYEE,
    HR,
    OTHER_FINANCE,
    Client,
    body,
    new_key,
    problem,
)


@pytest.fixture(scope="module")
def paid(real_mall: Mall) -> Iterator[tuple[Client, dict[str, Any]]]:
    """A colleague's order that credit paid, and the colleague."""
    with Client(real_mall.origin, COLLEAGUE) as client:
        found = client.find("毛巾", sort="price_asc", in_stock="true")[0]
        offer = client.offer_of(found["product_id"])
        quote = client.quote({offer["offer_id"]: 2})
        answer = body(client.place(quote["quote_id"], key=new_key()), 201)
        check(answer, {"order_id": ID, "state": ORDER_STATE, "payment": Maybe(PAYMENT)})
        assert (answer["state"], answer["payment"]) == ("paid", None)
        yield client, client.order(answer["order_id"])


# Sign-in ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("login", "role", "kind"),
    [
        ("employee1@alpha.example", "employee", "enterprise"),
        ("employee2@alpha.example", "employee", "enterprise"),
        ("employee1@beta.example", "employee", "enterprise"),
        ("hr@alpha.example", "hr", "enterprise"),
        ("finance@alpha.example", "finance", "enterprise"),
        ("hr@beta.example", "hr", "enterprise"),
        ("finance@beta.example", "finance", "enterprise"),
        ("seller@north.example", "merchant_owner", "merchant"),
        ("seller@south.example", "merchant_owner", "merchant"),
        ("seller@east.example", "merchant_owner", "merchant"),
        ("marketing@bank.example", "marketing", "bank"),
        ("operator1@mall.example", "operator", "platform"),
        ("operator2@mall.example", "operator", "platform"),
    ],
)
def test_every_login_of_the_demo_world(real_mall: Mall, login: str, role: str, kind: str) -> None:
    with Client(real_mall.origin, login) as client:
        check(client.me, SIGNED_IN)
        assert client.me["user"]["login"] == login
        assert role in client.me["user"]["roles"]
        assert client.me["user"]["tenant"]["kind"] == kind
        assert body(client.get("/me")) == client.me


def test_wrong_name_and_wrong_password_look_the_same(real_mall: Mall) -> None:
    with Client(real_mall.origin) as client:
        answers = []
        for login in (HR, f"nobody-{new_key()}@alpha.example"):
            given = {"login": login, "password": "not the password"}
            answers.append(problem(client.post("/auth/login", given), 401, "wrong_credentials"))
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1]


def test_cookie_is_closed_to_scripts(real_mall: Mall) -> None:
    with Client(real_mall.origin) as client:
        given = {"login": EMPLOYEE, "password": "demo-mall-2026"}
        cookie = client.post("/auth/login", given).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # the demo runs without TLS


def test_sign_out_ends_the_session(real_mall: Mall) -> None:
    with Client(real_mall.origin, EMPLOYEE) as client:
        kept = client.session.cookies["mall_session"]
        assert client.post("/auth/logout").status_code == 204
        client.session.cookies.set("mall_session", kept)
        problem(client.get("/me"), 401, "not_signed_in")


def test_commands_of_a_browser_need_the_csrf_token(employee: Client) -> None:
    given = {"address_id": employee.address_id()}
    for token in ("", "wrong"):
        employee.session.headers["X-CSRF-Token"] = token
        problem(employee.post("/checkout/quotes", given), 403, "bad_csrf_token")
    assert employee.get("/cart").status_code == 200


def test_switch_takes_ones_own_membership_only(employee: Client, stranger: Client) -> None:
    own = employee.me["memberships"][0]["membership_id"]
    check(body(employee.post("/auth/switch", {"membership_id": own})), SIGNED_IN)
    other = stranger.me["memberships"][0]["membership_id"]
    problem(employee.post("/auth/switch", {"membership_id": other}), 404, "not_found")


# Wallet, search, products -------------------------------------------------------------------------
def test_wallet(employee: Client) -> None:
    wallet = body(employee.get("/wallet"))
    pot = {
        "id": ID,
        "name": str,
        "available_minor": WHOLE,
        "held_minor": WHOLE,
        "expires": [{"lot_id": ID, "amount_minor": WHOLE, "at": TIME}],
        "eligible": {"text": str, "categories": [NAMED]},
        "billing_entity": NAMED,
    }
    points = {"available": WHOLE, "held": WHOLE, "expires": [{"amount": WHOLE, "at": TIME}]}
    check(wallet, {"pots": [pot], "points": points})
    assert [pot["name"] for pot in wallet["pots"]] == ["通用福利", "节日食品"]


def test_wallet_statement_by_pages(employee: Client) -> None:
    row = {
        "at": TIME,
        "kind": OneOf(("grant", "hold", "capture", "release", "expire", "refund")),
        "asset": OneOf(("CREDIT", "POINT")),
        "amount_minor": WHOLE,
        "lot_id": ID,
        "order_id": Maybe(ID),
        "pot_id": Maybe(ID),
        "title": str,
    }
    everything = body(employee.get("/wallet/statement", limit=100))
    check(everything, {"items": [row], "next_cursor": Maybe(str)})
    assert (
        _pages(employee, "/wallet/statement", limit=2)[: len(everything["items"])]
        == (everything["items"])
    )


def _pages(client: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page; no page is longer than asked for."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = body(client.get(path, **params, **cursor))
        assert len(page["items"]) <= params["limit"]
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("sort", ["relevance", "sales", "price_asc", "price_desc", "newest"])
def test_search(employee: Client, sort: str) -> None:
    answer = body(employee.get("/search", q="茶", sort=sort, limit=7))
    facets = {"brand": FACET, "category": FACET, "price": FACET, "merchant": FACET}
    check(
        answer,
        {
            "total": WHOLE,
            "items": [SEARCH_ITEM],
            "facets": facets,
            "next_cursor": Maybe(str),
            "corrected_query": Maybe(str),
        },
    )
    assert len(answer["items"]) == 7 < answer["total"]
    prices = [item["price_minor"] for item in answer["items"]]
    if sort.startswith("price"):
        assert prices == sorted(prices, reverse=sort == "price_desc")
    for item in answer["items"]:
        assert "".join(piece["text"] for piece in item["highlight"]) == item["title"]


def test_search_pages_are_the_whole(employee: Client) -> None:
    """By cursor, every product once, as many as the total says."""
    total = body(employee.get("/search", q="茶"))["total"]
    for sort in ("relevance", "price_asc"):
        ids = [
            item["product_id"] for item in _pages(employee, "/search", q="茶", sort=sort, limit=9)
        ]
        assert len(ids) == len(set(ids)) == total


def test_search_filters_say_what_they_count(employee: Client) -> None:
    facets = body(employee.get("/search", q=""))["facets"]
    for name in ("brand", "category", "merchant"):
        value = facets[name][0]
        found = body(employee.get("/search", q="", **{name: value["value"]}))
        assert found["total"] == value["count"] > 0
    low = body(employee.get("/search", q="", price_min=1_000, price_max=2_000, limit=100))
    assert low["items"]
    assert {1_000 <= item["price_minor"] <= 2_000 for item in low["items"]} == {True}
    pot = body(employee.get("/wallet"))["pots"][1]["id"]
    payable = body(employee.get("/search", q="", pot=pot, limit=100))
    assert 0 < payable["total"] < body(employee.get("/search", q=""))["total"]
    for item in payable["items"]:
        assert {p["eligible"] for p in item["pots"] if p["pot_id"] == pot} == {True}


def test_suggest(employee: Client) -> None:
    answer = body(employee.get("/suggest", q="蚕丝"))
    kind = OneOf(("query", "category", "brand", "product"))
    check(answer, {"suggestions": [{"text": str, "kind": kind}]})
    assert answer["suggestions"]


def test_product(employee: Client) -> None:
    item = employee.find("四件套")[0]
    page = body(employee.get(f"/products/{item['product_id']}"))
    offer = {
        "offer_id": ID,
        "merchant": NAMED,
        "price_minor": WHOLE,
        "available": WHOLE,
        "pots": [POT_ANSWER | {"reason": Maybe(str)}],
    }
    shape = {
        "product_id": ID,
        "title": str,
        "subtitle": str,
        "description": str,
        "brand": Maybe(NAMED),
        "category": NAMED | {"path": [NAMED]},
        "images": [str],
        "sold": WHOLE,
        "attributes": [{"name": str, "value": str}],
        "no_reason_return": bool,
        "skus": [{"sku_id": ID, "name": str, "image": str, "offers": [offer]}],
    }
    check(page, shape)
    picture = employee.get(page["images"][0])
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/webp")


def test_categories_and_regions(employee: Client) -> None:
    node = NAMED | {"object": str, "tint": Text("#[0-9a-fA-F]{6}")}
    categories = body(employee.get("/categories"))
    check(categories, {"items": [node | {"children": [node]}]})
    assert len(categories["items"]) >= 12
    region = {"code": Text(r"\d{6}"), "name": str, "has_children": bool}
    provinces = body(employee.get("/regions"))
    check(provinces, {"items": [region]})
    assert "浙江省" in [item["name"] for item in provinces["items"]]
    cities = body(employee.get("/regions", parent="330000"))
    assert "杭州市" in [item["name"] for item in cities["items"]]


# Cart and addresses -------------------------------------------------------------------------------
def test_cart(employee: Client) -> None:
    offer = employee.offer_of(employee.find("毛巾")[0]["product_id"])
    path = f"/cart/items/{offer['offer_id']}"
    item = {
        "offer_id": ID,
        "product_id": ID,
        "title": str,
        "sku_name": str,
        "image": str,
        "price_minor": WHOLE,
        "quantity": WHOLE,
        "available": WHOLE,
        "chosen": bool,
        "problem": Maybe({"code": str, "detail": str}),
        "pots": [POT_ANSWER],
    }
    shape = {
        "groups": [{"merchant": NAMED, "items": [item]}],
        "count": WHOLE,
        "chosen_total_minor": WHOLE,
    }
    before = body(employee.get("/cart"))["count"]
    cart = body(employee.put(path, {"quantity": 3, "chosen": True}))
    check(cart, shape)
    assert cart["count"] == before + 3
    assert body(employee.put(path, {"quantity": 1}))["count"] == before + 1
    assert body(employee.delete(path))["count"] == before
    assert body(employee.get("/cart"))["count"] == before


def test_addresses(employee: Client) -> None:
    shape = {
        "address_id": ID,
        "name": str,
        "phone": Text(r"\d{3}\*{4}\d{4}"),
        "region_code": Text(r"\d{6}"),
        "detail": str,
        "is_default": bool,
    }
    before = body(employee.get("/addresses"))
    check(before, {"items": [shape]})
    assert before["items"]  # demo employees have one
    given = {
        "name": "林晓",
        "phone": "13912345678",
        "region_code": "330106",
        "detail": "文一路 1 号",
        "is_default": False,
    }
    made = body(employee.post("/addresses", given), 201)
    check(made, shape)
    path = f"/addresses/{made['address_id']}"
    changed = body(employee.put(path, given | {"detail": "文二路 2 号"}))
    assert (changed["address_id"], changed["detail"]) == (made["address_id"], "文二路 2 号")
    assert employee.delete(path).status_code == 204
    assert body(employee.get("/addresses")) == before
    problem(employee.delete(path), 404, "not_found")


# Quote, orders, after-sales -----------------------------------------------------------------------
def test_quote(employee: Client) -> None:
    offers = {offer["offer_id"]: 1 for offer in employee.three_merchants()}
    quote = employee.quote(offers, points="max")
    check(quote, QUOTE)
    assert (
        quote["tenders"]["points"]["amount_minor"]
        + sum(entry["amount_minor"] for entry in quote["tenders"]["credit"])
        + quote["tenders"]["cash_minor"]
        == quote["payable_minor"]
    )
    default = employee.quote(offers)
    assert default["tenders"]["points"]["points"] == 0  # credit max, points 0 by default
    assert default["tenders"]["cash_minor"] == 0


def test_order(paid: tuple[Client, dict[str, Any]]) -> None:
    client, order = paid
    check(order, WHOLE_ORDER)
    listed = body(client.get("/orders", limit=100))
    check(listed, {"items": [ORDER], "next_cursor": Maybe(str)})
    assert _pages(client, "/orders", limit=1) == listed["items"]
    assert {o["state"] for o in body(client.get("/orders", state="paid"))["items"]} == {"paid"}


def test_unpaid_order_has_its_payment_and_can_be_cancelled(employee: Client) -> None:
    offer = employee.offer_of(employee.find("毛巾")[0]["product_id"])
    quote = employee.quote({offer["offer_id"]: 1}, credit_minor=0)
    placed = body(employee.place(quote["quote_id"], key=new_key()), 201)
    check(placed, {"order_id": ID, "state": ORDER_STATE, "payment": PAYMENT})
    assert placed["payment"]["amount_minor"] == quote["payable_minor"]
    order = employee.order(placed["order_id"])
    check(order, WHOLE_ORDER)
    assert order["payment"] == placed["payment"]
    problem(employee.post(f"/orders/{order['order_id']}/cancel"), 400, "idempotency_key_required")
    key = new_key()
    cancelled = employee.post(f"/orders/{order['order_id']}/cancel", key=key)
    assert body(cancelled)["state"] == "closed"
    again = employee.post(f"/orders/{order['order_id']}/cancel", key=key)
    assert again.content == cancelled.content
    answer = employee.get(f"/orders/{order['order_id']}/invoice")
    problem(answer, 404, "no_enterprise_invoice")


def test_after_sale_is_what_was_previewed(paid: tuple[Client, dict[str, Any]]) -> None:
    client, order = paid
    path = f"/orders/{order['order_id']}/after-sales"
    item = {"line_id": order["lines"][0]["line_id"], "quantity": 1}
    asked = {"items": [item], "kind": "refund", "reason": "拍错了"}
    preview = body(client.post(f"{path}/preview", asked))
    credit = {"pot_id": ID, "name": str, "amount_minor": WHOLE, "to": OneOf(("pot", "budget"))}
    shape = {
        "refund_minor": WHOLE,
        "tenders": TENDERS | {"credit": [credit]},
        "funding": [{"line_id": ID, "source": str, "source_name": str, "amount_minor": WHOLE}],
    }
    check(preview, shape)
    assert preview["refund_minor"] == order["lines"][0]["unit_price_minor"]
    problem(client.post(path, asked), 400, "idempotency_key_required")
    made = body(client.post(path, asked, key=new_key()), 201)
    check(made, shape | {"refund_id": ID, "state": str})
    assert {name: made[name] for name in preview} == preview
    after = client.order(order["order_id"])
    check(after, WHOLE_ORDER)
    assert (after["state"], after["refunded_minor"]) == ("paid", preview["refund_minor"])


def test_receipt_of_what_was_not_sent_is_refused(paid: tuple[Client, dict[str, Any]]) -> None:
    client, order = paid
    answer = client.post(f"/orders/{order['order_id']}/confirm-receipt", key=new_key())
    assert problem(answer, 409, "bad_order_state")["state"] == "paid"


# Invoice ------------------------------------------------------------------------------------------
def test_invoice(finance: Client, paid: tuple[Client, dict[str, Any]]) -> None:
    path = f"/orders/{paid[1]['order_id']}/invoice"
    check(body(finance.get(path)), INVOICE)
    assert finance.get(f"{path}.pdf").content.startswith(b"%PDF-")
    assert finance.get(f"{path}.xml").content.startswith(b"<?xml")


@pytest.mark.parametrize("form", ["", ".pdf", ".xml"])
def test_invoice_is_seen_by_those_it_concerns(
    real_mall: Mall, paid: tuple[Client, dict[str, Any]], form: str
) -> None:
    path = f"/orders/{paid[1]['order_id']}/invoice{form}"
    for login in (EMPLOYEE, OTHER_FINANCE, "employee1@beta.example", "seller@north.example"):
        with Client(real_mall.origin, login) as client:
            problem(client.get(path), 404, "not_found")
    with Client(real_mall.origin, HR) as client:
        assert client.get(path).status_code == 200
    with Client(real_mall.origin) as nobody:
        problem(nobody.get(path), 401, "not_signed_in")


def test_enterprise_overview_and_orders(
    finance: Client, paid: tuple[Client, dict[str, Any]]
) -> None:
    overview = body(finance.get("/enterprise/overview"))
    figure = {"key": str, "amount_minor": WHOLE, "note": str}
    check(overview, {"enterprise": NAMED, "as_of": TIME, "figures": [figure]})
    keys = {entry["key"] for entry in overview["figures"]}
    assert keys >= {"budget_open", "credit_available", "expiring_30d", "receivable"}
    row = {
        "order_id": ID,
        "created_at": TIME,
        "state": ORDER_STATE,
        "merchant_count": WHOLE,
        "rates": [str],
        "credit_minor": WHOLE,
        "invoice": Maybe({"number": str, "kind": str, "state": str, "gross_minor": WHOLE}),
    }
    listed = body(finance.get("/enterprise/orders", limit=100))
    check(listed, {"items": [row], "next_cursor": Maybe(str), "total": WHOLE})
    assert listed["total"] == len(_pages(finance, "/enterprise/orders", limit=1))
    text = finance.get("/enterprise/orders").text
    assert "林晓" not in text
    assert COLLEAGUE not in text


# What belongs to others ---------------------------------------------------------------------------
def test_others_orders_and_addresses_are_not_there(
    employee: Client, stranger: Client, paid: tuple[Client, dict[str, Any]]
) -> None:
    client, order = paid
    path = f"/orders/{order['order_id']}"
    item = {"line_id": order["lines"][0]["line_id"], "quantity": 1}
    asked = {"items": [item], "kind": "refund", "reason": ""}
    for other in (employee, stranger):
        for answer in (
            other.get(path),
            other.post(f"{path}/cancel", key=new_key()),
            other.post(f"{path}/confirm-receipt", key=new_key()),
            other.post(f"{path}/after-sales/preview", asked),
            other.post(f"{path}/after-sales", asked, key=new_key()),
        ):
            problem(answer, 404, "not_found")
    address = {"address_id": client.address_id()}
    problem(stranger.post("/checkout/quotes", address), 404, "not_found")
    problem(stranger.delete(f"/addresses/{client.address_id()}"), 404, "not_found")
    assert client.order(order["order_id"])["state"] == "paid"


def test_employees_do_not_enter_the_enterprises_console(employee: Client) -> None:
    problem(employee.get("/enterprise/orders"), 403, "forbidden")
    problem(employee.get("/enterprise/overview"), 403, "forbidden")
