"""What counts as going on with a search instead of beginning one."""

from typing import Any

import pytest

from search.requests import SearchRequest, SortBy


@pytest.mark.parametrize(
    "chosen",
    [
        {"categories": ("cat_1",)},
        {"brands": ("brd_1",)},
        {"merchants": ("mer_1",)},
        {"attributes": (("颜色", ("墨绿",)),)},
        {"prices": ((None, 5_000),)},
        {"price_min": 0},
        {"price_max": 100},
        {"in_stock": True},
        {"pot": "pot_1"},
        {"verbatim": True},
        {"sort": SortBy.SALES},
    ],
)
def test_whatever_is_chosen_narrows(chosen: dict[str, Any]) -> None:
    assert SearchRequest("被", **chosen).is_narrowed


@pytest.mark.parametrize("asked", [{}, {"sort": SortBy.RELEVANCE}, {"limit": 5, "cursor": "x"}])
def test_words_alone_narrow_nothing(asked: dict[str, Any]) -> None:
    assert not SearchRequest("被", **asked).is_narrowed
