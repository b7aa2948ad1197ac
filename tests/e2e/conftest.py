"""A real browser before a real mall, and screenshots of what it showed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.functional.running import ROOT, Mall, forget_seeded, running_mall

NAMES = ("chromium", "chromium-browser", "google-chrome")
# What a headless browser on a machine without a display or a sandbox of its own needs, and no
# calls to its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: NOT tried in a browser")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def shots() -> Path:
    """Screenshots go where no commit takes them; those of the last run are replaced."""
    folder = ROOT / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def built_mall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mall]:
    """A running mall with its built pages."""
    if not (ROOT / "frontend" / "dist" / "mall" / "index.html").is_file():
        pytest.fail("the pages are not built: make setup")
    with running_mall(tmp_path_factory.mktemp("browser") / "var") as mall:
        yield mall
    forget_seeded()
