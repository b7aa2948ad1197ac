"""The card side of a test: pay an intent, wait for the gateway's signed notice, deliver it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from checkout.gateways.sandbox.sender import sign
from checkout.gateways.sandbox.server import RunningGateway
from kernel.settings import get_settings
from tests.factories.cashier import API, apart, rows
from tests.factories.surroundings import settings_of
from tests.functional.gateway.parts import SECRET, Notice, Receiver, eventually, get, post

VISA = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclined"
SLOW = "pm_card_bypassPending"
PENDING_REFUND = "pm_card_pendingRefund"
NOBODY = "http://127.0.0.1:9"


@dataclass
class CardDesk:
    app: Flask
    gateway: RunningGateway
    receiver: Receiver

    def pay(self, intent_id: str, card: str = VISA) -> int:
        """Confirm an intent as the card page does; returns the gateway's status code."""
        path = f"/v1/payment_intents/{intent_id}/confirm"
        return post(self.gateway, path, {"payment_method": card}).status_code

    def intent(self, intent_id: str) -> Any:
        return get(self.gateway, f"/v1/payment_intents/{intent_id}").json()

    def cancel(self, intent_id: str) -> int:
        return post(self.gateway, f"/v1/payment_intents/{intent_id}/cancel").status_code

    def refunds_of(self, intent_id: str) -> list[tuple[str, int]]:
        """(status, fen) of an intent's refunds at the gateway."""
        found = get(self.gateway, "/v1/refunds", payment_intent=intent_id).json()["data"]
        return [(refund["status"], refund["amount"]) for refund in found]

    def intents_of(self, order_id: str) -> list[str]:
        """Every intent that the gateway has for an order."""
        found = get(self.gateway, "/v1/payment_intents", limit="100").json()["data"]
        return [one["id"] for one in found if one["metadata"].get("order_id") == order_id]

    def notice(self, subject: str, kind: str) -> Notice:
        """The gateway's own notice of ``kind`` about an object that names ``subject``."""
        found: list[Notice] = []

        def came() -> bool:
            found[:] = [
                notice
                for notice in list(self.receiver.notices)
                if subject.encode() in notice.raw and json.loads(notice.raw)["type"] == kind
            ]
            return bool(found)

        eventually(came, seconds=10)
        return found[0]

    def deliver(self, notice: Notice) -> TestResponse:
        """Post a notice to the shop, byte by byte as it came."""
        return self.deliver_raw(notice.raw, notice.signature)

    def deliver_raw(self, raw: bytes, signature: str | None) -> TestResponse:
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            headers["Stripe-Signature"] = signature
        answer: TestResponse = apart(
            lambda: self.app.test_client().post(
                f"{API}/webhooks/gateway", data=raw, headers=headers
            )
        )
        return answer

    def paid(self, order: Any, card: str = VISA) -> None:
        """Pay an order's card part and let the shop know."""
        intent_id = order["payment"]["intent_id"]
        assert self.pay(intent_id, card) == 200
        answer = self.deliver(self.notice(intent_id, "payment_intent.succeeded"))
        assert answer.status_code == 200, answer.text

    @contextmanager
    def down(self) -> Iterator[None]:
        """Nobody answers at the gateway's address."""
        settings = get_settings()
        with settings_of(gateway_url=NOBODY):
            yield
        assert get_settings().gateway_url == settings.gateway_url


def signed(event: Any, *, secret: str = SECRET, at: int | None = None) -> tuple[bytes, str]:
    """An event's bytes and signature, by the gateway's own signing."""
    raw = json.dumps(event).encode()
    return raw, sign(raw, [secret], at=int(time.time()) if at is None else at)


def intent_event(
    order_id: str,
    *,
    kind: str = "payment_intent.succeeded",
    event_id: str,
    intent_id: str,
    amount: int,
    received: int | None = None,
    currency: str = "cny",
) -> dict[str, Any]:
    """An event as the gateway makes one, for the notices that a real one would never send."""
    status = kind.removeprefix("payment_intent.")
    return {
        "id": event_id,
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "data": {
            "object": {
                "id": intent_id,
                "object": "payment_intent",
                "status": status if status in {"succeeded", "canceled"} else "processing",
                "amount": amount,
                "amount_received": amount if received is None else received,
                "currency": currency,
                "metadata": {"order_id": order_id},
                "client_secret": f"{intent_id}_secret",
                "latest_charge": None,
                "livemode": False,
                "created": int(time.time()),
            }
        },
    }


def payment_state(order_id: str) -> str:
    [(state,)] = rows(
        "SELECT p.state FROM payment p JOIN orders o ON o.id = p.order_id WHERE o.public_id = :id",
        id=order_id,
    )
    return str(state)
