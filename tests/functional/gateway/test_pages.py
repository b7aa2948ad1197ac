"""The hosted card page without a script, as a browser's bare forms see it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from checkout.gateways.sandbox.server import RunningGateway
from tests.functional.gateway.parts import eventually, get, post

RETURN = "http://127.0.0.1:8000/orders/ord_1"


@pytest.fixture
def intent(gateway: RunningGateway) -> dict[str, Any]:
    body = {"amount": "123450", "currency": "cny", "description": "福满订单 <b>ord_1</b>"}
    made: dict[str, Any] = post(gateway, "/v1/payment_intents", body).json()
    return made


def page_of(gateway: RunningGateway, intent: dict[str, Any], **query: str) -> requests.Response:
    params = {"client_secret": intent["client_secret"], "return_url": RETURN} | query
    return requests.get(
        f"{gateway.url}/pay/{intent['id']}", params=params, timeout=5, allow_redirects=False
    )


def send(
    gateway: RunningGateway, intent: dict[str, Any], path: str = "", **fields: str
) -> requests.Response:
    """Post the form; follow to our own pages only."""
    data = {"client_secret": intent["client_secret"], "return_url": RETURN} | fields
    answer = requests.post(
        f"{gateway.url}/pay/{intent['id']}{path}", data=data, timeout=5, allow_redirects=False
    )
    while answer.is_redirect:
        target = urljoin(answer.url, answer.headers["Location"])
        if not target.startswith(gateway.url):
            return answer
        answer = requests.get(target, timeout=5, allow_redirects=False)
    return answer


def status_of(gateway: RunningGateway, intent: dict[str, Any]) -> str:
    return str(get(gateway, f"/v1/payment_intents/{intent['id']}").json()["status"])


def test_the_form_says_what_is_paid_and_stays_inside(
    gateway: RunningGateway, intent: dict[str, Any]
) -> None:
    page = page_of(gateway, intent)
    assert page.status_code == 200
    assert "¥1,234.50" not in page.text.split("<main>")[0]
    assert "支付 ¥1,234.50" in page.text
    assert "福满订单 &lt;b&gt;ord_1&lt;/b&gt;" in page.text
    assert '<html lang="zh-CN">' in page.text
    for name, complete in (("number", "cc-number"), ("expiry", "cc-exp"), ("cvc", "cc-csc")):
        assert re.search(
            rf'id="{name}"[^>]*inputmode="numeric"[^>]*autocomplete="{complete}"', page.text
        )
    assert page.text.count('name="test_card"') == 6
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8000;" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "Set-Cookie" not in page.headers
    assert not re.search(r'(src|href)="(https?:)?//(?!127\.0\.0\.1)', page.text)


def test_english(gateway: RunningGateway, intent: dict[str, Any]) -> None:
    page = page_of(gateway, intent, lang="en")
    assert '<html lang="en">' in page.text
    assert "Pay ¥1,234.50" in page.text
    assert page_of(gateway, intent, lang="xx").text.count("支付 ¥1,234.50") == 1


def test_one_tap_pays_and_goes_back(gateway: RunningGateway, intent: dict[str, Any]) -> None:
    done = send(gateway, intent, test_card="4242424242424242")
    assert (done.status_code, done.headers["Location"]) == (
        303,
        f"{RETURN}?payment_intent={intent['id']}"
        f"&payment_intent_client_secret={intent['client_secret']}&redirect_status=succeeded",
    )
    assert status_of(gateway, intent) == "succeeded"
    again = send(gateway, intent, test_card="4242424242424242")
    assert again.headers["Location"] == done.headers["Location"]
    charges = get(gateway, "/v1/charges", payment_intent=intent["id"]).json()["data"]
    assert len(charges) == 1


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("4000000000000002", "银行拒绝了这张卡 · 尾号 0002"),
        ("4000000000009995", "这张卡余额不足 · 尾号 9995"),
        ("4000000000000069", "这张卡已过期 · 尾号 0069"),
        ("4000000000009987", "银行拒绝了这张卡 · 尾号 9987"),
    ],
)
def test_a_decline_is_told_in_place(
    gateway: RunningGateway, intent: dict[str, Any], card: str, words: str
) -> None:
    page = send(gateway, intent, number=card, expiry="12/40", cvc="123")
    assert page.status_code == 200
    assert words in page.text
    assert "没有扣款。" in page.text
    assert status_of(gateway, intent) == "requires_payment_method"
    assert send(gateway, intent, test_card="4242424242424242").status_code == 303
    assert status_of(gateway, intent) == "succeeded"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"number": "4242424242424241", "expiry": "12/40", "cvc": "123"}, "卡号不对"),
        ({"number": "", "expiry": "12/40", "cvc": "123"}, "卡号不对"),
        ({"number": "4242424242424242", "expiry": "13/40", "cvc": "123"}, "有效期不对"),
        ({"number": "4242424242424242", "expiry": "01/20", "cvc": "123"}, "有效期不对"),
        ({"number": "4242424242424242", "expiry": "", "cvc": "123"}, "有效期不对"),
        ({"number": "4242424242424242", "expiry": "12/40", "cvc": "1"}, "安全码是"),
        ({"number": "4111111111111111", "expiry": "12/40", "cvc": "123"}, "只收测试卡"),
    ],
)
def test_wrong_fields_are_marked_and_nothing_is_tried(
    gateway: RunningGateway, intent: dict[str, Any], fields: dict[str, str], words: str
) -> None:
    page = send(gateway, intent, **fields)
    assert page.status_code == 422
    shown = re.sub(r"<p[^>]* hidden>.*?</p>", "", page.text)
    assert words in shown
    assert (
        fields["number"] == ""
        or fields["number"] not in shown.replace(" checked", "")
        or (fields["number"] == "4242424242424242")
    )
    assert status_of(gateway, intent) == "requires_payment_method"
    assert get(gateway, "/v1/charges", payment_intent=intent["id"]).json()["data"] == []


def test_challenge_denied_then_approved(gateway: RunningGateway, intent: dict[str, Any]) -> None:
    step = send(gateway, intent, test_card="4000002500003155")
    assert "发卡行验证" in step.text
    assert status_of(gateway, intent) == "requires_action"
    assert "发卡行验证" in requests.get(page_of(gateway, intent).url, timeout=5).text
    denied = send(gateway, intent, "/challenge", outcome="deny")
    assert "没有通过银行验证 · 尾号 3155" in denied.text
    send(gateway, intent, test_card="4000002500003155")
    done = send(gateway, intent, "/challenge", outcome="approve")
    assert done.headers["Location"].startswith(f"{RETURN}?payment_intent={intent['id']}&")
    assert status_of(gateway, intent) == "succeeded"


def test_processing_waits_and_then_goes_back(
    gateway: RunningGateway, intent: dict[str, Any]
) -> None:
    page = send(gateway, intent, test_card="4000000000000077")
    assert "银行正在处理" in page.text
    assert 'http-equiv="refresh"' in page.text
    eventually(lambda: page_of(gateway, intent).status_code == 303)
    assert "redirect_status=succeeded" in page_of(gateway, intent).headers["Location"]


def test_a_cancelled_payment_says_so(gateway: RunningGateway, intent: dict[str, Any]) -> None:
    post(gateway, f"/v1/payment_intents/{intent['id']}/cancel")
    page = send(gateway, intent, test_card="4242424242424242")
    assert "这笔付款已取消" in page.text
    assert "没有扣款" in page.text
    assert status_of(gateway, intent) == "canceled"


@pytest.mark.parametrize("secret", ["", "wrong", "é"])
def test_without_the_secret_nothing_is_shown_or_done(
    gateway: RunningGateway, intent: dict[str, Any], secret: str
) -> None:
    page = page_of(gateway, intent, client_secret=secret)
    assert page.status_code == 404
    assert "1,234.50" not in page.text
    forged = send(gateway, intent, client_secret=secret, test_card="4242424242424242")
    assert forged.status_code == 404
    assert send(gateway, intent, "/challenge", client_secret=secret).status_code == 404
    assert status_of(gateway, intent) == "requires_payment_method"
    assert page_of(gateway, {**intent, "id": "pi_none"}).status_code == 404


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_no_open_redirect(gateway: RunningGateway, intent: dict[str, Any], url: str) -> None:
    assert "evil.example" not in page_of(gateway, intent, return_url=url).text
    done = send(gateway, intent, return_url=url, test_card="4242424242424242")
    assert done.status_code == 200
    assert "付款成功" in done.text
    assert "evil" not in done.text


def test_behind_a_prefix_the_challenge_has_the_public_address(gateway: RunningGateway) -> None:
    body = {
        "amount": "100",
        "currency": "cny",
        "confirm": "true",
        "payment_method": "pm_card_authenticationRequired",
        "return_url": "https://mall.example/orders/1",
    }
    forwarded = {
        "X_Forwarded_Prefix": "/gateway",
        "X_Forwarded_Host": "mall.example",
        "X_Forwarded_Proto": "https",
    }
    made = post(gateway, "/v1/payment_intents", body, **forwarded).json()
    assert made["next_action"]["redirect_to_url"]["url"] == (
        f"https://mall.example/gateway/pay/{made['id']}/challenge"
        f"?client_secret={made['client_secret']}"
    )
