"""Counts that wait in a process."""

from datetime import date

import pytest

from search import query_counts
from search.query_counts import WaitingCounts, _Count

DAY = date(2026, 11, 25)


def test_counts_of_one_query_add_up_until_they_are_taken() -> None:
    waiting = WaitingCounts()
    waiting.add((DAY, "被"), _Count(searches=1))
    waiting.add((DAY, "被"), _Count(searches=1, found_nothing=1))
    waiting.add((DAY, "茶"), _Count(clicks=1, places=4))

    assert waiting.take() == {(DAY, "被"): _Count(2, 1, 0, 0), (DAY, "茶"): _Count(0, 0, 1, 4)}
    assert waiting.take() == {}


def test_while_nothing_can_be_written_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_counts, "_MOST_WAITING", 3)
    waiting = WaitingCounts()
    for number in range(9):
        waiting.add((DAY, f"词{number}"), _Count(searches=1))
    waiting.add((DAY, "词1"), _Count(searches=1))

    taken = waiting.take()
    assert [query for _, query in taken] == ["词0", "词1", "词2"]
    assert taken[DAY, "词1"].searches == 2


def test_the_writer_is_woken_by_the_two_hundredth_query() -> None:
    waiting = WaitingCounts()
    for number in range(199):
        waiting.add((DAY, f"词{number}"), _Count(searches=1))
    assert not waiting.wait(0)
    waiting.add((DAY, "词199"), _Count(searches=1))
    assert waiting.wait(0)
    waiting.take()
    assert not waiting.wait(0)
