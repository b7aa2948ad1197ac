"""Shapes of JSON: what must be there, and of which kind. More than that may be there.

Below the kinds stand the shapes of the contract that several calls share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Text:
    """A string that matches a pattern whole."""

    pattern: str


@dataclass(frozen=True)
class Maybe:
    """Null, or the shape."""

    shape: Any


@dataclass(frozen=True)
class OneOf:
    """One of these values."""

    values: tuple[Any, ...]


ID = Text(r"[a-z]+_[0-9a-hjkmnp-tv-z]{20}")
TIME = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
WHOLE = int
ORDER_STATE = OneOf(("pending_payment", "paid", "shipped", "completed", "closed", "refunded"))
NAMED = {"id": ID, "name": str}

TENANT = {"kind": OneOf(("enterprise", "merchant", "bank", "platform")), "id": ID, "name": str}
SIGNED_IN = {
    "csrf_token": Text(r"\S{20,}"),
    "user": {"id": ID, "login": str, "roles": [str], "tenant": TENANT},
    "settings": {"personalisation": bool},
    "memberships": [{"membership_id": ID, "tenant": TENANT, "roles": [str], "active": bool}],
}
POT_ANSWER = {"pot_id": ID, "name": str, "eligible": bool}
LINE = {
    "line_id": ID,
    "kind": OneOf(("goods", "freight")),
    "merchant": NAMED,
    "title": str,
    "sku_name": str,
    "image": str,
    "quantity": WHOLE,
    "unit_price_minor": WHOLE,
    "gross_minor": WHOLE,
    "discount_minor": WHOLE,
    "payable_minor": WHOLE,
}
FUNDING = [
    {
        "line_id": ID,
        "source": Text(r"lot:lot_[0-9a-z]{20}|points|cash"),
        "source_name": str,
        "pot_id": Maybe(ID),
        "amount_minor": WHOLE,
    }
]
TENDERS = {
    "credit": [{"pot_id": ID, "name": str, "amount_minor": WHOLE}],
    "points": {"points": WHOLE, "amount_minor": WHOLE},
    "cash_minor": WHOLE,
}
QUOTE = {
    "quote_id": ID,
    "expires_at": TIME,
    "lines": [LINE],
    "discounts": [dict],
    "freight_minor": WHOLE,
    "payable_minor": WHOLE,
    "saved_minor": WHOLE,
    "tenders": TENDERS,
    "funding": FUNDING,
    "refusals": [{"line_id": ID, "pot_id": Maybe(ID), "code": str, "detail": str}],
    "available": {
        "credit": [{"pot_id": ID, "name": str, "available_minor": WHOLE}],
        "points": WHOLE,
    },
    "billing_entity": Maybe(NAMED),
}
PAYMENT = {
    "intent_id": str,
    "amount_minor": WHOLE,
    "gateway_url": Text(r"http://[^/]+/gateway"),
    "card_page_url": str,
    "client_secret": str,
}
ORDER = {
    "order_id": ID,
    "state": ORDER_STATE,
    "created_at": TIME,
    "title": str,
    "images": [str],
    "line_count": WHOLE,
    "merchants": [str],
    "payable_minor": WHOLE,
    "credit_minor": WHOLE,
    "points": WHOLE,
    "points_minor": WHOLE,
    "cash_minor": WHOLE,
    "refunded_minor": WHOLE,
}
WHOLE_ORDER = ORDER | {
    "address": {"name": str, "phone": Text(r"\d{3}\*{4}\d{4}"), "region_name": str, "detail": str},
    "lines": [LINE | {"refunded_quantity": WHOLE, "refunded_minor": WHOLE}],
    "discounts": [dict],
    "freight_minor": WHOLE,
    "tenders": TENDERS,
    "funding": FUNDING,
    "sub_orders": [
        {
            "sub_order_id": ID,
            "merchant": NAMED,
            "state": OneOf(("to_ship", "shipped", "received", "closed")),
            "line_ids": [ID],
            "freight_minor": WHOLE,
            "parcels": [dict],
        }
    ],
    "refunds": [{"refund_id": ID, "state": str, "created_at": TIME, "amount_minor": WHOLE}],
    "payment": Maybe(PAYMENT),
    "pay_before_at": Maybe(TIME),
    "paid_at": Maybe(TIME),
    "actions": [OneOf(("pay", "cancel", "refund", "confirm_receipt"))],
    "invoice": Maybe({"number": Text(r"\d{20}"), "state": str, "kind": str, "gross_minor": WHOLE}),
}
PARTY = {"name": str, "tax_number": str}
INVOICE = {
    "number": Text(r"\d{20}"),
    "kind": OneOf(("blue", "red")),
    "state": OneOf(("drawn", "submitted", "issued", "failed")),
    "drawn_at": TIME,
    "order_id": ID,
    "buyer": PARTY,
    "seller": PARTY,
    "lines": [
        {
            "name": str,
            "tax_code": Text(r"\d{19}"),
            "spec": str,
            "unit": str,
            "quantity": Text(r"-?\d+(\.\d{1,8})?"),
            "unit_price": str,
            "rate": str,
            "net_minor": WHOLE,
            "tax_minor": WHOLE,
            "gross_minor": WHOLE,
        }
    ],
    "net_minor": WHOLE,
    "tax_minor": WHOLE,
    "gross_minor": WHOLE,
    "gross_capitals": str,
    "notice": str,
    "red": [{"number": Text(r"\d{20}"), "gross_minor": WHOLE}],
}
SEARCH_ITEM = {
    "product_id": ID,
    "title": str,
    "highlight": [{"text": str, "hit": bool}],
    "image": Text(r"/media/\S+"),
    "price_minor": WHOLE,
    "brand": Maybe(NAMED),
    "category": NAMED,
    "merchants": [NAMED],
    "in_stock": bool,
    "sold": WHOLE,
    "pots": [POT_ANSWER],
}
FACET = [{"value": str, "label": str, "count": WHOLE}]


def check(value: Any, shape: Any, where: str = "answer") -> None:
    """AssertionError that says where ``value`` is not of ``shape``.

    A dictionary names fields that must be there, a list of one holds the shape of every element,
    and a plain type is meant exactly: ``True`` is no ``int``.
    """
    if isinstance(shape, Maybe):
        if value is not None:
            check(value, shape.shape, where)
    elif isinstance(shape, Text):
        assert isinstance(value, str), f"{where}: {value!r} is no string"
        assert re.fullmatch(shape.pattern, value, re.S), f"{where}: {value!r}, not {shape.pattern}"
    elif isinstance(shape, OneOf):
        assert value in shape.values, f"{where}: {value!r} is none of {shape.values}"
    elif isinstance(shape, dict):
        assert isinstance(value, dict), f"{where}: {value!r} is no object"
        for name, inner in shape.items():
            assert name in value, f"{where}: no field {name!r} in {sorted(value)}"
            check(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{where}: {value!r} is no array"
        for number, element in enumerate(value):
            check(element, shape[0], f"{where}[{number}]")
    else:
        assert type(value) is shape, f"{where}: {value!r} is no {shape.__name__}"
