from __future__ import annotations

import pytest

from checkout.gateways.sandbox.return_urls import is_safe_return_url, with_result

OWN = ("https://mall.example:8443/gateway", "http://10.0.0.5:8000")


@pytest.mark.parametrize(
    "url",
    [
        "/orders/ord_1?from=pay",
        "https://mall.example:8443/orders/1",
        "http://10.0.0.5:8000/",
        "http://127.0.0.1:8000/orders/1",
        "http://localhost:5173/#/orders/1",
        "http://[::1]:9/x",
    ],
)
def test_safe(url: str) -> None:
    assert is_safe_return_url(url, own_bases=OWN)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//evil.example/x",
        "/\\evil.example",
        "https://evil.example/",
        "https://mall.example/orders",
        "http://mall.example:8443/orders",
        "https://mall.example:8443@evil.example/",
        "https://127.0.0.1@evil.example/",
        "https://127.0.0.1.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://127.0.0.1/x",
        "http:///x",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:8000/\r\nSet-Cookie: a=b",
        " http://127.0.0.1/",
        "orders/1",
        "/" + "x" * 2000,
    ],
)
def test_unsafe(url: str) -> None:
    assert not is_safe_return_url(url, own_bases=OWN)


def test_result_is_added_to_what_is_there() -> None:
    assert with_result(
        "http://127.0.0.1/o?a=1#top", intent_id="pi_1", client_secret="s&t", result="failed"
    ) == (
        "http://127.0.0.1/o?a=1&payment_intent=pi_1&payment_intent_client_secret=s%26t"
        "&redirect_status=failed#top"
    )
