"""The gateway's less travelled ways: odd parameters, expansion, and failures inside."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe
from sqlalchemy.exc import OperationalError

from checkout.gateways.sandbox import payments
from checkout.gateways.sandbox.server import RunningGateway
from tests.functional.gateway.parts import API_KEY, get, post

PAID = {
    "amount": "1000",
    "currency": "cny",
    "confirm": "true",
    "payment_method": "pm_card_visa",
}


def error_of(answer: requests.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error.get("param")


def test_payment_methods_of_ones_own(gateway: RunningGateway, client: stripe.StripeClient) -> None:
    details = {
        "type": "card",
        "card[number]": "5555555555554444",
        "card[exp_month]": "3",
        "card[exp_year]": "40",
        "card[cvc]": "1234",
    }
    made = post(gateway, "/v1/payment_methods", details).json()
    assert (made["object"], made["card"]["brand"], made["card"]["exp_year"]) == (
        "payment_method",
        "mastercard",
        2040,
    )
    assert get(gateway, f"/v1/payment_methods/{made['id']}").json() == made
    token = post(gateway, "/v1/payment_methods", {"type": "card", "card[token]": "tok_visa"})
    assert token.json()["card"]["last4"] == "4242"
    intent = post(gateway, "/v1/payment_intents", PAID | {"payment_method": made["id"]}).json()
    assert (intent["status"], intent["payment_method"]) == ("succeeded", made["id"])
    assert error_of(post(gateway, "/v1/payment_methods", {"type": "card"})) == (
        400,
        "parameter_missing",
        "card",
    )
    assert error_of(post(gateway, "/v1/payment_methods", {"type": "card", "card": "x"})) == (
        400,
        None,
        "card",
    )


def test_refund_notes_change_and_are_told(
    gateway: RunningGateway, client: stripe.StripeClient
) -> None:
    intent = post(gateway, "/v1/payment_intents", PAID).json()
    refund = post(
        gateway, "/v1/refunds", {"charge": intent["latest_charge"], "metadata[a]": "1"}
    ).json()
    changed = post(gateway, f"/v1/refunds/{refund['id']}", {"metadata[b]": "2"}).json()
    assert changed["metadata"] == {"a": "1", "b": "2"}
    cleared = post(gateway, f"/v1/refunds/{refund['id']}", {"metadata": ""}).json()
    assert cleared["metadata"] == {}
    told = client.v1.events.list({"type": "refund.updated", "limit": 1}).data[0]
    assert told.data.object["metadata"].to_dict() == {}
    previous: Any = told.data.previous_attributes
    assert previous["metadata"].to_dict() == {"a": "1", "b": "2"}
    assert error_of(post(gateway, "/v1/refunds/re_none", {"metadata[a]": "1"}))[0] == 404


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, (400, "parameter_missing", "payment_intent")),
        ({"payment_intent": "pi_none"}, (404, "resource_missing", "payment_intent")),
        ({"charge": "ch_none"}, (404, "resource_missing", "charge")),
        ({"charge": "ch_none", "reason": "bored"}, (400, None, "reason")),
        ({"charge": "ch_none", "metadata": "x"}, (400, None, "metadata")),
        ({"charge[id]": "ch_none"}, (400, None, "charge")),
        ({"charge": "c" * 5001}, (400, None, "charge")),
        ({"charge": "ch_none", "expand": "charge"}, (400, None, "expand")),
        ({"charge": "ch_none", "expand[][a]": "charge"}, (400, None, "expand")),
    ],
)
def test_bad_refunds(
    gateway: RunningGateway, data: dict[str, str], expected: tuple[int, str | None, str | None]
) -> None:
    assert error_of(post(gateway, "/v1/refunds", data)) == expected


def test_a_failed_or_uncaptured_charge_gives_nothing_back(gateway: RunningGateway) -> None:
    declined = post(
        gateway, "/v1/payment_intents", PAID | {"payment_method": "pm_card_chargeDeclined"}
    ).json()["error"]
    answer = post(gateway, "/v1/refunds", {"charge": declined["charge"]})
    assert error_of(answer) == (400, "charge_not_refundable", None)


def test_expansion(gateway: RunningGateway) -> None:
    intent = post(
        gateway, "/v1/payment_intents", PAID | {"expand[0]": "latest_charge.payment_intent"}
    ).json()
    assert intent["latest_charge"]["payment_intent"]["id"] == intent["id"]
    where = f"/v1/payment_intents/{intent['id']}"
    bare = post(gateway, "/v1/payment_intents", {"amount": "1", "currency": "cny"}).json()
    nothing = get(gateway, f"/v1/payment_intents/{bare['id']}", **{"expand[]": "latest_charge"})
    assert nothing.json()["latest_charge"] is None
    deep = "latest_charge.payment_intent.latest_charge.payment_intent.latest_charge"
    assert error_of(get(gateway, where, **{"expand[]": deep})) == (400, None, "expand")
    assert error_of(get(gateway, where, **{"expand[]": "id"})) == (400, None, "expand")


def test_lists_refuse_what_they_do_not_know(gateway: RunningGateway) -> None:
    intent = post(gateway, "/v1/payment_intents", PAID).json()
    exact = get(gateway, "/v1/charges", created=str(intent["created"])).json()["data"]
    assert intent["latest_charge"] in {charge["id"] for charge in exact}
    for params in (
        {"colour": "red"},
        {"created[around]": "5"},
        {"created": "soon"},
        {"starting_after": "a", "ending_before": "b"},
    ):
        assert get(gateway, "/v1/charges", **params).status_code == 400


def test_odd_requests(gateway: RunningGateway) -> None:
    url = f"{gateway.url}/v1/payment_intents"
    for header in ("Basic !!!", "Digest x", "Bearer"):
        answer = requests.get(url, headers={"Authorization": header}, timeout=5)
        assert answer.status_code == 401
    broken = requests.post(
        url,
        data=b"a=\xff",
        timeout=5,
        auth=(API_KEY, ""),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert broken.status_code == 400
    assert requests.put(url, auth=(API_KEY, ""), timeout=5).status_code == 405
    cleared = requests.delete(
        f"{gateway.url}/v1/test_helpers/faults", auth=(API_KEY, ""), timeout=5
    )
    assert cleared.json()["deleted"] is True


def test_a_browser_may_not_expand_and_sees_its_decline(gateway: RunningGateway) -> None:
    made = post(
        gateway,
        "/v1/payment_intents",
        {"amount": "1", "currency": "cny", "metadata[order_id]": "ord_secret"},
    ).json()
    url = f"{gateway.url}/v1/payment_intents/{made['id']}/confirm"
    card = {"client_secret": made["client_secret"], "payment_method": "pm_card_chargeDeclined"}
    peek = requests.post(url, data=card | {"expand[]": "latest_charge"}, timeout=5)
    assert error_of(peek) == (400, None, "expand")
    declined = requests.post(url, data=card, timeout=5)
    assert declined.status_code == 402
    assert declined.json()["error"]["payment_intent"]["id"] == made["id"]
    assert "ord_secret" not in declined.text


def test_retrieving_can_be_made_to_fail(gateway: RunningGateway) -> None:
    made = post(gateway, "/v1/payment_intents", {"amount": "1", "currency": "cny"}).json()
    where = f"/v1/payment_intents/{made['id']}"
    gateway.faults.plan("payment_intents.retrieve", "fail")
    gateway.faults.plan("payment_intents.retrieve", "late", seconds=0.05)
    assert [get(gateway, where).status_code for _ in range(3)] == [500, 200, 200]


def test_a_failure_inside_is_a_500_that_undoes_everything(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = get(gateway, "/v1/events", limit="1").json()["data"]

    def full_disk(*_: Any) -> str:
        raise OperationalError("INSERT", {}, Exception("disk is full"))

    monkeypatch.setattr(payments, "book_charge", full_disk)
    answer = post(gateway, "/v1/payment_intents", PAID, Idempotency_Key="disk")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")
    assert "disk" not in answer.json()["error"]["message"]
    assert get(gateway, "/v1/events", limit="1").json()["data"] == before
    monkeypatch.undo()
    assert post(gateway, "/v1/payment_intents", PAID, Idempotency_Key="disk").status_code == 200
