"""How often words are searched for, find nothing, and lead to a click: counts by day, of nobody.

A search adds to numbers in its process and touches no database. A thread of the process writes
them every five seconds, or as soon as 200 queries wait, in one transaction that adds to what
other processes wrote. A process that is lost takes its last seconds of counts with it, which a
report does not miss; money or stock would never be counted like this.

Neither a membership nor an address is kept, and a query that could itself name somebody (a long
number, a mail address) is not counted at all. Orders are not counted by query: to know that an
order came of a search one would have to keep who searched for what until the order.
"""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta, timezone

import structlog
from flask import Flask
from sqlalchemy import bindparam, delete, insert, select, update

from kernel import clock
from kernel.db import CommitUnknown, changed_rows, db, insert_once, run, write_transaction
from kernel.retrying import with_retries
from search.models import SearchQueryDay
from search.query_key import query_key
from search.tokens import cut_units

log = structlog.get_logger(__name__)

KEPT = timedelta(days=180)
MAX_PLACE = 1_000
_EVERY_SECONDS = 5.0
_ENOUGH = 200
# While the database is away, counts of more queries than this are let go.
_MOST_WAITING = 10_000
_CHINA = timezone(timedelta(hours=8))
_COULD_BE_SOMEBODY = re.compile(r"[0-9][0-9 -]{5,}[0-9]|@")


@dataclass(slots=True)
class _Count:
    searches: int = 0
    found_nothing: int = 0
    clicks: int = 0
    places: int = 0

    def add(self, other: "_Count") -> None:
        self.searches += other.searches
        self.found_nothing += other.found_nothing
        self.clicks += other.clicks
        self.places += other.places


_Counts = Mapping[tuple[date, str], _Count]


class WaitingCounts:
    """Counts of this process that are not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[date, str], _Count] = {}
        self._enough = threading.Event()

    def add(self, key: tuple[date, str], count: _Count) -> None:
        """Add to a query's count of a day; let go where too many queries wait."""
        with self._lock:
            known = self._counts.get(key)
            if known is not None:
                known.add(count)
            elif len(self._counts) < _MOST_WAITING:
                self._counts[key] = count
                if len(self._counts) >= _ENOUGH:
                    self._enough.set()

    def take(self) -> _Counts:
        """All that wait; they wait no more."""
        with self._lock:
            taken, self._counts = self._counts, {}
            self._enough.clear()
        return taken

    def wait(self, seconds: float) -> bool:
        """Until enough are waiting, or so much time has passed; whether enough are."""
        return self._enough.wait(seconds)


_waiting = WaitingCounts()


def today() -> date:
    """The day in China, where the mall is, by business time."""
    return clock.now().astimezone(_CHINA).date()


def count_search(text: str, *, found_nothing: bool) -> None:
    """Count a search by words."""
    _count(text, _Count(searches=1, found_nothing=int(found_nothing)))


def count_click(text: str, *, place: int) -> None:
    """Count that the result at ``place`` (from 1) of a search by words was opened."""
    _count(text, _Count(clicks=1, places=place))


def _count(text: str, count: _Count) -> None:
    key = query_key(text)
    if cut_units(key) and not _COULD_BE_SOMEBODY.search(key):
        _waiting.add((today(), key), count)


# --- writing -------------------------------------------------------------------------------


_ADD = (
    update(SearchQueryDay)
    .where(
        SearchQueryDay.day == bindparam("the_day"), SearchQueryDay.query == bindparam("the_query")
    )
    .values(
        searches=SearchQueryDay.searches + bindparam("more_searches"),
        found_nothing=SearchQueryDay.found_nothing + bindparam("more_found_nothing"),
        clicks=SearchQueryDay.clicks + bindparam("more_clicks"),
        places=SearchQueryDay.places + bindparam("more_places"),
    )
)
_FIRST = insert(SearchQueryDay).values(searches=0, found_nothing=0, clicks=0, places=0)


def write_counts() -> int:
    """Write what waits, in one transaction; of how many queries. What fails waits on.

    Two processes may add to one row at once: each adds by itself, nothing is read before.
    """
    taken = _waiting.take()
    if not taken:
        return 0
    try:
        with_retries(lambda: _write(taken))
    except CommitUnknown:
        raise  # written or not: rather too few than twice
    except Exception:
        for key, count in taken.items():
            _waiting.add(key, count)
        raise
    return len(taken)


def _write(counts: _Counts) -> None:
    with write_transaction():
        # In one order in every process, so that none waits for another in a ring.
        for day, query in sorted(counts):
            count = counts[day, query]
            added = {
                "the_day": day,
                "the_query": query,
                "more_searches": count.searches,
                "more_found_nothing": count.found_nothing,
                "more_clicks": count.clicks,
                "more_places": count.places,
            }
            if not changed_rows(_ADD, [added]):
                insert_once(_FIRST, {"day": day, "query": query})
                run(_ADD, [added])


def keep_writing(app: Flask) -> None:
    """Write every few seconds, for as long as the process lives; a failure ends nothing."""
    while True:
        _waiting.wait(_EVERY_SECONDS)
        with app.app_context():
            try:
                write_counts()
            except Exception as error:  # noqa: BLE001 -- the thread goes on, whatever it was
                log.warning("counts_not_written", error=f"{type(error).__name__}: {error}"[:200])
                time.sleep(_EVERY_SECONDS)


def start_writing(app: Flask) -> None:
    """For a web process: write its counts from a thread that ends with it."""
    threading.Thread(target=keep_writing, args=(app,), name="query-counts", daemon=True).start()


def purge_counts(*, limit: int = 5000) -> int:
    """Forget counts older than :data:`KEPT`; the caller commits."""
    ids = db.session.scalars(
        select(SearchQueryDay.id).where(SearchQueryDay.day < today() - KEPT).limit(limit)
    ).all()
    if ids:
        run(delete(SearchQueryDay).where(SearchQueryDay.id.in_(ids)))
    return len(ids)
