"""A small mall for the cashier's tests: two merchants, a company with two pots, a shopper who
signs in over HTTP, and the books to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from flask import Flask, g
from sqlalchemy import text
from werkzeug.test import TestResponse

from billing.services.invoices import verify_invoices
from enterprises.services.budgets import verify_budgets
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.ids import public_id
from kernel.ledger.services import verify
from kernel.web import COOKIE
from merchants.services import MerchantView
from points.services.holds import verify_lots
from points.services.pots import PotView
from shop.rules import GoodsRule
from shop.services.addresses import add_address
from shop.services.catalogue import OfferView
from shop.services.stock import verify_stock
from tests.factories.catalogue import build_categories, build_merchant, build_offer, category
from tests.factories.enterprises import (
    Company,
    build_company,
    build_pot,
    give_points,
    grant,
    hire,
)
from tests.factories.people import PASSWORD

T = TypeVar("T")

API = "/api/v1"
COMMISSION_BP = 500
FREIGHT, FREE_FROM = 800, 19_900

Items = Mapping[str, int]


@dataclass
class Mall:
    """North ships free from ¥199 and else for ¥8, south always free. The general pot pays all and
    the freight; the food pot pays food only, no freight, and expires first."""

    north: MerchantView
    south: MerchantView
    company: Company
    general: PotView
    food: PotView
    buyer: Actor
    address_id: str
    lots: dict[str, str]
    quilt: OfferView  # north, ¥99.00, 13%
    tea: OfferView  # south, ¥45.00, 13%, food
    rice: OfferView  # south, ¥33.33, 9%, food


def give_address(actor: Actor) -> str:
    """A default address of a person; returns its public id."""
    return add_address(
        person_id=actor.person_id,
        data={
            "name": "李明",
            "phone": "13800001234",
            "region_code": "110105",
            "detail": "望京街道 1 号",
        },
        is_default=True,
    ).public_id


def food_rule() -> GoodsRule:
    tops = ("tea", "snack", "grocery")
    return GoodsRule(include={"categories": frozenset(category(key).id for key in tops)})


def build_mall(
    *,
    general_minor: int = 100_000,
    food_minor: int = 30_000,
    points: int = 30_000,
    invoice_detail: str = "items",
) -> Mall:
    """The whole world, committed. The buyer's lots: ``general``, ``food`` and ``points``."""
    g.pop("shop_categories", None)
    with write_transaction():
        build_categories()
        north = build_merchant(freight_minor=FREIGHT, free_from_minor=FREE_FROM)
        south = build_merchant()
        company = build_company(invoice_detail=invoice_detail)
        general = build_pot(company, "通用福利")
        food = build_pot(company, "节日食品", rule=food_rule(), pays_freight=False)
        buyer = hire(company.id)
        lots = {}
        if general_minor:
            [lots["general"]] = grant(company, general, {buyer: general_minor}, days=300)
        if food_minor:
            [lots["food"]] = grant(company, food, {buyer: food_minor}, days=30)
        if points:
            lots["points"] = give_points(buyer, points)
        return Mall(
            north=north,
            south=south,
            company=company,
            general=general,
            food=food,
            buyer=buyer,
            address_id=give_address(buyer),
            lots=lots,
            quilt=build_offer(north, title="桑蚕丝夏被", price_minor=9_900),
            tea=build_offer(
                south,
                title="明前龙井",
                price_minor=4_500,
                category_key="tea.green-tea",
                spec="100g",
            ),
            rice=build_offer(
                south,
                title="五常大米",
                price_minor=3_333,
                category_key="grocery.rice",
                spec="5kg",
            ),
        )


def apart(work: Callable[[], T]) -> T:
    """Run ``work`` outside of this test's application context, as another request would: with a
    session and a ``g`` of its own."""
    return Context().run(work)


@dataclass
class Shopper:
    """An actor signed in over HTTP. Each call is a request of its own."""

    app: Flask
    actor: Actor
    address_id: str = ""
    token: str = ""
    csrf: str = ""
    _client: Any = field(init=False)

    def __post_init__(self) -> None:
        self._client = self.app.test_client()
        if self.token:
            self._client.set_cookie(COOKIE, self.token)
            return
        answer = apart(
            lambda: self._client.post(
                f"{API}/auth/login", json={"login": self.actor.login, "password": PASSWORD}
            )
        )
        assert answer.status_code == 200, answer.text
        self.csrf = answer.get_json()["csrf_token"]
        self.token = self._client.get_cookie(COOKIE).value

    def twin(self) -> Shopper:
        """The same session on a connection of its own, for another thread."""
        return Shopper(self.app, self.actor, self.address_id, self.token, self.csrf)

    def call(
        self, method: str, path: str, *, key: str | None = None, **kwargs: Any
    ) -> TestResponse:
        headers = {"X-CSRF-Token": self.csrf, **kwargs.pop("headers", {})}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer: TestResponse = apart(
            lambda: self._client.open(API + path, method=method, headers=headers, **kwargs)
        )
        return answer

    def get(self, path: str) -> Any:
        return body(self.call("GET", path), 200)

    def ask_quote(self, items: Items | None, **more: Any) -> TestResponse:
        payload = {"address_id": self.address_id, **more}
        if items is not None:
            payload["items"] = [{"offer_id": o, "quantity": q} for o, q in items.items()]
        return self.call("POST", "/checkout/quotes", json=payload)

    def quote(self, items: Items | None, **more: Any) -> Any:
        return body(self.ask_quote(items, **more), 201)

    def place(self, quote_id: str, *, key: str | None = None) -> TestResponse:
        return self.call(
            "POST",
            "/checkout/orders",
            json={"quote_id": quote_id},
            key=key or public_id("key"),
        )

    def order(self, items: Items | None, **more: Any) -> Any:
        """Quote and order at once."""
        return body(self.place(self.quote(items, **more)["quote_id"]), 201)

    def cancel(self, order_id: str, *, key: str | None = None) -> TestResponse:
        return self.call("POST", f"/orders/{order_id}/cancel", key=key or public_id("key"))

    def give_back(
        self, order_id: str, units: Items, *, kind: str = "refund", key: str | None = None
    ) -> TestResponse:
        return self.call(
            "POST",
            f"/orders/{order_id}/after-sales",
            json={"items": returned(units), "kind": kind, "reason": "不想要了"},
            key=key or public_id("key"),
        )

    def preview(self, order_id: str, units: Items, *, kind: str = "refund") -> TestResponse:
        return self.call(
            "POST",
            f"/orders/{order_id}/after-sales/preview",
            json={"items": returned(units), "kind": kind, "reason": ""},
        )


def returned(units: Items) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "quantity": quantity} for line_id, quantity in units.items()]


def body(answer: TestResponse, status: int) -> Any:
    """The JSON of an answer that must have ``status``."""
    assert answer.status_code == status, answer.text
    return answer.get_json()


def problem(answer: TestResponse, status: int, code: str) -> Any:
    """The problem+json of a refusal that must be this one."""
    content = body(answer, status)
    assert answer.mimetype == "application/problem+json"
    assert content["code"] == code, content
    return content


# The books ---------------------------------------------------------------------------------------
def rows(query: str, **values: Any) -> list[tuple[Any, ...]]:
    """What the database says now, past every session; times as text."""
    with db.engines["read"].connect() as connection:
        found = connection.execute(text(query), values).all()
    return [tuple(_plain(value) for value in row) for row in found]


def _plain(value: Any) -> Any:
    """One driver gives times as text, another as times."""
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


def postings(order_id: str, reason: str) -> dict[tuple[str, str], int]:
    """Fen (or points) by (asset, account) of all an order's transactions of one reason."""
    found: dict[tuple[str, str], int] = {}
    for asset, account, amount in rows(
        "SELECT asset, account, amount_minor FROM v_ledger_postings"
        " WHERE order_id = :order AND reason = :reason",
        order=order_id,
        reason=reason,
    ):
        found[asset, account] = found.get((asset, account), 0) + amount
    return found


def transactions(order_id: str) -> list[str]:
    """Reasons of an order's transactions, in order."""
    return [
        reason
        for (reason,) in rows(
            "SELECT reason FROM ledger_transaction WHERE order_id = :order ORDER BY id",
            order=order_id,
        )
    ]


def book() -> dict[tuple[str, str], int]:
    """All balances that are not zero, by (asset, account), of the auditors' view."""
    return {
        (asset, account): amount
        for account, asset, amount in rows(
            "SELECT account, asset, balance_minor FROM v_ledger_balances"
        )
        if amount
    }


def lot(lot_id: str) -> tuple[int, int]:
    """(available, held) of a lot by public id."""
    [(available, held)] = rows("SELECT available, held FROM lot WHERE public_id = :id", id=lot_id)
    return available, held


def stock(offer: OfferView) -> tuple[Any, ...]:
    """(on hand, held, sold) of an offer."""
    [figures] = rows(
        "SELECT on_hand, held, sold FROM v_stock WHERE offer_id = :id", id=offer.public_id
    )
    return figures


def order_row(order_id: str) -> tuple[Any, ...]:
    """(state, payable, credit, points, cash), in fen, of ``v_orders``."""
    [found] = rows(
        "SELECT state, payable_minor, credit_minor, points_minor, cash_minor FROM v_orders"
        " WHERE order_id = :id",
        id=order_id,
    )
    return found


def invoices(order_id: str) -> list[tuple[Any, ...]]:
    """(kind, net, tax, gross) of ``v_invoices``, in the order in which they were drawn."""
    return rows(
        "SELECT v.kind, v.net_minor, v.tax_minor, v.gross_minor FROM v_invoices v"
        " JOIN invoice i ON i.number = v.number WHERE v.order_id = :id ORDER BY i.id",
        id=order_id,
    )


def everything() -> dict[str, Any]:
    """All that a refused command must leave as it was."""
    return {
        "book": book(),
        "transactions": rows("SELECT count(*) FROM ledger_transaction"),
        "lots": rows("SELECT public_id, available, held, expires_at FROM lot ORDER BY id"),
        "stock": rows("SELECT * FROM v_stock ORDER BY offer_id"),
        "holds": rows("SELECT order_id, state FROM wallet_hold ORDER BY id"),
        "orders": rows("SELECT public_id, state, refunded_minor FROM orders ORDER BY id"),
        "payments": rows("SELECT order_id, state FROM payment ORDER BY order_id"),
        "refunds": rows("SELECT public_id, cash_state FROM refund ORDER BY id"),
        "invoices": rows("SELECT * FROM v_invoices ORDER BY number"),
        "budgets": rows("SELECT public_id, open_minor, reserved_minor FROM budget ORDER BY id"),
        "carts": rows("SELECT offer_id, quantity FROM cart_item ORDER BY offer_id"),
    }


def assert_books_are_clean() -> None:
    """Everything that can be recomputed is, and nothing differs."""
    db.session.rollback()
    assert verify().faults == []
    assert verify_lots() == []
    assert verify_budgets() == []
    assert verify_stock() == []
    assert verify_invoices() == []
    db.session.rollback()
