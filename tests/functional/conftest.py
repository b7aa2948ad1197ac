"""A real mall that functional tests share: HTTP in front, the command line beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.running import Mall, forget_seeded, running_mall
from tests.functional.shopper import COLLEAGUE, EMPLOYEE, FINANCE, STRANGER, Client


@pytest.fixture(scope="session")
def real_mall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mall]:
    """``mall up`` on a demo world, for the whole session: tests must not count on its figures."""
    with running_mall(tmp_path_factory.mktemp("mall") / "var") as mall:
        yield mall
    forget_seeded()


@pytest.fixture
def employee(real_mall: Mall) -> Iterator[Client]:
    with Client(real_mall.origin, EMPLOYEE) as client:
        yield client


@pytest.fixture
def colleague(real_mall: Mall) -> Iterator[Client]:
    """Of the same enterprise as ``employee``."""
    with Client(real_mall.origin, COLLEAGUE) as client:
        yield client


@pytest.fixture
def stranger(real_mall: Mall) -> Iterator[Client]:
    """An employee of another enterprise."""
    with Client(real_mall.origin, STRANGER) as client:
        yield client


@pytest.fixture
def finance(real_mall: Mall) -> Iterator[Client]:
    """The enterprise's checker."""
    with Client(real_mall.origin, FINANCE) as client:
        yield client
