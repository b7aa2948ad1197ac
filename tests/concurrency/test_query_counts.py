"""Web processes that add to the counts of one query at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

from flask import Flask
from sqlalchemy import select

from kernel.db import db
from kernel.retrying import with_retries
from search.models import SearchQueryDay
from search.query_counts import _Count, _write

DAY = date(2026, 11, 25)
PROCESSES, ROUNDS = 4, 10


def test_nothing_is_lost_or_counted_twice(app: Flask) -> None:
    at_once = Barrier(PROCESSES)

    def be_a_process(number: int) -> None:
        with app.app_context():
            for turn in range(ROUNDS):
                # New rows and known ones, in another order in each process.
                words = [f"词{(number + place) % 5}" for place in range(5)] + [f"新{turn}"]
                counts = {(DAY, word): _Count(searches=1, places=number) for word in words}
                at_once.wait(30)
                with_retries(lambda counts=counts: _write(counts))  # type: ignore[misc]

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(be_a_process, range(PROCESSES)))

    rows = db.session.execute(
        select(SearchQueryDay.query, SearchQueryDay.searches, SearchQueryDay.places)
    )
    found = {query: (searches, places) for query, searches, places in rows}
    assert found == {
        **{f"词{number}": (PROCESSES * ROUNDS, 6 * ROUNDS) for number in range(5)},
        **{f"新{turn}": (PROCESSES, 6) for turn in range(ROUNDS)},
    }
