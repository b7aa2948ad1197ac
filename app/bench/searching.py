"""Searches beside the bare engine's reference query, idle and during a rebuild; freshness."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from sqlalchemy import bindparam
from sqlalchemy import text as sql

from app.bench.catalogue import Catalogue
from app.bench.engines import BareEngine
from app.bench.figures import Figure, Say, percentile, timed_ms
from app.bench.processes import BenchFailed, Client, free_port, listens, running, start
from app.bench.till import PASSPHRASE
from kernel.db import db, read_only, write_transaction
from search import benchmarks
from search.documents import count_products
from search.engines.choice import get_engine
from search.query_key import query_key
from search.rebuilding import rebuild_now
from search.tokens import tokenise_query
from shop.services.catalogue import set_price

_SEED = 2026
_QUERIES = 2_000
_LEAST_QUERIES = 50
_WARM = 100
# Pieces of titles made for one that is unlike all others.
_PIECES = 8
_STEPS_TOLD = 10
_CHANGES_A_SECOND = 50
_POLL_SECONDS = 0.002
_SEEN_SECONDS = 30.0
_BARE_CHANGES = 100
Samples = dict[str, list[float]]


def pick_queries(path: Path | None, most: int = _QUERIES) -> list[str]:
    """Lines of a file of real queries; without one, short pieces of the catalogue's titles."""
    chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret
    if path is not None:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        found = [line for line in lines if line]
        return chance.sample(found, min(most, len(found)))
    with read_only():
        titles = db.session.scalars(sql("SELECT title FROM product ORDER BY id")).all()
    queries = []
    for title in chance.choices(titles, k=most):
        start = chance.randrange(max(len(title) - 2, 1))
        queries.append(title[start : start + chance.randint(2, 6)].strip() or title[:4])
    return queries


def pick_different(path: Path | None, count: int) -> list[str]:
    """So many different queries, and as many more for warmth as there are and are needed.

    Raises :class:`BenchFailed` where there are not so many.
    """
    picked = pick_queries(path, count * _PIECES if path is None else sys.maxsize)
    known = {query_key(text): text for text in picked}
    found = [text for key, text in known.items() if key]
    if len(found) < count:
        raise BenchFailed(f"there are only {len(found):,} different queries")
    return found[: count + _WARM]


def search_figures(
    catalogue: Catalogue,
    path: Path | None,
    *,
    reference: BareEngine | None,
    seconds: float,
    searches: int | None,
    say: Say,
) -> list[Figure]:
    """``search_engine``, ``search_service`` and ``search_http``, p50 and p99, in turn.

    For four times ``seconds``, or over exactly so many different ``searches`` of the file.
    ``reference``: the engine whose bare query is the floor; None for the catalogue's own.

    Raises:
        BenchFailed: there are not so many different queries.
    """
    suffix = catalogue.suffix
    warm: Iterator[str]
    if searches is None:
        queries = pick_queries(path)
        warm, measured = islice(queries, _WARM), _until(cycle(queries), seconds * 4)
    else:
        queries = pick_different(path, searches)
        # What was searched for in warmth is none of those that are measured.
        warm, measured = iter(queries[searches:]), _told(queries[:searches], suffix, say)
    say(f"search{suffix}: bare engine, adapter, service, HTTP, query by query")
    port = free_port()
    with running(
        ["app.cli", "web", "--port", str(port)],
        catalogue.mall.environment,
        catalogue.log,
        is_ready=listens(port),
    ):
        client = Client(port)
        client.sign_in(catalogue.till.companies[0][0].actor.login, PASSPHRASE)
        ways = _Ways(catalogue.bare, reference or catalogue.bare, client)
        samples: Samples = {"floor": [], "engine": [], "service": [], "http": []}
        for text in warm:
            ways.measure(text, first=0)
        for number, text in enumerate(measured):
            for name, passed in ways.measure(text, first=number).items():
                samples[name].append(passed)
        client.close()
    return [
        Figure(
            f"search_{name}_{label}{suffix}",
            percentile(samples[name], share),
            percentile(samples["floor"], share),
            "ms",
            len(samples[name]),
        )
        for name in ("http", "service", "engine")
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _until(queries: Iterable[str], seconds: float) -> Iterator[str]:
    """Queries for so many seconds from the first one on, and at least ``_LEAST_QUERIES``."""
    deadline = time.perf_counter() + seconds
    for number, text in enumerate(queries):
        if number >= _LEAST_QUERIES and time.perf_counter() > deadline:
            return
        yield text


def _told(queries: Sequence[str], suffix: str, say: Say) -> Iterator[str]:
    """All queries; says how far it is and what time is left."""
    started, step = time.perf_counter(), max(len(queries) // _STEPS_TOLD, 1)
    for number, text in enumerate(queries):
        if number and number % step == 0:
            left = (time.perf_counter() - started) / number * (len(queries) - number)
            say(f"search{suffix}: {number:,} of {len(queries):,} queries, {left:.0f} s left")
        yield text


@dataclass(frozen=True)
class _Ways:
    """The ways to search for one text."""

    bare: BareEngine
    reference: BareEngine
    client: Client

    def measure(self, text: str, *, first: int) -> dict[str, float]:
        """Milliseconds of each; they take turns at being first, which finds less in the caches."""
        ways: list[tuple[str, Callable[[str], Callable[[], object]]]] = [
            ("floor", self.reference.floor_call),
            ("engine", self.bare.engine_call),
            ("service", benchmarks.service_call),
            ("http", self._http_call),
        ]
        start = first % len(ways)
        taken = {}
        for name, prepare in (*ways[start:], *ways[:start]):
            way = prepare(text)
            # How the text was cut for one way must not help the next.
            tokenise_query.cache_clear()
            taken[name] = timed_ms(way)
        return taken

    def _http_call(self, text: str) -> Callable[[], object]:
        return lambda: self.client.get("/api/v1/search", q=text[:100])


# --- rebuild --------------------------------------------------------------------------------


def rebuild_figures(
    catalogue: Catalogue, queries: Sequence[str], *, seconds: float, say: Say
) -> list[Figure]:
    """``rebuild_rate`` alone; ``search_in_rebuild_p99`` beside the idle one, and the rate of the
    rebuild that made room for these searches. Raises :class:`BenchFailed` where a search failed
    or found nothing of what it found before.
    """
    suffix = catalogue.suffix
    say(f"rebuild{suffix}: alone, and the same documents from memory into a bare index")
    catalogue.stop_worker()
    rebuilt = rebuild_now(get_engine(), anew=True)
    alone = rebuilt.products / rebuilt.seconds
    say(f"rebuild{suffix}: searches beside it")
    found: dict[str, int] = {}
    idle = _service_samples(queries, found, until=_for(seconds * 2))
    busy, gentle = _searches_in_rebuild(catalogue, queries, found, seconds * 8)
    return [
        Figure(
            f"rebuild_rate{suffix}",
            alone,
            rebuilt.products / catalogue.bare_index_seconds,
            "products/s",
            rebuilt.products,
        ),
        Figure(f"rebuild_gentle_rate{suffix}", gentle, alone, "products/s", rebuilt.products),
        Figure(
            f"search_in_rebuild_p99{suffix}",
            percentile(busy, 0.99),
            percentile(idle, 0.99),
            "ms",
            len(busy),
        ),
    ]


def _searches_in_rebuild(
    catalogue: Catalogue, queries: Sequence[str], found: dict[str, int], seconds: float
) -> tuple[list[float], float]:
    """Milliseconds of searches while another process rebuilds, and its products a second.

    A rebuild that takes longer than ``seconds`` is left unfinished.
    """
    engine = get_engine()
    command = ["app.cli", "search", "rebuild", "--json"]
    started = time.perf_counter()
    process = start(command, catalogue.mall.environment, catalogue.log)
    try:
        while engine.rebuild_state() is None and process.poll() is None:
            time.sleep(_POLL_SECONDS)
        late = _for(seconds)
        busy = _service_samples(queries, found, until=lambda: late() or process.poll() is not None)
        passed = time.perf_counter() - started
        state = engine.rebuild_state()
    finally:
        process.terminate()
        process.wait()
    if process.returncode not in {0, -signal.SIGTERM}:
        raise BenchFailed(f"mall search rebuild ended with {process.returncode}")
    with read_only():
        written = state.written if state is not None else count_products()
    engine.abandon_rebuild()
    return busy, written / passed


def _for(seconds: float) -> Callable[[], bool]:
    deadline = time.perf_counter() + seconds
    return lambda: time.perf_counter() > deadline


def _service_samples(
    queries: Sequence[str], found: dict[str, int], *, until: Callable[[], bool]
) -> list[float]:
    """Milliseconds of whole searches; ``found`` keeps the totals that the first ones had."""
    samples: list[float] = []
    for text in cycle(queries):
        call = benchmarks.service_call(text)
        started = time.perf_counter()
        total = call()
        samples.append((time.perf_counter() - started) * 1_000)
        if total == 0 < found.setdefault(text, total):
            raise BenchFailed(f"a search for {text!r} found nothing of what it found before")
        if len(samples) >= _LEAST_QUERIES and until():
            return samples
    return samples


# --- freshness ------------------------------------------------------------------------------


def freshness_figures(catalogue: Catalogue, *, seconds: float, say: Say) -> list[Figure]:
    """From commit to searchable, at 50 price changes a second, with the worker indexing."""
    suffix = catalogue.suffix
    say(f"freshness{suffix}: {_CHANGES_A_SECOND} price changes a second")
    ours = _commit_to_searchable(catalogue, seconds * 2)
    bare_seconds = catalogue.bare_index_seconds
    say(f"freshness{suffix}: single changes to a bare index, made in {bare_seconds:.0f} s")
    change = catalogue.bare.change()
    floor = [timed_ms(change) for _ in range(_BARE_CHANGES)]
    return [
        Figure(
            f"freshness_p99{suffix}",
            percentile(ours, 0.99),
            percentile(floor, 0.99),
            "ms",
            len(ours),
        )
    ]


def _commit_to_searchable(catalogue: Catalogue, seconds: float) -> list[float]:
    """Milliseconds for each change; a second thread looks what the index has."""
    chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret
    # One change a product, so that its next version is known.
    picked = _some_offers(chance, most=int(_CHANGES_A_SECOND * seconds) + 1)
    waiting: dict[int, tuple[int, float]] = {}
    lock, samples, stopped = threading.Lock(), [], threading.Event()

    def look() -> None:
        while not stopped.is_set() or waiting:
            with lock:
                wanted = dict(waiting)
            held = catalogue.bare.versions(list(wanted)) if wanted else {}
            seen = time.perf_counter()
            for product_id, (version, committed) in wanted.items():
                if held.get(product_id, 0) >= version:
                    samples.append((seen - committed) * 1_000)
                    with lock:
                        del waiting[product_id]
                elif seen - committed > _SEEN_SECONDS:
                    return
            time.sleep(_POLL_SECONDS)

    looking = threading.Thread(target=_in_context(catalogue, look), name="looking")
    looking.start()
    started = time.perf_counter()
    for number, (offer_id, product_id, version, price) in enumerate(picked):
        due = started + number / _CHANGES_A_SECOND
        if due > started + seconds:
            break
        time.sleep(max(due - time.perf_counter(), 0))
        with write_transaction():
            set_price(offer_id=offer_id, price_minor=price + 1)
        with lock:
            waiting[product_id] = (version + 1, time.perf_counter())
    stopped.set()
    looking.join()
    if waiting:
        raise BenchFailed(f"{len(waiting)} changes were not searchable after {_SEEN_SECONDS} s")
    return samples


def _some_offers(chance: random.Random, *, most: int) -> list[tuple[str, int, int, int]]:
    """An offer each of random products, with the product, its version and the price."""
    with read_only():
        last = db.session.scalar(sql("SELECT max(id) FROM product")) or 0
        wanted = chance.sample(range(1, last + 1), min(most * 2, last))
        found = db.session.execute(
            sql(
                "SELECT o.public_id, s.product_id, p.version, o.price_minor FROM offer o "
                "JOIN sku s ON s.id = o.sku_id JOIN product p ON p.id = s.product_id "
                "WHERE p.id IN :wanted"
            ).bindparams(bindparam("wanted", expanding=True)),
            {"wanted": wanted},
        )
        one_each = {row[1]: tuple(row) for row in found}
    picked = list(one_each.values())
    chance.shuffle(picked)
    return picked[:most]


def _in_context(catalogue: Catalogue, work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with catalogue.mall.app.app_context():
            work()

    return run
