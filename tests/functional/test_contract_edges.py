"""The contract around the API: health, documents, addresses that are not there, pages, gateway."""

from __future__ import annotations

import re

import pytest
import requests

from tests.functional.running import Mall
from tests.functional.shopper import Client, body, problem


def test_health(real_mall: Mall) -> None:
    with Client(real_mall.origin) as nobody:
        assert body(nobody.get("/healthz"))["status"] == "ok"
        ready = body(nobody.get("/readyz"))
    assert {"database", "search", "worker", "gateway"} <= ready["parts"].keys()
    assert {part["ready"] for part in ready["parts"].values()} == {True}


def test_openapi_document_has_every_call(real_mall: Mall) -> None:
    with Client(real_mall.origin) as nobody:
        document = body(nobody.get("/openapi.json"))
        docs = nobody.get("/api/docs")
    calls = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, entry in document["paths"].items()
        for method in entry
    }
    assert calls >= {
        "POST /auth/login", "POST /auth/logout", "GET /me", "POST /auth/switch", "GET /wallet",
        "GET /search", "GET /suggest", "GET /products/{product_id}", "GET /cart",
        "PUT /cart/items/{offer_id}", "DELETE /cart/items/{offer_id}", "GET /addresses",
        "POST /addresses", "PUT /addresses/{address_id}", "DELETE /addresses/{address_id}",
        "GET /regions", "POST /checkout/quotes", "POST /checkout/orders", "GET /orders",
        "GET /orders/{order_id}", "POST /orders/{order_id}/cancel",
        "POST /orders/{order_id}/confirm-receipt", "POST /orders/{order_id}/after-sales/preview",
        "POST /orders/{order_id}/after-sales", "GET /orders/{order_id}/invoice",
        "GET /orders/{order_id}/invoice.pdf", "GET /orders/{order_id}/invoice.xml",
        "POST /webhooks/gateway",
    }  # fmt: skip
    assert docs.status_code == 200
    assert "text/html" in docs.headers["Content-Type"]
    for code in ("idempotency_key_required", "price_changed", "out_of_stock"):
        assert re.search(rf"\b{code}\b", docs.text)


def test_unknown_addresses_and_methods(employee: Client) -> None:
    problem(employee.get("/no-such-call"), 404, "not_found")
    for method, path, allowed in (
        ("DELETE", "/wallet", {"GET"}),
        ("GET", "/checkout/orders", {"POST"}),
        ("PATCH", "/cart/items/x", {"PUT", "DELETE"}),
    ):
        answer = employee.send(method, path)
        problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == allowed


def test_nobody_sees_nothing(real_mall: Mall) -> None:
    with Client(real_mall.origin) as nobody:
        for path in ("/me", "/wallet", "/search", "/cart", "/orders", "/addresses", "/categories"):
            problem(nobody.get(path), 401, "not_signed_in")
        problem(nobody.post("/checkout/orders", {"quote_id": "x"}), 401, "not_signed_in")


@pytest.mark.parametrize("path", ["/", "/seller", "/enterprise", "/bank", "/operator", "/orders"])
def test_pages(real_mall: Mall, path: str) -> None:
    answer = requests.get(real_mall.origin + path, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert '<div id="app">' in answer.text
    answer.close()


def test_others_webhooks_are_not_believed(real_mall: Mall) -> None:
    event = b'{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}'
    with Client(real_mall.origin) as nobody:
        for headers in ({}, {"Stripe-Signature": "t=1,v1=00"}, {"Stripe-Signature": "nonsense"}):
            answer = nobody.send("POST", "/webhooks/gateway", data=event, headers=headers)
            problem(answer, 400, "bad_webhook")


def test_gateway_asks_for_its_key(real_mall: Mall) -> None:
    """Stripe's own form of an error, not ours; Basic and Bearer both open it."""
    with Client(real_mall.origin) as program:
        answer = program.send("GET", "/gateway/v1/payment_intents")
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_request_error"
        bearer = {"Authorization": "Bearer sk_test_demo_2026"}
        for path in ("payment_intents", "refunds", "events", "charges"):
            listed = body(program.send("GET", f"/gateway/v1/{path}", headers=bearer))
            assert listed["object"] == "list"
        program.session.auth = ("sk_test_demo_2026", "")
        assert program.send("GET", "/gateway/v1/payment_intents").status_code == 200
