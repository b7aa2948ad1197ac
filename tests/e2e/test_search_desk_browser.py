"""The operators' search desk in a real browser, and what an employee on a phone sees of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.e2e.screens import DESK, PHONE, Screen, enter, open_screen
from tests.functional.running import Mall, wait_for
from tests.functional.shopper import EMPLOYEE, Client, body

OPERATOR = "operator1@mall.example"
BETA = "贝塔制造"
NOWHERE = "zzqqxx"
REPORTS = "/admin/search/reports"


def _count_of(client: Client, report: str, query: str) -> dict[str, Any]:
    """The row of a query in a report; counts are written within seconds."""

    def look() -> dict[str, Any] | None:
        rows = body(client.get(f"{REPORTS}/{report}"))["items"]
        return next((dict(row) for row in rows if row["query"] == query), None)

    return wait_for(f"{query} is in {report}", look, seconds=30)


def _found_with_first(client: Client, query: str, product_id: str) -> list[dict[str, Any]]:
    """What is found, once a product is the first: another process may know older rules."""

    def look() -> list[dict[str, Any]] | None:
        found = client.find(query)
        return found if found and found[0]["product_id"] == product_id else None

    return wait_for(f"{product_id} is the first for {query}", look)


def _shoot_both(screen: Screen, name: str) -> None:
    """At a desk and on a phone; nothing may stick out sideways on either."""
    for width, height in (DESK, PHONE):
        screen.page.set_viewport_size({"width": width, "height": height})
        screen.shot(f"{name}-{width}", whole=True)
    screen.page.set_viewport_size({"width": DESK[0], "height": DESK[1]})


def _first(screen: Screen, column: str) -> str | None:
    item = screen.see(column).locator("[data-testid=preview-item]").first
    expect(item).to_be_visible()
    return item.get_attribute("data-product-id")


def test_synonyms_are_kept_and_switched(built_mall: Mall, browser: Browser, shots: Path) -> None:
    with open_screen(browser, built_mall, shots, DESK, phone=False) as screen:
        enter(screen, f"{built_mall.origin}/operator", OPERATOR)
        screen.see("nav-synonyms").click()
        expect(screen.see("state-view")).to_be_visible()
        _shoot_both(screen, "desk-synonyms-empty")
        screen.see("synonym-add").click()
        screen.see("synonym-words").fill("毛巾，？")
        screen.see("synonym-save").click()
        expect(screen.see("form-error")).to_be_visible()
        screen.see("synonym-words").fill("番茄，西红柿")
        _shoot_both(screen, "desk-synonym-form")
        screen.see("synonym-save").click()
        entry = screen.see("synonym").first
        expect(entry).to_contain_text("番茄 ＝ 西红柿")
        screen.see("synonym-turn").click()
        expect(entry).to_contain_text("已停用")
        _shoot_both(screen, "desk-synonyms")
        screen.see("delete").click()
        screen.see("delete-sure").click()
        expect(screen.see("state-view")).to_be_visible()


def test_a_pin_is_drafted_previewed_published_and_tapped(
    built_mall: Mall, browser: Browser, shots: Path
) -> None:
    with Client(built_mall.origin, EMPLOYEE) as employee:
        found = [item["product_id"] for item in employee.find("毛巾")]
    with Client(built_mall.origin, "employee1@beta.example") as employee:
        of_beta = [item["product_id"] for item in employee.find("毛巾")]
    first, other = found[0], found[3]
    with open_screen(browser, built_mall, shots, DESK, phone=False) as screen:
        enter(screen, f"{built_mall.origin}/operator/search/rules", OPERATOR)
        expect(screen.see("state-view")).to_be_visible()
        _shoot_both(screen, "desk-rules-empty")
        screen.see("rule-query").fill("毛巾")
        screen.see("rules-open").click()
        screen.see("rule-add").click()
        screen.see("action-boost").click()
        screen.see("product-option").first.wait_for()
        _shoot_both(screen, "desk-rule-form")
        screen.see("action-pin").click()
        screen.see("product-option", product_id=other).click()
        screen.see("rule-save").click()
        expect(screen.see("rule", state="draft")).to_be_visible()
        expect(screen.see("rules-publish")).to_be_visible()
        assert (_first(screen, "preview-present"), _first(screen, "preview-draft")) == (
            first,
            other,
        )
        screen.see("preview-enterprise").select_option(label=BETA)
        expect(screen.see("preview-note")).to_contain_text(BETA)
        assert _first(screen, "preview-present") == of_beta[0]
        assert _first(screen, "preview-draft") == (other if other in of_beta else of_beta[0])
        _shoot_both(screen, "desk-rules-enterprise")
        screen.see("preview-enterprise").select_option("")
        _shoot_both(screen, "desk-rules")
        screen.see("rules-publish").click()
        expect(screen.see("rule", state="published")).to_be_visible()
        expect(screen.see("rules-publish")).to_be_hidden()
        assert _first(screen, "preview-present") == other
        _shoot_both(screen, "desk-rules-published")

    with open_screen(browser, built_mall, shots, PHONE, phone=True) as phone:
        enter(phone, f"{built_mall.origin}/search?q=毛巾", EMPLOYEE)
        with phone.page.expect_request("**/api/v1/search/clicks") as sent:
            phone.see("product-card", product_id=other).tap()
        click = {"query": "毛巾", "product_id": other, "position": 1}
        assert sent.value.post_data_json == click
        expect(phone.see("product-title")).to_be_visible()
        answer = sent.value.response()
        assert answer is not None
        assert answer.status == 204


def test_a_query_that_found_nothing_gets_its_synonym_and_its_pin(
    built_mall: Mall, browser: Browser, shots: Path
) -> None:
    with (
        Client(built_mall.origin, EMPLOYEE) as employee,
        Client(built_mall.origin, OPERATOR) as operator,
    ):
        assert employee.find(NOWHERE) == []
        row = _count_of(operator, "zero-results", NOWHERE)
        assert (row["searches"], row["found_nothing"], row["handled"]) == (1, 1, False)
        with open_screen(browser, built_mall, shots, DESK, phone=False) as screen:
            enter(screen, f"{built_mall.origin}/operator/search/reports", OPERATOR)
            expect(screen.see("report-row", query=NOWHERE)).to_be_visible()
            _shoot_both(screen, "desk-reports")
            screen.see("row-synonym").first.click()
            screen.see("row-words").fill("毛巾")
            _shoot_both(screen, "desk-reports-synonym")
            screen.see("row-save").click()
            expect(screen.see("report-row", query=NOWHERE)).to_contain_text("已处理")
            screen.see("row-pin").first.click()
            screen.see("product-find").fill("龙井")
            tea = screen.see("product-option").first
            expect(tea).to_contain_text("龙井")
            pinned = tea.get_attribute("data-product-id")
            tea.click()
            expect(tea).to_be_hidden()
            screen.see("report-low").click()
            expect(screen.see("state-view")).to_be_visible()
            _shoot_both(screen, "desk-reports-low")
        found = _found_with_first(employee, NOWHERE, str(pinned))
        assert "毛巾" in found[1]["title"]


def test_others_are_told_that_this_is_not_theirs(
    built_mall: Mall, browser: Browser, shots: Path
) -> None:
    with open_screen(browser, built_mall, shots, DESK, phone=False) as screen:
        enter(screen, f"{built_mall.origin}/operator/search/reports", "marketing@bank.example")
        expect(screen.see("state-view")).to_contain_text("这个工作台不属于你现在的身份")
        expect(screen.see("own-console")).to_be_visible()
