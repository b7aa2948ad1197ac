"""The main job by tapping on a phone, and its invoice at a desk.

Amounts on the screen are compared with what the API says of the same order; screenshots of every
step go to ``var/screenshots``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.screens import DESK, PHONE, Screen, open_screen, type_login
from tests.functional.running import Mall
from tests.functional.shopper import EMPLOYEE, FINANCE, Client, body

POINTS = 1_500
CREDIT_YUAN = "88.8"


@pytest.fixture(scope="module")
def goods(built_mall: Mall) -> list[dict[str, Any]]:
    """A product of each merchant that nobody else sells: a silk quilt, tea, and one more."""
    with Client(built_mall.origin, EMPLOYEE) as client:
        found: list[dict[str, Any]] = []
        for text in ("蚕丝被", "茶", "锅", "毛巾", "饼干"):
            taken = {item["merchants"][0]["id"] for item in found}
            for item in client.find(text, in_stock="true", limit=50):
                sellers = {merchant["id"] for merchant in item["merchants"]}
                if len(sellers) == 1 and not sellers & taken:
                    found.append(item | {"asked": text})
                    break
    assert len(found) == 3
    return found


def _money(minor: int) -> str:
    """As the pages write it: ``1,234.50`` with the fen, whatever stands around it."""
    return f"{minor // 100:,}.{minor % 100:02d}"


def _amount(locator: Locator) -> int:
    """The fen of the first amount in a text such as ``银行卡 ¥1,234.5``."""
    text = locator.first.inner_text().replace("\n", "").replace(",", "")
    digits = text[text.index("¥") + 1 :]
    whole, _, rest = digits.partition(".")
    fen = "".join(c for c in rest[:2] if c.isdigit()).ljust(2, "0")
    return int("".join(c for c in whole if c.isdigit())) * 100 + int(fen)


def _put_in_cart(screen: Screen, goods: list[dict[str, Any]]) -> None:
    for number, item in enumerate(goods):
        screen.tap("home-search")
        screen.see("search-input").fill(item["asked"])
        screen.see("search-input").press("Enter")
        card = screen.see("product-card", product_id=item["product_id"])
        expect(card).to_be_visible()
        if number == 0:
            expect(screen.see("search-total")).to_contain_text("件")
            screen.shot("search")
        card.tap()
        expect(screen.see("product-title")).to_have_text(item["title"])
        if number == 0:
            screen.shot("product")
        screen.tap("add-to-cart")
        expect(screen.see("cart-link")).to_contain_text(str(number + 1))
        if number < len(goods) - 1:
            screen.page.goto(screen.page.url.split("/products/")[0] + "/")
    screen.tap("cart-link")


def _change_tenders(screen: Screen) -> None:
    """Less credit than would be taken, which leaves something for points and the card."""
    screen.tap("edit-credit")
    screen.see("tender-amount").fill(CREDIT_YUAN)
    screen.shot("credit-sheet")
    screen.tap("tender-done")
    expect(screen.see("tender-credit")).to_contain_text(CREDIT_YUAN)
    screen.tap("edit-points")
    screen.see("tender-amount").fill(str(POINTS))
    screen.shot("points-sheet")
    screen.tap("tender-done")
    expect(screen.see("tender-points")).to_contain_text(f"{POINTS // 100}")
    expect(screen.see("pay-button")).to_be_enabled()


@pytest.fixture(scope="module")
def order(
    browser: Browser, built_mall: Mall, shots: Path, goods: list[dict[str, Any]]
) -> dict[str, Any]:
    """The whole way on the phone; what the API says of the order afterwards."""
    with open_screen(browser, built_mall, shots, PHONE, phone=True) as screen:
        screen.page.goto(built_mall.origin)
        type_login(screen, EMPLOYEE)
        screen.shot("sign-in")
        screen.tap("login-submit")
        expect(screen.see("credit-total")).to_be_visible()
        expect(screen.see("product-card").first).to_be_visible()
        screen.shot("home")
        _put_in_cart(screen, goods)
        expect(screen.see("cart-group")).to_have_count(3)
        total = sum(item["price_minor"] for item in goods)
        assert _amount(screen.see("cart-total")) == total
        screen.shot("cart")

        screen.tap("checkout-button")
        expect(screen.see("quote-lines")).to_be_visible()
        screen.shot("cashier")
        _change_tenders(screen)
        screen.shot("cashier-three-tenders", whole=True)
        card = _amount(screen.see("pay-now"))
        screen.tap("pay-button")
        screen.page.wait_for_url("**/gateway/pay/**")
        assert _money(card) in screen.page.locator("#pay").inner_text()
        screen.shot("card-page")
        screen.page.locator("#pay").tap()

        expect(screen.see("payment-done")).to_be_visible()
        screen.shot("paid")
        screen.tap("see-order")
        expect(screen.see("order-state", state="paid")).to_be_visible()
        expect(screen.see("sub-order")).to_have_count(3)
        expect(screen.see("funding-receipt")).to_be_visible()
        screen.shot("order", whole=True)
        order_id = screen.page.url.rpartition("/")[2]
        shown = _amount(screen.see("order-total"))
    with Client(built_mall.origin, EMPLOYEE) as client:
        found = client.order(order_id)
    assert shown == found["payable_minor"]
    assert found["cash_minor"] == card
    return found


def test_order_is_what_was_tapped(order: dict[str, Any], goods: list[dict[str, Any]]) -> None:
    assert order["state"] == "paid"
    assert order["credit_minor"] == 8_880
    assert order["points"] == POINTS
    assert order["cash_minor"] > 0
    titles = {line["title"] for line in order["lines"] if line["kind"] == "goods"}
    assert titles == {item["title"] for item in goods}
    assert len(order["sub_orders"]) == 3


def test_other_pages_of_the_phone(
    browser: Browser, built_mall: Mall, shots: Path, order: dict[str, Any]
) -> None:
    with open_screen(browser, built_mall, shots, PHONE, phone=True) as screen:
        screen.number = 20
        screen.page.goto(f"{built_mall.origin}/wallet")
        type_login(screen, EMPLOYEE)
        screen.tap("login-submit")
        expect(screen.see("pot-card")).to_have_count(2)
        screen.shot("wallet", whole=True)
        screen.page.goto(f"{built_mall.origin}/orders")
        expect(screen.see("order-card", order_id=order["order_id"])).to_be_visible()
        screen.shot("orders")
        screen.tap("category-tab")
        expect(screen.see("category-link").first).to_be_visible()
        screen.shot("category")
        screen.tap("me-tab")
        expect(screen.see("me-wallet")).to_be_visible()
        screen.shot("me")


def test_finance_opens_the_invoice(
    browser: Browser, built_mall: Mall, shots: Path, order: dict[str, Any]
) -> None:
    with Client(built_mall.origin, FINANCE) as client:
        invoice = body(client.get(f"/orders/{order['order_id']}/invoice"))
    with open_screen(browser, built_mall, shots, DESK, phone=False) as screen:
        screen.number = 30
        screen.page.goto(f"{built_mall.origin}/enterprise")
        type_login(screen, FINANCE)
        screen.shot("console-sign-in")
        screen.see("login-submit").click()
        expect(screen.see("figure").first).to_be_visible()
        screen.shot("console-overview")
        screen.see("nav-orders").click()
        link = screen.see("order-invoice-link", order_id=order["order_id"])
        expect(link).to_be_visible()
        screen.shot("console-orders")
        link.click()
        expect(screen.see("invoice-number")).to_have_text(invoice["number"])
        expect(screen.see("invoice-capitals")).to_have_text(invoice["gross_capitals"])
        expect(screen.see("invoice-gross")).to_contain_text(_money(invoice["gross_minor"]))
        expect(screen.see("invoice-line")).to_have_count(len(invoice["lines"]))
        screen.shot("console-invoice", whole=True)
        with screen.page.expect_download() as download:
            screen.see("invoice-pdf").click()
        assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
