"""The shop's adapter against the real sandbox, and against gateways that misbehave."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from checkout.gateways.base import (
    Gateway,
    GatewayRefused,
    GatewayUnavailable,
    IntentStatus,
    RefundStatus,
)
from checkout.gateways.sandbox.server import RunningGateway, running_sandbox
from checkout.gateways.stripe import StripeGateway
from tests.functional.gateway.parts import API_KEY, SECRET, eventually, post, receiving


def adapter(url: str, *, key: str = API_KEY, read_seconds: float = 3.0) -> StripeGateway:
    return StripeGateway(
        name="sandbox",
        base_url=url,
        api_key=key,
        webhook_secrets=(SECRET,),
        read_seconds=read_seconds,
    )


@pytest.fixture
def shop(gateway: RunningGateway) -> Gateway:
    return adapter(gateway.url)


def confirm(gateway: RunningGateway, intent_id: str, card: str = "pm_card_visa") -> int:
    path = f"/v1/payment_intents/{intent_id}/confirm"
    return post(gateway, path, {"payment_method": card}).status_code


def test_a_payment_from_intent_to_refund(gateway: RunningGateway, shop: Gateway) -> None:
    made = shop.create_intent(11700, "ord_a", "ord_a:intent", "福满订单 ord_a")
    assert made.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert (made.amount_minor, made.amount_received_minor, made.currency) == (11700, 0, "CNY")
    assert (made.order_id, made.livemode, made.account) == ("ord_a", False, None)
    assert made.client_secret is not None
    assert datetime.now(UTC) - made.created_at < timedelta(seconds=30)
    assert shop.create_intent(11700, "ord_a", "ord_a:intent", "福满订单 ord_a") == made
    assert confirm(gateway, made.id) == 200
    paid = shop.retrieve_intent(made.id)
    assert (paid.status, paid.amount_received_minor) == (IntentStatus.SUCCEEDED, 11700)
    assert paid.latest_charge_id is not None
    refund = shop.refund(made.id, 700, "ref_1", "ref_1")
    assert (refund.status, refund.amount_minor, refund.refund_id) == (
        RefundStatus.SUCCEEDED,
        700,
        "ref_1",
    )
    assert (refund.intent_id, refund.charge_id) == (made.id, paid.latest_charge_id)
    assert shop.refund(made.id, 700, "ref_1", "ref_1") == refund
    assert shop.retrieve_refund(refund.id) == refund
    with pytest.raises(GatewayRefused, match="greater than unrefunded") as caught:
        shop.refund(made.id, 11001, "ref_2", "ref_2")
    assert caught.value.code == "invalid_request_error"


def test_a_decline_shows_on_the_intent(gateway: RunningGateway, shop: Gateway) -> None:
    made = shop.create_intent(500, "ord_b", "ord_b", "x")
    assert confirm(gateway, made.id, "pm_card_chargeDeclinedInsufficientFunds") == 402
    found = shop.retrieve_intent(made.id)
    assert found.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert found.decline_code == "insufficient_funds"


def test_cancelling(gateway: RunningGateway, shop: Gateway) -> None:
    open_ = shop.create_intent(500, "ord_c", "ord_c", "x")
    assert shop.cancel_intent(open_.id, "ord_c:cancel").status is IntentStatus.CANCELED
    assert shop.cancel_intent(open_.id, "ord_c:cancel").status is IntentStatus.CANCELED
    assert shop.cancel_intent(open_.id, "another key").status is IntentStatus.CANCELED
    paid = shop.create_intent(500, "ord_d", "ord_d", "x")
    confirm(gateway, paid.id)
    answer = shop.cancel_intent(paid.id, "ord_d:cancel")
    assert (answer.status, answer.amount_received_minor) == (IntentStatus.SUCCEEDED, 500)
    with pytest.raises(GatewayRefused) as caught:
        shop.cancel_intent("pi_none", "none")
    assert caught.value.code == "resource_missing"


def test_cancelling_again_after_processing_came_to_nothing(
    gateway: RunningGateway, shop: Gateway
) -> None:
    made = shop.create_intent(500, "ord_e", "ord_e", "x")
    confirm(gateway, made.id, "pm_card_chargeCustomerFail")
    assert shop.cancel_intent(made.id, "ord_e:cancel").status is IntentStatus.PROCESSING
    eventually(lambda: shop.retrieve_intent(made.id).status is IntentStatus.REQUIRES_PAYMENT_METHOD)
    # The first refusal is kept under this key; it must not stand in the way for ever.
    assert shop.cancel_intent(made.id, "ord_e:cancel").status is IntentStatus.CANCELED


def test_refusals_have_codes(shop: Gateway) -> None:
    for call, code in (
        (lambda: shop.create_intent(0, "o", "zero", "x"), "parameter_invalid_integer"),
        (lambda: shop.create_intent(10**12, "o", "much", "x"), "amount_too_large"),
        (lambda: shop.retrieve_intent("pi_none"), "resource_missing"),
        (lambda: shop.retrieve_refund("re_none"), "resource_missing"),
        (lambda: shop.refund("pi_none", 1, "r", "r"), "resource_missing"),
    ):
        with pytest.raises(GatewayRefused) as caught:
            call()
        assert caught.value.code == code
    shop.create_intent(1, "o1", "same key", "x")
    with pytest.raises(GatewayRefused) as clash:
        shop.create_intent(2, "o1", "same key", "x")
    assert clash.value.code == "idempotency_error"


def test_reconciliation_pages_through_everything(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "gateway.db") as gateway:
        shop = adapter(gateway.url)
        body = {
            "amount": "1000",
            "currency": "cny",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "metadata[order_id]": "ord_r",
        }
        since = datetime.now(UTC) - timedelta(seconds=5)
        for _ in range(130):
            intent = post(gateway, "/v1/payment_intents", body).json()
        shop.refund(intent["id"], 250, "ref_r", "ref_r")
        until = datetime.now(UTC) + timedelta(seconds=5)
        charges = list(shop.list_charges(since, until))
        assert len({charge.id for charge in charges}) == 130
        assert sum(charge.captured_minor for charge in charges) == 130_000
        assert (charges[0].intent_id, charges[0].refunded_minor) == (intent["id"], 250)
        assert {(charge.order_id, charge.status) for charge in charges} == {("ord_r", "succeeded")}
        lines = list(shop.list_balance(since, until))
        assert len(lines) == 131
        assert (lines[0].kind, lines[0].amount_minor, lines[0].fee_minor) == ("refund", -250, 0)
        assert (lines[1].kind, lines[1].source_id) == ("charge", charges[0].id)
        assert sum(line.amount_minor - line.fee_minor for line in lines) == 130 * 994 - 250
        assert list(shop.list_charges(since - timedelta(hours=1), since)) == []


def test_notices_of_the_sandbox_are_believed(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        running_sandbox(tmp_path / "gateway.db", webhook_url=receiver.url) as gateway,
    ):
        shop = adapter(gateway.url)
        made = shop.create_intent(900, "ord_w", "ord_w", "x")
        confirm(gateway, made.id)
        eventually(lambda: len(receiver.notices) == 3)
        events = [shop.parse_webhook(n.raw, n.signature) for n in receiver.notices]
        paid = next(e for e in events if e.type == "payment_intent.succeeded")
        assert paid.intent == shop.retrieve_intent(made.id)
        assert {event.intent_id for event in events} == {made.id}


# --- gateways that misbehave --------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_refused_connection() -> None:
    with pytest.raises(GatewayUnavailable):
        adapter(f"http://127.0.0.1:{free_port()}").create_intent(1, "o", "k", "x")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"error": {"type": "api_error", "message": "no"}}'),
        (502, b"<html>bad gateway</html>"),
        (503, b""),
        (429, b'{"error": {"type": "invalid_request_error", "code": "lock_timeout"}}'),
        (409, b'{"error": {"type": "invalid_request_error", "code": "idempotency_key_in_use"}}'),
        (401, b'{"error": {"type": "invalid_request_error", "message": "bad key"}}'),
        (403, b'{"error": {"type": "invalid_request_error", "message": "not allowed"}}'),
        (400, b"<html>a proxy's page</html>"),
        (404, b'{"message": "no such route"}'),
        (200, b"not json"),
        (200, b"{}"),
        (200, b'{"id": "pi_1", "status": "dancing"}'),
    ],
)
def test_answers_that_settle_nothing(status: int, body: bytes) -> None:
    with answering(status, body) as url:
        shop = adapter(url)
        with pytest.raises(GatewayUnavailable):
            shop.create_intent(1, "o", "k", "x")
        with pytest.raises(GatewayUnavailable):
            shop.retrieve_intent("pi_1")


def test_a_wrong_key_waits_for_the_operator(gateway: RunningGateway) -> None:
    with pytest.raises(GatewayUnavailable, match="401"):
        adapter(gateway.url, key="sk_test_wrong").create_intent(1, "o", "k", "x")


def test_a_failing_gateway_then_the_same_key(gateway: RunningGateway, shop: Gateway) -> None:
    gateway.faults.plan("payment_intents.create", "fail")
    with pytest.raises(GatewayUnavailable):
        shop.create_intent(100, "ord_f", "ord_f", "x")
    assert shop.create_intent(100, "ord_f", "ord_f", "x").order_id == "ord_f"


def test_a_lost_answer_is_found_under_the_same_key(gateway: RunningGateway) -> None:
    hasty = adapter(gateway.url, read_seconds=0.3)
    gateway.faults.plan("payment_intents.create", "late", seconds=0.8)
    started = time.monotonic()
    with pytest.raises(GatewayUnavailable):
        hasty.create_intent(100, "ord_l", "ord_l", "x")
    assert time.monotonic() - started < 0.75
    found = hasty.create_intent(100, "ord_l", "ord_l", "x")
    listed = requests.get(
        f"{gateway.url}/v1/payment_intents", auth=(API_KEY, ""), timeout=5
    ).json()["data"]
    assert [i["id"] for i in listed if i["metadata"].get("order_id") == "ord_l"] == [found.id]


def test_a_gateway_that_never_answers_costs_at_most_four_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(GatewayUnavailable):
            adapter(f"http://127.0.0.1:{silent.getsockname()[1]}").retrieve_intent("pi_1")
        assert 2.5 < time.monotonic() - started < 4.5
