"""What the shop believes of a notice (Domain rules 18 and 20), without a network."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from checkout.gateways import make_gateway
from checkout.gateways.base import IntentStatus, RefundStatus, WebhookRefused
from checkout.gateways.stripe import StripeGateway
from kernel.settings import GatewayKind, Settings

OLD, NEW = "whsec_old", "whsec_new"


def gateway(
    *, secrets: tuple[str, ...] = (NEW, OLD), key: str = "sk_test_1", account: str | None = None
) -> StripeGateway:
    return StripeGateway(
        name="sandbox",
        base_url="http://127.0.0.1:1",
        api_key=key,
        webhook_secrets=secrets,
        account=account,
    )


def event(**changes: Any) -> bytes:
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 11700,
        "amount_received": 11700,
        "currency": "cny",
        "metadata": {"order_id": "ord_1"},
        "client_secret": "pi_1_secret_x",
        "latest_charge": "ch_1",
        "last_payment_error": None,
        "livemode": False,
        "created": 1_700_000_000,
    }
    body = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_700_000_100,
        "livemode": False,
        "data": {"object": intent},
    }
    return json.dumps(body | changes, ensure_ascii=False).encode()


def signed(body: bytes, *secrets: str, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    marks = [
        hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()
        for secret in secrets
    ]
    return f"t={stamp}," + ",".join(f"v1={mark}" for mark in marks)


def refusal(body: bytes, header: str | None, at_gateway: StripeGateway | None = None) -> str:
    with pytest.raises(WebhookRefused) as caught:
        (at_gateway or gateway()).parse_webhook(body, header)
    return caught.value.code


def test_a_good_notice_is_read_whole() -> None:
    body = event()
    found = gateway().parse_webhook(body, signed(body, NEW))
    assert (found.id, found.type, found.intent_id) == ("evt_1", "payment_intent.succeeded", "pi_1")
    assert found.created_at == datetime.fromtimestamp(1_700_000_100, UTC)
    assert found.refund is None
    assert found.charge is None
    intent = found.intent
    assert intent is not None
    assert intent.status is IntentStatus.SUCCEEDED
    assert (intent.amount_minor, intent.amount_received_minor, intent.currency) == (
        11700,
        11700,
        "CNY",
    )
    assert (intent.order_id, intent.latest_charge_id) == ("ord_1", "ch_1")


@pytest.mark.parametrize("signers", [(OLD,), (NEW,), ("whsec_other", OLD), (OLD, NEW)])
def test_any_current_secret_will_do(signers: tuple[str, ...]) -> None:
    body = event()
    assert gateway().parse_webhook(body, signed(body, *signers)).id == "evt_1"


def test_a_retired_secret_will_not() -> None:
    body = event()
    assert refusal(body, signed(body, OLD), gateway(secrets=(NEW,))) == "signature_invalid"
    assert refusal(body, signed(body, NEW), gateway(secrets=())) == "signature_invalid"


def test_tolerance_is_300_seconds() -> None:
    body = event()
    now = time.time()
    assert gateway().parse_webhook(body, signed(body, NEW, at=now - 295)).id == "evt_1"
    assert refusal(body, signed(body, NEW, at=now - 305)) == "signature_stale"
    assert refusal(body, signed(body, "whsec_other", at=now - 305)) == "signature_invalid"


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        "t=abc,v1=00",
        "t=1700000000",
        "v1=00",
        "t=,v1=",
        "t=1700000000,v0=00",
        "t=99999999999999999999999999,v1=00",
        "t=1700000000,v1=zz",
        "t=1,v1=é",
    ],
)
def test_forged_headers(header: str) -> None:
    assert refusal(event(), header) == "signature_invalid"


@pytest.mark.parametrize("header", [None, ""])
def test_missing_header(header: str | None) -> None:
    assert refusal(event(), header) == "signature_missing"


def test_a_changed_body_is_noticed_to_the_byte() -> None:
    body = event()
    header = signed(body, NEW)
    assert refusal(body.replace(b"11700", b"11701"), header) == "signature_invalid"
    assert refusal(body + b" ", header) == "signature_invalid"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"not json",
        event(object="invoice"),
        event(data={}),
        event(created="soon"),
        event(data={"object": {"object": "payment_intent", "id": "pi_1"}}),
    ],
)
def test_signed_nonsense(body: bytes) -> None:
    assert refusal(body, signed(body, NEW)) == "payload_invalid"


def test_bytes_that_are_not_text() -> None:
    body = b"\xff\xfe"
    assert refusal(body, signed(body, NEW)) == "payload_invalid"


def test_the_other_mode_and_other_accounts_are_not_ours() -> None:
    live, strange = event(livemode=True), event(account="acct_2")
    assert refusal(live, signed(live, NEW)) == "wrong_mode"
    assert refusal(event(), signed(event(), NEW), gateway(key="sk_live_1")) == "wrong_mode"
    assert refusal(strange, signed(strange, NEW)) == "wrong_account"
    ours = gateway(account="acct_2").parse_webhook(strange, signed(strange, NEW))
    assert ours.account == "acct_2"
    assert ours.intent is not None
    assert ours.intent.account == "acct_2"


def test_refund_and_charge_notices() -> None:
    refund = {
        "id": "re_1",
        "object": "refund",
        "status": "pending",
        "amount": 300,
        "currency": "cny",
        "payment_intent": "pi_1",
        "charge": {"id": "ch_1"},
        "metadata": {"refund_id": "ref_1"},
        "created": 1_700_000_000,
    }
    body = event(type="refund.created", data={"object": refund})
    found = gateway().parse_webhook(body, signed(body, NEW))
    assert found.refund is not None
    assert (found.refund.status, found.refund.amount_minor) == (RefundStatus.PENDING, 300)
    assert (found.refund.refund_id, found.refund.charge_id) == ("ref_1", "ch_1")
    assert found.intent_id == "pi_1"
    charge = {
        "id": "ch_1",
        "object": "charge",
        "status": "succeeded",
        "amount": 500,
        "amount_captured": 500,
        "amount_refunded": 300,
        "currency": "cny",
        "payment_intent": "pi_1",
        "metadata": {},
        "created": 1_700_000_000,
    }
    body = event(type="charge.refunded", data={"object": charge})
    found = gateway().parse_webhook(body, signed(body, NEW))
    assert found.charge is not None
    assert (found.charge.captured_minor, found.charge.refunded_minor) == (500, 300)
    assert (found.intent_id, found.charge.order_id) == ("pi_1", None)


def test_other_notices_are_believed_but_say_nothing() -> None:
    body = event(type="payout.paid", data={"object": {"id": "po_1", "object": "payout"}})
    found = gateway().parse_webhook(body, signed(body, NEW))
    assert (found.type, found.intent_id) == ("payout.paid", None)


def test_settings_choose_the_gateway() -> None:
    sandbox = make_gateway(Settings.model_validate({"gateway_url": "http://127.0.0.1:8001"}))
    assert (sandbox.name, sandbox.livemode) == ("sandbox", False)
    live = {"gateway": GatewayKind.STRIPE, "gateway_api_key": "sk_live_1"}
    stripe = make_gateway(Settings.model_validate(live))
    assert (stripe.name, stripe.livemode) == ("stripe", True)
