"""Counts of queries on a real database: several processes, days, reports, and forgetting."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.events import purge
from kernel import clock
from kernel.db import db, write_transaction
from kernel.errors import InvalidInput
from search import query_counts
from search.models import SearchQueryDay
from search.query_counts import count_click, count_search, purge_counts, write_counts
from search.reports import After, Span, find_span, low_clicks, zero_results

NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)
DAY = date(2026, 11, 25)
WEEK = Span(DAY - timedelta(days=6), DAY)


@pytest.fixture(autouse=True)
def _nothing_waits(app: Flask) -> Iterator[None]:
    query_counts._waiting.take()
    with clock.frozen(NOON):
        yield


def rows() -> list[tuple[date, str, int, int, int, int]]:
    found = db.session.scalars(
        select(SearchQueryDay).order_by(SearchQueryDay.day, SearchQueryDay.query)
    )
    return [
        (row.day, row.query, row.searches, row.found_nothing, row.clicks, row.places)
        for row in found
    ]


def searched(text: str, times: int, *, nothing: int = 0, clicks: int = 0, place: int = 1) -> None:
    for number in range(times):
        count_search(text, found_nothing=number < nothing)
    for _ in range(clicks):
        count_click(text, place=place)


def test_counts_are_written_in_one_batch_and_added_to_what_is_there() -> None:
    count_search(" 蚕丝被 ", found_nothing=False)
    count_search("蚕丝被", found_nothing=True)
    count_click("蚕丝被", place=7)
    assert rows() == []

    assert write_counts() == 1
    assert rows() == [(DAY, "蚕丝被", 2, 1, 1, 7)]
    assert write_counts() == 0

    # As another process would: the row is there, and what it holds is not read before.
    count_search("蚕丝被", found_nothing=False)
    count_search("绿茶", found_nothing=False)
    assert write_counts() == 2
    assert rows() == [(DAY, "绿茶", 1, 0, 0, 0), (DAY, "蚕丝被", 3, 1, 1, 7)]


def test_a_day_begins_at_midnight_in_china() -> None:
    with clock.frozen(datetime(2026, 11, 25, 15, 59, tzinfo=UTC)):
        count_search("被", found_nothing=False)
    with clock.frozen(datetime(2026, 11, 25, 16, 0, tzinfo=UTC)):
        count_search("被", found_nothing=False)
    write_counts()
    assert [(row[0], row[2]) for row in rows()] == [(DAY, 1), (DAY + timedelta(days=1), 1)]


@pytest.mark.parametrize(
    "text",
    ["13800138000", "李明 138-0013-8000", "ming.li@alpha.example", "单 4001234567", "？", ""],
)
def test_what_could_name_somebody_or_says_nothing_is_not_counted(text: str) -> None:
    count_search(text, found_nothing=True)
    assert write_counts() == 0


def test_queries_are_cut() -> None:
    count_search("被" * 500, found_nothing=False)
    write_counts()
    assert [row[1] for row in rows()] == ["被" * 64]


def test_what_could_not_be_written_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    searched("蚕丝被", 3)

    def fail(_counts: object) -> None:
        raise RuntimeError("away")

    with monkeypatch.context() as broken:
        broken.setattr(query_counts, "_write", fail)
        with pytest.raises(RuntimeError):
            write_counts()
    searched("蚕丝被", 1)
    assert write_counts() == 1
    assert rows() == [(DAY, "蚕丝被", 4, 0, 0, 0)]


def test_counts_are_forgotten_after_180_days() -> None:
    for days in (181, 180, 0):
        with clock.frozen(NOON - timedelta(days=days)):
            count_search("被", found_nothing=False)
    write_counts()
    purge()
    assert [row[0] for row in rows()] == [DAY - timedelta(days=180), DAY]
    with clock.frozen(NOON + timedelta(days=400)), write_transaction():
        assert purge_counts(limit=1) == 1
    assert [row[0] for row in rows()] == [DAY]


# --- reports -------------------------------------------------------------------------------


def test_queries_that_found_nothing_the_most_frequent_first() -> None:
    searched("扫地机", 5, nothing=5)
    searched("蚕丝被", 9, nothing=2, clicks=3, place=4)
    searched("绿茶", 9)
    write_counts()
    with clock.frozen(NOON - timedelta(days=2)):
        searched("扫地机", 2, nothing=2)
    with clock.frozen(NOON - timedelta(days=7)):
        searched("扫地机", 50, nothing=50)
    write_counts()

    found = zero_results(span=WEEK, after=None, limit=10)

    assert [
        (row.query, row.searches, row.found_nothing, row.clicks, row.click_share, row.mean_place)
        for row in found
    ] == [("扫地机", 7, 7, 0, None, None), ("蚕丝被", 9, 2, 3, 0.4286, 4.0)]
    assert [row.handled for row in found] == [False, False]


def test_reports_are_paged_without_a_row_twice_or_lost() -> None:
    for number in range(7):
        searched(f"词{number}", 3 + number % 2, nothing=1 + number % 2)
    write_counts()
    seen: list[str] = []
    after = None
    while True:
        page = zero_results(span=WEEK, after=after, limit=2)
        if not page:
            break
        seen += [row.query for row in page]
        after = After(page[-1].found_nothing, page[-1].query)
    assert seen == ["词1", "词3", "词5", "词0", "词2", "词4", "词6"]


def test_queries_with_few_clicks() -> None:
    searched("常搜", 40, clicks=3)
    searched("正好", 20, clicks=2)
    searched("太少", 19)
    searched("空的", 60, nothing=60)
    searched("半空", 40, nothing=20, clicks=1)
    write_counts()

    found = low_clicks(span=WEEK, min_searches=20, below_percent=10, after=None, limit=10)
    assert [(row.query, row.click_share) for row in found] == [("常搜", 0.075), ("半空", 0.05)]
    more = low_clicks(
        span=WEEK, min_searches=20, below_percent=10, after=After(40, "常搜"), limit=10
    )
    assert [row.query for row in more] == ["半空"]
    wider = low_clicks(span=WEEK, min_searches=19, below_percent=11, after=None, limit=10)
    assert [row.query for row in wider] == ["常搜", "半空", "正好", "太少"]


def test_spans_are_days_in_order_and_bounded() -> None:
    assert find_span(None, None) == Span(DAY - timedelta(days=29), DAY)
    assert find_span(DAY - timedelta(days=91), DAY).last == DAY
    for first, last in (
        (DAY - timedelta(days=92), DAY),
        (DAY, DAY - timedelta(days=1)),
    ):
        with pytest.raises(InvalidInput):
            find_span(first, last)


def test_no_person_is_in_the_counts() -> None:
    columns = set(SearchQueryDay.__table__.columns.keys())
    assert columns == {"id", "day", "query", "searches", "found_nothing", "clicks", "places"}
