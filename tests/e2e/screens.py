"""A page in a real browser, by the handles that the frontend keeps for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.functional.running import Mall
from tests.functional.shopper import PASSWORD

PHONE, DESK = (390, 844), (1440, 900)
SLOWEST = 15_000


@dataclass
class Screen:
    """A page, and what went wrong on it."""

    page: Page
    shots: Path
    faults: list[str]
    number: int = 0

    def see(self, handle: str, **data: str) -> Locator:
        wanted = "".join(f'[data-{name.replace("_", "-")}="{v}"]' for name, v in data.items())
        return self.page.locator(f'[data-testid="{handle}"]{wanted}')

    def tap(self, handle: str, **data: str) -> None:
        self.see(handle, **data).first.tap()

    def shot(self, name: str, *, whole: bool = False) -> None:
        """Keep what is seen, once it stands still; nothing may stick out sideways."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(350)  # sheets and pages slide in
        wide, tall = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        size = self.page.viewport_size
        assert size is not None
        if whole:
            # A window as tall as the page: what is fixed to the window's foot stands at the foot.
            self.page.set_viewport_size({"width": size["width"], "height": tall})
        self.number += 1
        self.page.screenshot(path=self.shots / f"{self.number:02d}-{name}.png")
        self.page.set_viewport_size(size)
        # Not the window's own inner width: a phone's grows with what sticks out.
        assert wide <= size["width"], f"{name} is {wide} px wide on {size['width']}"


@contextmanager
def open_screen(
    browser: Browser, mall: Mall, shots: Path, size: tuple[int, int], *, phone: bool
) -> Iterator[Screen]:
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=True,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    page = context.new_page()
    page.set_default_timeout(SLOWEST)
    expect.set_options(timeout=SLOWEST)
    screen = Screen(page, shots, [])

    def check_request(request: Request) -> None:
        if not request.url.startswith((mall.origin, "data:", "blob:")):
            screen.faults.append(f"a call to {request.url}")

    page.on("pageerror", lambda error: screen.faults.append(f"script: {error}"))
    page.on("request", check_request)
    page.on(
        "response",
        lambda answer: (
            screen.faults.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None
        ),
    )
    try:
        yield screen
    finally:
        context.close()
    assert screen.faults == []


def enter(screen: Screen, address: str, login: str) -> None:
    """Open a page as somebody who has not signed in yet; the form leads on to it."""
    screen.page.goto(address)
    type_login(screen, login)
    screen.see("login-submit").click()


def type_login(screen: Screen, login: str) -> None:
    expect(screen.see("login-form")).to_be_visible()
    screen.see("login-input").fill(login)
    screen.see("password-input").fill(PASSWORD)
