"""What people search for without finding it, or without opening what they find.

Sums of the counts by day over a span of at most ``MAX_DAYS``, by the index that begins with the
day; paged by the key that they are sorted by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select

from kernel.db import db
from kernel.errors import InvalidInput
from search.models import SearchQueryDay
from search.query_counts import today
from search.rules import Target, current_rules
from search.synonyms import current_synonyms

MAX_DAYS = 92
_SEARCHES = func.sum(SearchQueryDay.searches)
_NOTHING = func.sum(SearchQueryDay.found_nothing)
_FOUND = _SEARCHES - _NOTHING
_CLICKS = func.sum(SearchQueryDay.clicks)
_PLACES = func.sum(SearchQueryDay.places)


@dataclass(frozen=True, slots=True)
class Span:
    """Days in China, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class QueryRow:
    """A query with its sums.

    ``click_share``: clicks for each search that found something, from 0; more than one result
    may be opened. ``mean_place`` of what was opened, from 1. ``handled``: a published rule of
    this query or a synonym of all of it is in use.
    """

    query: str
    searches: int
    found_nothing: int
    clicks: int
    click_share: float | None
    mean_place: float | None
    handled: bool


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before: what it was sorted by, and its query."""

    count: int
    query: str


def find_span(first: date | None, last: date | None) -> Span:
    """The span asked for: by default the thirty days that end today.

    Raises:
        InvalidInput: it ends before it begins, or is longer than ``MAX_DAYS``.
    """
    end = last or today()
    begin = first or end - timedelta(days=29)
    if not 0 <= (end - begin).days < MAX_DAYS:
        message = f"起止日期最多相隔 {MAX_DAYS} 天，先后不能颠倒"
        raise InvalidInput("日期有误", errors=[{"field": "first", "message": message}])
    return Span(begin, end)


def zero_results(*, span: Span, after: After | None, limit: int) -> list[QueryRow]:
    """Queries that found nothing, those that did so most often first."""
    return _rows(span, _NOTHING, [_NOTHING > 0], after, limit)


def low_clicks(
    *, span: Span, min_searches: int, below_percent: int, after: After | None, limit: int
) -> list[QueryRow]:
    """Queries that found something at least ``min_searches`` times, with fewer clicks than
    ``below_percent`` for a hundred of these; those searched for most often first."""
    wanted = [min_searches <= _FOUND, _FOUND * below_percent > _CLICKS * 100]
    return _rows(span, _FOUND, wanted, after, limit)


def sorted_by(row: QueryRow, *, report: str) -> int:
    """What a row of a report stands in its place by: for the cursor of the next page."""
    return row.found_nothing if report == "zero-results" else row.searches - row.found_nothing


def _rows(
    span: Span,
    key: ColumnElement[int],
    having: Sequence[ColumnElement[bool]],
    after: After | None,
    limit: int,
) -> list[QueryRow]:
    statement = (
        select(SearchQueryDay.query, _SEARCHES, _NOTHING, _CLICKS, _PLACES)
        .where(SearchQueryDay.day.between(span.first, span.last))
        .group_by(SearchQueryDay.query)
        .having(and_(*having))
        .order_by(key.desc(), SearchQueryDay.query)
        .limit(limit)
    )
    if after is not None:
        beyond = and_(key == after.count, SearchQueryDay.query > after.query)
        statement = statement.having(or_(key < after.count, beyond))
    rules, synonyms = current_rules().rules, current_synonyms()
    return [
        _row(
            query,
            *map(int, sums),
            handled=Target(query=query) in rules or bool(synonyms.alternatives(query)),
        )
        for query, *sums in db.session.execute(statement)
    ]


def _row(
    query: str, searches: int, nothing: int, clicks: int, places: int, *, handled: bool
) -> QueryRow:
    found = searches - nothing
    return QueryRow(
        query=query,
        searches=searches,
        found_nothing=nothing,
        clicks=clicks,
        click_share=round(clicks / found, 4) if found > 0 else None,
        mean_place=round(places / clicks, 1) if clicks else None,
        handled=handled,
    )
