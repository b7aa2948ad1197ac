"""Idempotency-Key on every POST, as Stripe documents it (Domain rule 20)."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from checkout.gateways.sandbox.server import RunningGateway
from tests.functional.gateway.parts import get, post

BODY = {"amount": "700", "currency": "cny", "metadata[order_id]": "ord_1"}


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


def count(gateway: RunningGateway, order_id: str) -> int:
    listed = get(gateway, "/v1/payment_intents", limit="100").json()["data"]
    return sum(1 for item in listed if item["metadata"].get("order_id") == order_id)


def test_replay_is_byte_for_byte_and_says_so(gateway: RunningGateway, key: str) -> None:
    body = BODY | {"metadata[order_id]": key}
    first = post(gateway, "/v1/payment_intents", body, Idempotency_Key=key)
    again = post(gateway, "/v1/payment_intents", body, Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == key
    assert again.headers["Request-Id"] == first.headers["Request-Id"]
    assert count(gateway, key) == 1


def test_another_body_or_place_is_refused(gateway: RunningGateway, key: str) -> None:
    made = post(gateway, "/v1/payment_intents", BODY, Idempotency_Key=key).json()
    for path, data in (
        ("/v1/payment_intents", BODY | {"amount": "701"}),
        ("/v1/payment_intents", {"amount": "700", "currency": "cny"}),
        (f"/v1/payment_intents/{made['id']}/cancel", {}),
    ):
        answer = post(gateway, path, data, Idempotency_Key=key)
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "idempotency_error"
    standing = get(gateway, f"/v1/payment_intents/{made['id']}").json()
    assert (standing["status"], standing["amount"]) == ("requires_payment_method", 700)


def test_a_decline_is_kept_and_charged_once(gateway: RunningGateway, key: str) -> None:
    intent = post(gateway, "/v1/payment_intents", BODY).json()
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    card = {"payment_method": "pm_card_chargeDeclined"}
    first = post(gateway, path, card, Idempotency_Key=key)
    again = post(gateway, path, card, Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.content == first.content
    charges = get(gateway, "/v1/charges", payment_intent=intent["id"]).json()["data"]
    assert len(charges) == 1


def test_validation_is_not_kept(gateway: RunningGateway, key: str) -> None:
    bad = post(gateway, "/v1/payment_intents", BODY | {"amount": "x"}, Idempotency_Key=key)
    assert bad.status_code == 400
    good = post(gateway, "/v1/payment_intents", BODY, Idempotency_Key=key)
    assert good.status_code == 200
    assert "Idempotent-Replayed" not in good.headers


def test_a_500_is_not_kept_and_did_nothing(gateway: RunningGateway, key: str) -> None:
    gateway.faults.plan("payment_intents.create", "fail")
    body = BODY | {"metadata[order_id]": key}
    failed = post(gateway, "/v1/payment_intents", body, Idempotency_Key=key)
    assert (failed.status_code, failed.json()["error"]["type"]) == (500, "api_error")
    assert count(gateway, key) == 0
    assert post(gateway, "/v1/payment_intents", body, Idempotency_Key=key).status_code == 200
    assert count(gateway, key) == 1


def test_faults_can_be_ordered_over_http(gateway: RunningGateway) -> None:
    order = {"operation": "payment_intents.create", "kind": "fail", "times": "2"}
    assert post(gateway, "/v1/test_helpers/faults", order).status_code == 200
    codes = [post(gateway, "/v1/payment_intents", BODY).status_code for _ in range(3)]
    assert codes == [500, 500, 200]
    wrong = post(gateway, "/v1/test_helpers/faults", order | {"operation": "nothing"})
    assert wrong.status_code == 400


def test_fifty_at_once_make_one_intent(gateway: RunningGateway, key: str) -> None:
    body = BODY | {"metadata[order_id]": key}

    def ask(_: int) -> requests.Response:
        return post(gateway, "/v1/payment_intents", body, Idempotency_Key=key)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    kinds = Counter(answer.status_code for answer in answers)
    assert set(kinds) <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] == "idempotency_key_in_use"
    assert count(gateway, key) == 1
    assert (
        post(gateway, "/v1/payment_intents", body, Idempotency_Key=key).headers[
            "Idempotent-Replayed"
        ]
        == "true"
    )


def test_fifty_refunds_with_keys_of_their_own_never_exceed(gateway: RunningGateway) -> None:
    intent = post(
        gateway,
        "/v1/payment_intents",
        {"amount": "1000", "currency": "cny", "confirm": "true", "payment_method": "pm_card_visa"},
    ).json()

    def refund(_: int) -> int:
        data = {"payment_intent": intent["id"], "amount": "100"}
        return post(gateway, "/v1/refunds", data, Idempotency_Key=str(uuid.uuid4())).status_code

    with ThreadPoolExecutor(16) as pool:
        kinds = Counter(pool.map(refund, range(50)))
    assert kinds == {200: 10, 400: 40}
    charge = get(gateway, f"/v1/charges/{intent['latest_charge']}").json()
    assert (charge["amount_refunded"], charge["refunded"]) == (1000, True)


@pytest.mark.parametrize("bad", ["", "k" * 256])
def test_keys_have_a_length(gateway: RunningGateway, bad: str) -> None:
    answer = post(gateway, "/v1/payment_intents", BODY, Idempotency_Key=bad)
    assert answer.status_code == 400
