"""The filter sheet and the ways on from a search that found little, by tapping."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.screens import PHONE, Screen, enter, open_screen
from tests.functional.running import Mall
from tests.functional.shopper import EMPLOYEE


def _total(screen: Screen) -> int:
    expect(screen.see("search-total")).to_have_text(re.compile(r"^[\d,]+ 件"))
    return int(screen.see("search-total").inner_text().split()[0].replace(",", ""))


def test_prices_and_attributes_narrow_what_is_shown(
    browser: Browser, built_mall: Mall, shots: Path
) -> None:
    with open_screen(browser, built_mall, shots, PHONE, phone=True) as screen:
        screen.number = 60
        enter(screen, f"{built_mall.origin}/search?q=被子", EMPLOYEE)
        whole = _total(screen)
        screen.tap("filter-button")
        price = screen.see("facet-value", facet="price").first
        cheap = int(price.locator(".count").inner_text())
        price.tap()
        expect(screen.see("filter-show")).to_have_text(f"看 {cheap} 件商品")
        price.tap()
        expect(screen.see("filter-show")).to_have_text(f"看 {whole} 件商品")
        size = screen.page.locator('[data-facet="attribute.尺寸"]').first
        sized = int(size.locator(".count").inner_text())
        size.tap()
        expect(screen.see("filter-show")).to_have_text(f"看 {sized} 件商品")
        expect(size).to_have_attribute("aria-pressed", "true")
        screen.shot("filters")
        screen.tap("filter-show")
        expect(screen.see("filter-button")).to_contain_text("1")
        expect(screen.see("search-total")).to_have_text(f"{sized} 件")
        assert sized < whole


def test_a_search_that_finds_little_leads_on(
    browser: Browser, built_mall: Mall, shots: Path
) -> None:
    with open_screen(browser, built_mall, shots, PHONE, phone=True) as screen:
        screen.number = 62
        enter(screen, f"{built_mall.origin}/search?q=保温杯&price=1-2", EMPLOYEE)
        expect(screen.see("state-view")).to_be_visible()
        screen.shot("nothing")
        onward = screen.see("related-category").first
        count = int(onward.locator(".count").inner_text())
        onward.tap()
        expect(screen.see("product-card").first).to_be_visible()
        assert _total(screen) == count
        screen.page.goto(f"{built_mall.origin}/search?q=儿童蚕丝被宇航员联名")
        expect(screen.see("search-notice")).to_be_visible()
        expect(screen.see("related-category").first).to_be_visible()
        screen.shot("similar")
