"""A client of the mall's HTTP interface, as a browser or a program would be one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

from tests.functional.running import wait_for

PASSWORD = "demo-mall-2026"
GATEWAY_KEY = "sk_test_demo_2026"
TIMEOUT = 30

EMPLOYEE, COLLEAGUE = "employee1@alpha.example", "employee2@alpha.example"
STRANGER = "employee1@beta.example"
FINANCE, HR, OTHER_FINANCE = "finance@alpha.example", "hr@alpha.example", "finance@beta.example"


def new_key() -> str:
    return uuid4().hex


class Refused(AssertionError):
    """The answer was not the one that the test counts on."""


def body(response: requests.Response, status: int = 200) -> Any:
    """The JSON of an answer of that status; AssertionError with the problem otherwise."""
    if response.status_code != status:
        request = response.request
        raise Refused(
            f"{request.method} {request.url}: {response.status_code} instead of {status}: "
            f"{response.text[:2000]}"
        )
    return response.json()


def problem(response: requests.Response, status: int, code: str) -> dict[str, Any]:
    """An answer in problem+json (RFC 9457) with that status and code."""
    found: dict[str, Any] = body(response, status)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= found.keys()
    assert (found["status"], found["code"]) == (status, code), found
    return found


class Client:
    """One session: cookie, CSRF token, and an Idempotency-Key where one is asked for."""

    def __init__(self, origin: str, login: str = "") -> None:
        self.origin = origin
        self.session = requests.Session()
        self.session.trust_env = False
        self.me: dict[str, Any] = {}
        if login:
            self.sign_in(login)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def sign_in(self, login: str, password: str = PASSWORD) -> None:
        given = {"login": login, "password": password}
        self.me = body(self.post("/auth/login", given))
        self.session.headers["X-CSRF-Token"] = self.me["csrf_token"]

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """A call under ``/api/v1``, or at the root for a path of another kind."""
        rooted = path.startswith(("/healthz", "/readyz", "/api/", "/gateway/", "/media/"))
        extra = dict(headers or {})
        if key is not None:
            extra["Idempotency-Key"] = key
        return self.session.request(
            method,
            self.origin + ("" if rooted else "/api/v1") + path,
            json=json,
            data=data,
            params=params,
            headers=extra,
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.send("GET", path, params=params)

    def post(self, path: str, json: Any = None, *, key: str | None = None) -> requests.Response:
        return self.send("POST", path, json={} if json is None else json, key=key)

    def put(self, path: str, json: Any) -> requests.Response:
        return self.send("PUT", path, json=json)

    def delete(self, path: str) -> requests.Response:
        return self.send("DELETE", path)

    # What most journeys do ---------------------------------------------------------------------
    def address_id(self) -> str:
        return str(body(self.get("/addresses"))["items"][0]["address_id"])

    def find(self, text: str, **params: Any) -> list[dict[str, Any]]:
        """Items of a search."""
        found: list[dict[str, Any]] = body(self.get("/search", q=text, **params))["items"]
        return found

    def offer_of(self, product_id: str, merchant_id: str = "") -> dict[str, Any]:
        """The first offer of a product, or the first of one merchant."""
        page = body(self.get(f"/products/{product_id}"))
        for sku in page["skus"]:
            for offer in sku["offers"]:
                if merchant_id in ("", offer["merchant"]["id"]) and offer["available"] > 0:
                    return {**offer, "title": page["title"], "product_id": product_id}
        raise Refused(f"{page['title']} has no offer of {merchant_id or 'anybody'}")

    def three_merchants(self) -> list[dict[str, Any]]:
        """An offer that can be bought of each of the three merchants."""
        facets = body(self.get("/search", q=""))["facets"]["merchant"]
        assert len(facets) == 3
        offers = []
        for value in (facet["value"] for facet in facets):
            found = self.find("", merchant=value, in_stock="true", sort="price_asc", limit=1)
            offers.append(self.offer_of(found[0]["product_id"], value))
        return offers

    def quote(self, items: Mapping[str, int] | None = None, **asked: Any) -> dict[str, Any]:
        """A quote for ``offer id → quantity``, or for the cart's chosen lines."""
        request: dict[str, Any] = {"address_id": self.address_id(), **asked}
        if items is not None:
            request["items"] = [{"offer_id": o, "quantity": q} for o, q in items.items()]
        quote: dict[str, Any] = body(self.post("/checkout/quotes", request), 201)
        return quote

    def place(self, quote_id: str, *, key: str) -> requests.Response:
        return self.post("/checkout/orders", {"quote_id": quote_id}, key=key)

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = body(self.get(f"/orders/{order_id}"))
        return found

    def pay(self, payment: Mapping[str, Any], method: str = "pm_card_visa") -> dict[str, Any]:
        """Pay an intent at the gateway as the card page does; Stripe's PaymentIntent."""
        answer = self.session.post(
            f"{payment['gateway_url']}/v1/payment_intents/{payment['intent_id']}/confirm",
            data={"payment_method": method},
            headers={"Authorization": f"Bearer {GATEWAY_KEY}", "Idempotency-Key": new_key()},
            timeout=TIMEOUT,
        )
        intent: dict[str, Any] = body(answer)
        return intent

    def wait_for_state(self, order_id: str, *states: str, seconds: float = 20.0) -> dict[str, Any]:
        """The order, once it is in one of these states."""

        def look() -> dict[str, Any] | None:
            order = self.order(order_id)
            return order if order["state"] in states else None

        return wait_for(f"order {order_id} is {states}", look, seconds=seconds)


@dataclass(frozen=True)
class Wallet:
    """What a wallet holds: fen by pot name, and points."""

    available: dict[str, int]
    held: dict[str, int]
    points: int
    points_held: int

    @classmethod
    def of(cls, client: Client) -> Wallet:
        found = body(client.get("/wallet"))
        return cls(
            available={pot["name"]: pot["available_minor"] for pot in found["pots"]},
            held={pot["name"]: pot["held_minor"] for pot in found["pots"]},
            points=found["points"]["available"],
            points_held=found["points"]["held"],
        )
