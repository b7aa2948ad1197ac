"""Our adapter's requests, and our sandbox's answers, held against Stripe's own description of its
API, which stripe-mock serves. It keeps no state, so what is asked for is not found again there.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import stripe

from checkout.gateways.base import GatewayUnavailable, IntentStatus, RefundStatus
from checkout.gateways.sandbox.server import RunningGateway
from checkout.gateways.stripe import StripeGateway
from tests.functional.gateway.parts import API_KEY, post

URL = os.environ.get("STACK_STRIPE_MOCK_URL", "")
KEY = "sk_test_123"

pytestmark = pytest.mark.skipif(not URL, reason="no stripe-mock: `make stack` starts one")


def adapter(key: str = KEY) -> StripeGateway:
    return StripeGateway(name="stripe", base_url=URL, api_key=key, webhook_secrets=("whsec_x",))


# stripe-mock leaves out fields that may be absent; the official client lists them all.
CLASSES: dict[str, type[stripe.StripeObject]] = {
    "payment_intent": stripe.PaymentIntent,
    "refund": stripe.Refund,
    "charge": stripe.Charge,
    "event": stripe.Event,
    "balance_transaction": stripe.BalanceTransaction,
}


def ask(path: str, **fields: str) -> Any:
    """What Stripe's description says about a path; with fields it is a POST."""
    kind = "POST" if fields else "GET"
    answer = requests.request(kind, f"{URL}{path}", data=fields, auth=(KEY, ""), timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_refuses_what_stripe_does_not_know() -> None:
    """Otherwise all that follows would prove nothing."""
    answer = requests.post(
        f"{URL}/v1/payment_intents",
        data={"amount": "1", "currency": "cny", "nonsense": "1"},
        auth=(KEY, ""),
        timeout=5,
    )
    assert answer.status_code == 400
    assert "additional properties" in answer.json()["error"]["message"]


def test_every_command_is_one_that_stripe_takes() -> None:
    shop = adapter()
    made = shop.create_intent(11700, "ord_a", "ord_a:intent", "福满订单 ord_a")
    assert (made.amount_minor, made.currency) == (11700, "CNY")
    assert made.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert made.client_secret is not None
    assert shop.retrieve_intent("pi_x").id == "pi_x"
    assert shop.cancel_intent("pi_x", "ord_a:cancel").id == "pi_x"
    refund = shop.refund("pi_x", 700, "ref_1", "ref_1")
    assert (refund.amount_minor, refund.intent_id) == (700, "pi_x")
    assert refund.status is RefundStatus.SUCCEEDED
    assert shop.retrieve_refund("re_x").id == "re_x"


def test_lists_are_read_as_stripe_writes_them() -> None:
    until = datetime.now(UTC)
    since = until - timedelta(days=1)
    assert next(adapter().list_charges(since, until)).id.startswith("ch_")
    assert next(adapter().list_balance(since, until)).id.startswith("txn_")


def test_a_wrong_key_is_no_refusal_of_the_payment() -> None:
    with pytest.raises(GatewayUnavailable, match="401"):
        adapter("wrong").retrieve_intent("pi_x")


@pytest.fixture
def paid(gateway: RunningGateway) -> dict[str, Any]:
    """The sandbox's objects of one payment with a refund, by kind."""
    made = post(gateway, "/v1/payment_intents", {"amount": "900", "currency": "cny"}).json()
    confirmed = post(
        gateway, f"/v1/payment_intents/{made['id']}/confirm", {"payment_method": "pm_card_visa"}
    ).json()
    refund = post(gateway, "/v1/refunds", {"payment_intent": made["id"], "amount": "100"}).json()

    def get(path: str) -> Any:
        return requests.get(f"{gateway.url}{path}", auth=(API_KEY, ""), timeout=5).json()

    return {
        "payment_intent": confirmed,
        "refund": refund,
        "charge": get(f"/v1/charges/{confirmed['latest_charge']}"),
        "event": get("/v1/events")["data"][0],
        "balance_transaction": get("/v1/balance_transactions")["data"][0],
    }


def test_the_sandbox_answers_in_stripes_shapes(paid: dict[str, Any]) -> None:
    stripes = {
        "payment_intent": ask("/v1/payment_intents/pi_x"),
        "refund": ask("/v1/refunds/re_x"),
        "charge": ask("/v1/charges/ch_x"),
        "event": ask("/v1/events/evt_x"),
        "balance_transaction": ask("/v1/balance_transactions/txn_x"),
    }
    for kind, ours in paid.items():
        theirs = stripes[kind]
        assert ours["object"] == theirs["object"] == kind
        strange = set(ours) - set(theirs) - set(CLASSES[kind].__annotations__)
        assert not strange, f"{kind}: {sorted(strange)}"
        for field, value in ours.items():
            told = theirs.get(field)
            if value is not None and told is not None:
                assert type(value) is type(told), f"{kind}.{field}: {value!r} for {told!r}"
