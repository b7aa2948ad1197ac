"""The shelves of a product page and the switch of personalisation, by tapping and by clicking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.screens import DESK, PHONE, Screen, enter, open_screen, type_login
from tests.functional.running import Mall, wait_for
from tests.functional.shopper import COLLEAGUE, EMPLOYEE, Client, body, new_key

QUILT = "蚕丝被"


@pytest.fixture(scope="module")
def together(built_mall: Mall) -> tuple[str, list[str]]:
    """A product, and titles of what two people have bought with it in one order."""
    offers: list[dict[str, Any]] = []
    with Client(built_mall.origin, EMPLOYEE) as client:
        for text in (QUILT, "毛巾", "牙刷"):
            found = client.find(text, in_stock="true", sort="price_asc", limit=1)[0]
            offers.append(client.offer_of(found["product_id"]))
    product_id = str(offers[0]["product_id"])
    for login in (EMPLOYEE, COLLEAGUE):
        with Client(built_mall.origin, login) as client:
            quote = client.quote({offer["offer_id"]: 1 for offer in offers}, points="max")
            order = body(client.place(quote["quote_id"], key=new_key()), 201)
            if order["payment"] is not None:
                client.pay(order["payment"])
            client.wait_for_state(order["order_id"], "paid")

    def look() -> bool:
        with Client(built_mall.origin, EMPLOYEE) as client:
            shelf = body(client.get(f"/products/{product_id}/bought-together"))
            return len(shelf["items"]) == 2

    wait_for("both orders are counted", look)
    return product_id, [str(offer["title"]) for offer in offers[1:]]


def _product(screen: Screen, mall: Mall, product_id: str) -> None:
    enter(screen, f"{mall.origin}/products/{product_id}", EMPLOYEE)
    expect(screen.see("product-title")).to_be_visible()
    for kind in ("similar", "together"):
        shelf = screen.see(f"shelf-{kind}")
        expect(shelf.locator('[data-testid="product-card"]').first).to_be_visible()


def test_shelves_on_a_phone(
    browser: Browser, built_mall: Mall, shots: Path, together: tuple[str, list[str]]
) -> None:
    product_id, titles = together
    with open_screen(browser, built_mall, shots, PHONE, phone=True) as screen:
        screen.number = 40
        _product(screen, built_mall, product_id)
        cards = screen.see("shelf-together").locator('[data-testid="product-card"] h3')
        assert sorted(cards.all_inner_texts()) == sorted(titles)
        screen.shot("product-with-shelves", whole=True)
        screen.see("shelf-similar").scroll_into_view_if_needed()
        screen.shot("shelves")
        row = screen.see("shelf-similar").locator(".goods")
        wide, inside = row.evaluate("row => [row.scrollWidth, row.clientWidth]")
        assert wide > inside  # it is pushed along, the page is not

        screen.see("quantity-stepper").locator(".van-stepper__plus").tap()
        expect(screen.see("quantity-stepper").locator("input")).to_have_value("2")
        card = screen.see("shelf-similar").locator('[data-testid="product-card"]').first
        title = card.locator("h3").inner_text()
        card.tap()
        expect(screen.see("product-title")).to_have_text(title)
        assert screen.page.evaluate("scrollY") == 0
        expect(screen.see("quantity-stepper").locator("input")).to_have_value("1")


def test_shelves_at_a_desk(
    browser: Browser, built_mall: Mall, shots: Path, together: tuple[str, list[str]]
) -> None:
    with open_screen(browser, built_mall, shots, DESK, phone=False) as screen:
        screen.number = 45
        _product(screen, built_mall, together[0])
        row = screen.see("shelf-similar").locator(".goods")
        wide, inside = row.evaluate("row => [row.scrollWidth, row.clientWidth]")
        assert wide == inside
        screen.shot("desk-product-with-shelves", whole=True)


def test_searches_are_kept_and_shown_only_with_personalisation(
    browser: Browser, built_mall: Mall, shots: Path
) -> None:
    with open_screen(browser, built_mall, shots, PHONE, phone=True) as screen:
        screen.number = 50
        screen.page.goto(f"{built_mall.origin}/me")
        type_login(screen, EMPLOYEE)
        screen.tap("login-submit")
        switch = screen.see("personalisation-switch")
        expect(switch).to_have_attribute("aria-checked", "true")

        def search(text: str) -> None:
            screen.page.goto(f"{built_mall.origin}/search")
            screen.see("search-input").fill(text)
            screen.see("search-input").press("Enter")
            expect(screen.see("search-total")).to_be_visible()

        def kept() -> str:
            return str(screen.page.evaluate("localStorage.getItem('fuman.searches')"))

        search("龙井")
        assert kept() == '["龙井"]'
        screen.page.goto(f"{built_mall.origin}/search")
        screen.see("search-input").tap()
        expect(screen.see("suggestion")).to_have_text(["龙井"])

        screen.page.goto(f"{built_mall.origin}/me")
        switch.tap()
        expect(switch).to_have_attribute("aria-checked", "false")
        screen.shot("me-without-personalisation")
        assert kept() == "[]"
        search("毛巾")
        assert kept() == "[]"
        screen.page.goto(f"{built_mall.origin}/search")
        screen.see("search-input").tap()
        expect(screen.see("suggestion")).to_have_count(0)
        screen.page.goto(f"{built_mall.origin}/me")
        expect(switch).to_have_attribute("aria-checked", "false")
        switch.tap()
        expect(switch).to_have_attribute("aria-checked", "true")
