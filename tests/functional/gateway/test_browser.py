"""The card page in a real browser: tapping, typing, and what the script helps with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, sync_playwright

from checkout.gateways.sandbox.server import RunningGateway
from tests.functional.gateway.parts import get, post

CHROMIUM = Path("/usr/bin/chromium")
SIZES = {"phone": (390, 844), "desk": (1440, 900)}


@pytest.fixture(scope="module", params=list(SIZES))
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    if not CHROMIUM.exists():
        warnings.warn(f"no {CHROMIUM}: the card page was not tried in a browser", stacklevel=1)
        pytest.skip(f"no {CHROMIUM}")
    width, height = SIZES[request.param]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        opened = browser.new_page(viewport={"width": width, "height": height})
        opened.set_default_timeout(10_000)
        yield opened
        browser.close()


@pytest.fixture
def intent(gateway: RunningGateway, page: Page) -> dict[str, Any]:
    body = {"amount": "11700", "currency": "cny", "description": "福满订单 ord_1"}
    made: dict[str, Any] = post(gateway, "/v1/payment_intents", body).json()
    back = quote(f"{gateway.url}/healthz")
    page.goto(
        f"{gateway.url}/pay/{made['id']}?client_secret={made['client_secret']}&return_url={back}"
    )
    return made


def tap(page: Page, last4: str) -> None:
    page.locator("label", has_text=last4).click()
    page.click("#pay")


def status_of(gateway: RunningGateway, intent: dict[str, Any]) -> str:
    return str(get(gateway, f"/v1/payment_intents/{intent['id']}").json()["status"])


def test_it_fits_and_pays_with_one_tap(
    gateway: RunningGateway, page: Page, intent: dict[str, Any]
) -> None:
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner
    assert page.input_value("#number") == "4242 4242 4242 4242"
    button = page.locator("#pay").bounding_box()
    assert button is not None
    assert button["height"] >= 44
    assert button["y"] + button["height"] <= page.evaluate("innerHeight")
    page.click("#pay")
    page.wait_for_url("**/healthz?payment_intent=*&redirect_status=succeeded")
    assert status_of(gateway, intent) == "succeeded"


def test_decline_challenge_and_success(
    gateway: RunningGateway, page: Page, intent: dict[str, Any]
) -> None:
    tap(page, "9995")
    assert "没有扣款" in page.locator("#decline").inner_text()
    tap(page, "3155")
    page.click("#deny")
    assert "没有通过银行验证" in page.locator("#decline").inner_text()
    tap(page, "3155")
    page.click("#approve")
    page.wait_for_url("**/healthz?*redirect_status=succeeded")
    assert status_of(gateway, intent) == "succeeded"


def test_typing_is_grouped_and_checked(
    gateway: RunningGateway, page: Page, intent: dict[str, Any]
) -> None:
    page.fill("#number", "")
    page.type("#number", "4000000000000002")
    assert page.input_value("#number") == "4000 0000 0000 0002"
    assert page.locator("input[name=test_card]:checked").input_value() == "4000000000000002"
    page.fill("#expiry", "")
    page.type("#expiry", "930")
    assert page.input_value("#expiry") == "09 / 30"
    page.fill("#number", "4242424242424241")
    page.fill("#expiry", "01 / 20")
    page.fill("#cvc", "1")
    page.click("#pay")
    for name in ("number", "expiry", "cvc"):
        assert page.locator(f"#{name}-error").is_visible()
        assert page.get_attribute(f"#{name}", "aria-invalid") == "true"
    assert status_of(gateway, intent) == "requires_payment_method"
    page.locator("label", has_text="4242").click()
    assert page.locator(".error:visible").count() == 0
    page.click("#pay")
    page.wait_for_url("**/healthz?*redirect_status=succeeded")


def test_a_slow_bank(gateway: RunningGateway, page: Page, intent: dict[str, Any]) -> None:
    tap(page, "0077")
    page.wait_for_url("**/healthz?*redirect_status=succeeded")
    assert status_of(gateway, intent) == "succeeded"
