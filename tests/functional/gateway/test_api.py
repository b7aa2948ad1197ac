"""The gateway as Stripe's own client sees it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe

from checkout.gateways.sandbox.server import RunningGateway
from tests.functional.gateway.parts import client_of, eventually, get, post


def make(client: stripe.StripeClient, amount: int = 11700, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": amount, "currency": "cny", **more}
    return client.v1.payment_intents.create(params)


def paid(
    client: stripe.StripeClient, amount: int = 11700, card: str = "pm_card_visa"
) -> stripe.PaymentIntent:
    return make(client, amount, confirm=True, payment_method=card)


def events_of(client: stripe.StripeClient, object_id: str) -> list[str]:
    """Types of the events whose object is this one, oldest first."""
    page = client.v1.events.list({"limit": 100})
    return [e.type for e in reversed(page.data) if e.data.object["id"] == object_id]


def test_create_and_retrieve(client: stripe.StripeClient) -> None:
    made = make(
        client, description="福满订单", metadata={"order_id": "ord_1"}, receipt_email="a@b.example"
    )
    assert made.id.startswith("pi_")
    assert made.client_secret is not None
    assert made.client_secret.startswith(f"{made.id}_secret_")
    assert (made.object, made.amount, made.currency) == ("payment_intent", 11700, "cny")
    assert (made.status, made.capture_method) == ("requires_payment_method", "automatic")
    assert (made.amount_received, made.amount_capturable, made.livemode) == (0, 0, False)
    assert made.metadata is not None
    assert made.metadata.to_dict() == {"order_id": "ord_1"}
    found = client.v1.payment_intents.retrieve(made.id)
    assert found.to_dict() == made.to_dict()
    assert events_of(client, made.id) == ["payment_intent.created"]


@pytest.mark.parametrize("card", ["pm_card_visa", "4242424242424242"])
def test_confirm_succeeds_by_token_and_by_number(client: stripe.StripeClient, card: str) -> None:
    intent = make(client, metadata={"order_id": "ord_2"})
    given: Any = {"payment_method": card}
    if card.isdigit():
        details = {"number": card, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        given = {"payment_method_data": {"type": "card", "card": details}}
    given["expand"] = ["latest_charge.balance_transaction", "payment_method"]
    done = client.v1.payment_intents.confirm(intent.id, given)
    assert (done.status, done.amount_received) == ("succeeded", 11700)
    charge: Any = done.latest_charge
    assert (charge.status, charge.paid, charge.captured, charge.refunded) == (
        "succeeded",
        True,
        True,
        False,
    )
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (11700, 11700, 0)
    assert charge.payment_intent == intent.id
    assert charge.metadata.to_dict() == {"order_id": "ord_2"}
    assert charge.payment_method_details.card.last4 == "4242"
    line = charge.balance_transaction
    # 0.6% of 117.00 is 0.702, rounded half up to 0.70.
    assert (line.amount, line.fee, line.net, line.type) == (11700, 70, 11630, "charge")
    method: Any = done.payment_method
    assert (method.card.brand, method.card.last4) == ("visa", "4242")
    assert events_of(client, intent.id) == ["payment_intent.created", "payment_intent.succeeded"]
    assert events_of(client, charge.id) == ["charge.succeeded"]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_declines(client: stripe.StripeClient, card: str, code: str, decline_code: str) -> None:
    intent = make(client)
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card})
    error = caught.value
    assert (error.http_status, error.code) == (402, code)
    assert error.error is not None
    assert (error.error.type, error.error.decline_code) == ("card_error", decline_code)
    shown = error.error.payment_intent
    assert shown is not None
    assert (shown.status, shown.amount_received) == ("requires_payment_method", 0)
    assert shown.payment_method is None
    now = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert now.last_payment_error is not None
    assert now.last_payment_error.decline_code == decline_code
    charge: Any = now.latest_charge
    assert (charge.status, charge.paid, charge.amount_captured) == ("failed", False, 0)
    assert charge.id == error.error.charge
    assert events_of(client, intent.id) == [
        "payment_intent.created",
        "payment_intent.payment_failed",
    ]
    again = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 2


@pytest.mark.parametrize(
    ("outcome", "status", "result"),
    [("approve", "succeeded", "succeeded"), ("deny", "requires_payment_method", "failed")],
)
def test_three_d_secure(
    client: stripe.StripeClient, outcome: str, status: str, result: str
) -> None:
    intent = make(client)
    asked = client.v1.payment_intents.confirm(
        intent.id,
        {
            "payment_method": "pm_card_authenticationRequired",
            "return_url": "http://127.0.0.1:8000/orders/1?a=b",
        },
    )
    assert asked.status == "requires_action"
    assert asked.next_action is not None
    assert asked.next_action.type == "redirect_to_url"
    step = asked.next_action.redirect_to_url
    assert step is not None
    assert step.url is not None
    page = requests.get(step.url, timeout=5)
    assert page.status_code == 200
    assert "¥117.00" in page.text
    answer = requests.post(
        step.url.split("?")[0],
        data={"client_secret": intent.client_secret, "outcome": outcome},
        timeout=5,
        allow_redirects=False,
    )
    assert answer.headers["Location"] == (
        f"http://127.0.0.1:8000/orders/1?a=b&payment_intent={intent.id}"
        f"&payment_intent_client_secret={intent.client_secret}&redirect_status={result}"
    )
    done = client.v1.payment_intents.retrieve(intent.id)
    assert done.status == status
    if outcome == "deny":
        assert done.last_payment_error is not None
        assert done.last_payment_error.code == "payment_intent_authentication_failure"
    assert events_of(client, intent.id)[1:] == [
        "payment_intent.requires_action",
        "payment_intent.succeeded" if outcome == "approve" else "payment_intent.payment_failed",
    ]


def test_three_d_secure_then_declined(gateway: RunningGateway, client: stripe.StripeClient) -> None:
    intent = paid(client, card="pm_card_threeDSecureRequiredChargeDeclined")
    assert intent.status == "requires_action"
    form = {"client_secret": str(intent.client_secret), "outcome": "approve"}
    post(gateway, f"/pay/{intent.id}/challenge", form)
    now = client.v1.payment_intents.retrieve(intent.id)
    assert (now.status, now.amount_received) == ("requires_payment_method", 0)


@pytest.mark.parametrize(
    ("card", "status", "received", "event"),
    [
        ("pm_card_bypassPending", "succeeded", 11700, "payment_intent.succeeded"),
        (
            "pm_card_chargeCustomerFail",
            "requires_payment_method",
            0,
            "payment_intent.payment_failed",
        ),
    ],
)
def test_processing_first(
    client: stripe.StripeClient, card: str, status: str, received: int, event: str
) -> None:
    intent = paid(client, card=card)
    assert (intent.status, intent.amount_received) == ("processing", 0)
    eventually(lambda: client.v1.payment_intents.retrieve(intent.id).status == status)
    assert client.v1.payment_intents.retrieve(intent.id).amount_received == received
    assert events_of(client, intent.id)[1:] == ["payment_intent.processing", event]


def test_manual_capture_in_part(client: stripe.StripeClient) -> None:
    intent = make(client, capture_method="manual", confirm=True, payment_method="pm_card_visa")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 11700)
    with pytest.raises(stripe.InvalidRequestError, match="greater than"):
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 11701})
    taken = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1700})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1700, 0)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1701})
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 1700


def test_an_authorised_intent_can_be_let_go(client: stripe.StripeClient) -> None:
    intent = make(client, capture_method="manual", confirm=True, payment_method="pm_card_visa")
    gone = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")
    assert (gone.amount_received, gone.amount_capturable) == (0, 0)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("succeeded", ["confirm", "capture", "cancel", "amount"]),
        ("canceled", ["confirm", "capture", "cancel", "amount"]),
        ("processing", ["confirm", "capture", "cancel", "amount"]),
        ("requires_payment_method", ["capture"]),
        ("requires_action", ["capture"]),
        ("requires_capture", ["confirm", "amount"]),
    ],
)
def test_bad_moves_are_refused_and_change_nothing(
    gateway: RunningGateway, client: stripe.StripeClient, state: str, refused: list[str]
) -> None:
    cards = {
        "succeeded": "pm_card_visa",
        "processing": "pm_card_bypassPending",
        "requires_action": "pm_card_authenticationRequired",
        "requires_capture": "pm_card_visa",
    }
    more: dict[str, Any] = {}
    if state in cards:
        more = {"confirm": True, "payment_method": cards[state]}
    if state == "requires_capture":
        more["capture_method"] = "manual"
    before, gateway.config.settle_seconds = gateway.config.settle_seconds, 60.0
    try:
        intent = make(client, **more)
    finally:
        gateway.config.settle_seconds = before
    if state == "canceled":
        client.v1.payment_intents.cancel(intent.id)
    standing = client.v1.payment_intents.retrieve(intent.id).to_dict()
    assert standing["status"] == state
    calls: dict[str, tuple[str, dict[str, str]]] = {
        "confirm": ("/confirm", {"payment_method": "pm_card_visa"}),
        "capture": ("/capture", {}),
        "cancel": ("/cancel", {}),
        "amount": ("", {"amount": "5"}),
    }
    for name in refused:
        path, data = calls[name]
        answer = post(gateway, f"/v1/payment_intents/{intent.id}{path}", data)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "payment_intent_unexpected_state")
        assert error["payment_intent"]["status"] == state
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == standing


def test_update_and_confirm_in_steps(client: stripe.StripeClient) -> None:
    intent = make(client, metadata={"a": "1", "b": "2"})
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        client.v1.payment_intents.confirm(intent.id)
    ready = client.v1.payment_intents.update(
        intent.id,
        {"amount": 500, "payment_method": "pm_card_unionpay", "metadata": {"a": "", "c": "3"}},
    )
    assert (ready.status, ready.amount) == ("requires_confirmation", 500)
    assert ready.metadata is not None
    assert ready.metadata.to_dict() == {"b": "2", "c": "3"}
    done = client.v1.payment_intents.confirm(intent.id)
    assert (done.status, done.amount_received) == ("succeeded", 500)
    noted = client.v1.payment_intents.update(intent.id, {"description": "late note"})
    assert (noted.description, noted.status) == ("late note", "succeeded")


def test_refunds_in_parts_never_exceed_the_charge(client: stripe.StripeClient) -> None:
    intent = paid(client, 1000)
    first = client.v1.refunds.create(
        {
            "payment_intent": intent.id,
            "amount": 300,
            "metadata": {"refund_id": "r1"},
            "reason": "requested_by_customer",
        }
    )
    assert (first.status, first.amount, first.charge) == ("succeeded", 300, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as caught:
        client.v1.refunds.create({"charge": str(intent.latest_charge), "amount": 701})
    assert (caught.value.http_status, caught.value.param) == (400, "amount")
    rest = client.v1.refunds.create({"payment_intent": intent.id})
    assert rest.amount == 700
    with pytest.raises(stripe.InvalidRequestError) as spent:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1})
    assert spent.value.code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    listed = client.v1.refunds.list({"payment_intent": intent.id}).data
    assert [refund.amount for refund in listed] == [700, 300]
    noted: Any = client.v1.refunds.retrieve(first.id).metadata
    assert noted.to_dict() == {"refund_id": "r1"}
    assert events_of(client, first.id) == ["refund.created"]
    assert events_of(client, charge.id) == [
        "charge.succeeded",
        "charge.refunded",
        "charge.refunded",
    ]
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_refunds_that_take_their_time_or_fail(client: stripe.StripeClient) -> None:
    slow = client.v1.refunds.create(
        {"payment_intent": paid(client, 900, "pm_card_pendingRefund").id, "amount": 400}
    )
    assert slow.status == "pending"
    eventually(lambda: client.v1.refunds.retrieve(slow.id).status == "succeeded")
    assert events_of(client, slow.id) == ["refund.created", "refund.updated"]
    intent = paid(client, 900, "pm_card_refundFail")
    lost = client.v1.refunds.create({"payment_intent": intent.id, "amount": 400})
    assert lost.status == "succeeded"
    eventually(lambda: client.v1.refunds.retrieve(lost.id).status == "failed")
    assert client.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 0
    assert events_of(client, lost.id) == ["refund.created", "refund.updated", "refund.failed"]
    lines = client.v1.balance_transactions.list({"source": lost.id}).data
    assert [(line.type, line.amount) for line in lines] == [
        ("refund_failure", 400),
        ("refund", -400),
    ]


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ({"currency": "cny"}, "parameter_missing", "amount"),
        ({"amount": "100"}, "parameter_missing", "currency"),
        ({"amount": "0", "currency": "cny"}, "parameter_invalid_integer", "amount"),
        ({"amount": "-1", "currency": "cny"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1.5", "currency": "cny"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1000000000000", "currency": "cny"}, "amount_too_large", "amount"),
        ({"amount": "100", "currency": "usd"}, None, "currency"),
        ({"amount": "100", "currency": "cny", "colour": "red"}, "parameter_unknown", "colour"),
        (
            {"amount": "100", "currency": "cny", "payment_method": "pm_nope"},
            "resource_missing",
            "payment_method",
        ),
        (
            {"amount": "100", "currency": "cny", "return_url": "https://evil.example/"},
            "url_invalid",
            "return_url",
        ),
        ({"amount": "100", "currency": "cny", "expand[]": "owner"}, None, "expand"),
    ],
)
def test_bad_parameters_make_nothing(
    gateway: RunningGateway, data: dict[str, str], code: str | None, param: str
) -> None:
    before = get(gateway, "/v1/payment_intents", limit="1").json()["data"]
    answer = post(gateway, "/v1/payment_intents", data)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error.get("code"), error["param"]) == (code, param)
    assert get(gateway, "/v1/payment_intents", limit="1").json()["data"] == before


def test_wrong_bodies_and_places(gateway: RunningGateway) -> None:
    json_body = requests.post(
        gateway.url + "/v1/payment_intents",
        json={"amount": 1},
        auth=("sk_test_sandbox", ""),
        timeout=5,
    )
    assert json_body.status_code == 400
    assert "x-www-form-urlencoded" in json_body.json()["error"]["message"]
    assert post(gateway, "/v1/payment_intents", {"a": "x" * 70_000}).status_code == 413
    for path in ("/v1/nothing", "/v1/payment_intents/pi_none", "/v1/refunds/re_none"):
        answer = get(gateway, path)
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert get(gateway, "/v1/charges/ch_none").json()["error"]["code"] == "resource_missing"


def test_who_may_ask(gateway: RunningGateway, client: stripe.StripeClient) -> None:
    intent = make(client, metadata={"order_id": "ord_secret"})
    url = f"{gateway.url}/v1/payment_intents"
    secret = str(intent.client_secret)
    assert requests.get(url, timeout=5).status_code == 401
    assert requests.get(url, auth=("sk_test_wrong", ""), timeout=5).status_code == 401
    assert requests.get(url, auth=("sk_test_sandbox", ""), timeout=5).status_code == 200
    with pytest.raises(stripe.AuthenticationError):
        client_of(gateway, "sk_test_wrong").v1.payment_intents.retrieve(intent.id)
    one = f"{url}/{intent.id}"
    assert requests.get(one, timeout=5).status_code == 401
    assert requests.get(one, params={"client_secret": secret + "x"}, timeout=5).status_code == 401
    shown = requests.get(one, params={"client_secret": secret}, timeout=5).json()
    assert (shown["id"], shown["status"]) == (intent.id, "requires_payment_method")
    assert "metadata" not in shown
    wrong = requests.post(f"{one}/confirm", data={"payment_method": "pm_card_visa"}, timeout=5)
    assert wrong.status_code == 401
    assert (
        requests.post(f"{one}/cancel", data={"client_secret": secret}, timeout=5).status_code == 401
    )
    done = requests.post(
        f"{one}/confirm",
        data={"payment_method": "pm_card_visa", "client_secret": secret},
        auth=("pk_test_sandbox", ""),
        timeout=5,
    )
    assert done.json()["status"] == "succeeded"
    assert "latest_charge" not in done.json()


def test_lists_by_cursor(client: stripe.StripeClient) -> None:
    made = [make(client, 100 + number).id for number in range(5)]
    newest = client.v1.payment_intents.list({"limit": 2})
    assert [item.id for item in newest.data] == [made[4], made[3]]
    assert newest.has_more
    after = client.v1.payment_intents.list({"limit": 2, "starting_after": made[3]})
    assert [item.id for item in after.data] == [made[2], made[1]]
    before = client.v1.payment_intents.list({"limit": 2, "ending_before": made[1]})
    assert [item.id for item in before.data] == [made[3], made[2]]
    walked = [
        item.id
        for item in client.v1.payment_intents.list({"limit": 2, "ending_before": made[0]}).data
    ]
    assert walked == [made[2], made[1]]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError, match="No such object"):
        client.v1.payment_intents.list({"starting_after": "pi_none"})


def test_lists_are_narrowed(client: stripe.StripeClient) -> None:
    intent = paid(client, 4321)
    kinds = client.v1.events.list({"types": ["charge.succeeded"], "limit": 1}).data
    assert kinds[0].data.object["amount"] == 4321
    wild = client.v1.events.list({"type": "charge.*", "limit": 3}).data
    assert all(event.type.startswith("charge.") for event in wild)
    charges = client.v1.charges.list(
        {
            "payment_intent": intent.id,
            "created": {"gte": intent.created},
            "expand": ["data.balance_transaction"],
        }
    ).data
    line: Any = charges[0].balance_transaction
    assert (len(charges), line.amount) == (1, 4321)
    assert (
        client.v1.charges.list(
            {"payment_intent": intent.id, "created": {"lt": intent.created}}
        ).data
        == []
    )
    event = client.v1.events.retrieve(kinds[0].id)
    assert (event.type, event.livemode, event.pending_webhooks) == ("charge.succeeded", False, 0)
    assert event.request is not None
    assert event.request.id is not None
    assert event.request.id.startswith("req_")
