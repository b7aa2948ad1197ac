"""Real malls that are killed, and what must still be true of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.running import Mall, fresh_world


@pytest.fixture
def mall(tmp_path: Path) -> Iterator[Mall]:
    """A mall on a world of its own, not started; stopped at the end where it runs."""
    mall = Mall(fresh_world(tmp_path / "var"))
    yield mall
    if mall.process is not None:
        mall.stop()
