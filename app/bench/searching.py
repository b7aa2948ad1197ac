"""Searches beside the bare engine's reference query, idle and during a rebuild; freshness."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import tantivy

from app.bench.catalogue import Catalogue, bare_index_seconds, read_documents
from app.bench.figures import EMBEDDED, Figure, Say, percentile, timed_ms
from app.bench.processes import BenchFailed, Client, free_port, listens, run_mall, running
from app.bench.till import PASSPHRASE
from kernel.db import write_transaction
from search import benchmarks
from search.engines.base import ListingDocument, NumberField
from search.engines.choice import get_engine
from search.engines.embedded import EmbeddedEngine, EmbeddedView
from search.engines.tantivy_schema import listing_document, open_index
from search.rebuilding import rebuild_now
from shop.services.catalogue import set_price

_SEED = 2026
_QUERIES = 2_000
_LEAST_QUERIES = 50
_WARM = 20
_CHANGES_A_SECOND = 50
_POLL_SECONDS = 0.002
_SEEN_SECONDS = 30.0
_BARE_CHANGES = 100
Samples = dict[str, list[float]]


def pick_queries(catalogue: Catalogue, path: Path | None) -> list[str]:
    """Lines of a file of real queries; without one, short pieces of the catalogue's titles."""
    chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret
    if path is not None:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        found = [line for line in lines if line]
        return chance.sample(found, min(_QUERIES, len(found)))
    with closing(sqlite3.connect(catalogue.mall.database)) as connection:
        titles = [row[0] for row in connection.execute("SELECT title FROM product ORDER BY id")]
    queries = []
    for title in chance.choices(titles, k=_QUERIES):
        start = chance.randrange(max(len(title) - 2, 1))
        queries.append(title[start : start + chance.randint(2, 6)].strip() or title[:4])
    return queries


def search_figures(
    catalogue: Catalogue, queries: Sequence[str], *, seconds: float, say: Say
) -> list[Figure]:
    """``search_engine``, ``search_service`` and ``search_http``, p50 and p99, in turn."""
    say("search: bare engine, adapter, service, HTTP, query by query")
    port = free_port()
    with running(
        ["app.cli", "web", "--port", str(port)],
        catalogue.mall.environment,
        catalogue.log,
        is_ready=listens(port),
    ):
        client = Client(port)
        client.sign_in(catalogue.till.companies[0][0].actor.login, PASSPHRASE)
        view = _view()
        samples: Samples = {"floor": [], "engine": [], "service": [], "http": []}
        for text in islice(queries, _WARM):
            _search_all_ways(view, client, text)
        deadline = time.perf_counter() + seconds * 4
        for number, text in enumerate(cycle(queries)):
            if number >= _LEAST_QUERIES and time.perf_counter() > deadline:
                break
            for name, passed in _search_all_ways(view, client, text, first=number).items():
                samples[name].append(passed)
        client.close()
    return [
        Figure(
            f"search_{name}_{label}{EMBEDDED}",
            percentile(samples[name], share),
            percentile(samples["floor"], share),
            "ms",
            len(samples[name]),
        )
        for name in ("http", "service", "engine")
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _view() -> EmbeddedView:
    engine = get_engine()
    if not isinstance(engine, EmbeddedEngine):
        raise BenchFailed("this measures the embedded engine")
    return engine.view()


def _search_all_ways(
    view: EmbeddedView, client: Client, text: str, *, first: int = 0
) -> dict[str, float]:
    """Milliseconds of each; they take turns at being first, which finds less in the caches."""
    ways: list[tuple[str, Callable[[], object]]] = [
        ("floor", benchmarks.floor_call(view, text)),
        ("engine", benchmarks.engine_call(view, text)),
        ("service", benchmarks.service_call(text)),
        ("http", lambda: client.get("/api/v1/search", q=text[:100])),
    ]
    start = first % len(ways)
    return {name: timed_ms(way) for name, way in (*ways[start:], *ways[:start])}


# --- rebuild --------------------------------------------------------------------------------


def rebuild_figures(
    catalogue: Catalogue, queries: Sequence[str], *, seconds: float, say: Say
) -> list[Figure]:
    """``rebuild_rate`` alone, and ``search_in_rebuild_p99`` beside the idle one."""
    say("rebuild: alone, and the same documents from memory into a bare index")
    catalogue.stop_worker()
    rebuilt = rebuild_now(get_engine(), anew=True)
    floor = bare_index_seconds(read_documents(catalogue), catalogue.mall.folder / "bare-rebuild")
    say("rebuild: searches beside it")
    idle = _service_samples(queries, until=_for(seconds * 2))
    ended = threading.Event()

    def rebuild() -> None:
        try:
            run_mall(["search", "rebuild"], catalogue.mall.environment, catalogue.log)
        finally:
            ended.set()

    beside = threading.Thread(target=rebuild, name="rebuild")
    beside.start()
    busy = _service_samples(queries, until=ended.is_set)
    beside.join()
    return [
        Figure(
            f"rebuild_rate{EMBEDDED}",
            rebuilt.products / rebuilt.seconds,
            rebuilt.products / floor,
            "products/s",
            rebuilt.products,
        ),
        Figure(
            f"search_in_rebuild_p99{EMBEDDED}",
            percentile(busy, 0.99),
            percentile(idle, 0.99),
            "ms",
            len(busy),
        ),
    ]


def _for(seconds: float) -> Callable[[], bool]:
    deadline = time.perf_counter() + seconds
    return lambda: time.perf_counter() > deadline


def _service_samples(queries: Sequence[str], *, until: Callable[[], bool]) -> list[float]:
    samples: list[float] = []
    for text in cycle(queries):
        samples.append(timed_ms(benchmarks.service_call(text)))
        if len(samples) >= _LEAST_QUERIES and until():
            return samples
    return samples


# --- freshness ------------------------------------------------------------------------------


def freshness_figures(catalogue: Catalogue, *, seconds: float, say: Say) -> list[Figure]:
    """From commit to searchable, at 50 price changes a second, with the worker indexing."""
    say(f"freshness: {_CHANGES_A_SECOND} price changes a second")
    ours = _commit_to_searchable(catalogue, seconds * 2)
    say("freshness: single changes to a bare index")
    floor = _bare_changes(catalogue)
    return [
        Figure(
            f"freshness_p99{EMBEDDED}",
            percentile(ours, 0.99),
            percentile(floor, 0.99),
            "ms",
            len(ours),
        )
    ]


def _commit_to_searchable(catalogue: Catalogue, seconds: float) -> list[float]:
    """Milliseconds for each change; a second thread looks what the index has."""
    chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret
    with closing(sqlite3.connect(catalogue.mall.database)) as connection:
        offers = connection.execute(
            "SELECT offer.public_id, sku.product_id, product.version, offer.price_minor "
            "FROM offer JOIN sku ON sku.id = offer.sku_id JOIN product ON product.id = product_id"
        ).fetchall()
    # One change a product, so that its next version is known.
    picked = {row[1]: row for row in chance.sample(offers, len(offers))}
    waiting: dict[int, tuple[int, float]] = {}
    lock, samples, stopped = threading.Lock(), [], threading.Event()

    def look() -> None:
        while not stopped.is_set() or waiting:
            with lock:
                wanted = dict(waiting)
            held = _view().versions(list(wanted)) if wanted else {}
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
    for number, (offer_id, product_id, version, price) in enumerate(picked.values()):
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


def _in_context(catalogue: Catalogue, work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with catalogue.mall.app.app_context():
            work()

    return run


def _bare_changes(catalogue: Catalogue) -> list[float]:
    """Replace one document, commit and reload, by the library alone on an index as large."""
    documents = read_documents(catalogue)
    folder = catalogue.mall.folder / "bare-changes"
    bare_index_seconds(documents, folder)
    index = open_index(folder)
    writer = index.writer(100_000_000, 1)
    chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret
    return [
        timed_ms(partial(_replace, index, writer, listing))
        for listing in chance.choices(documents.listings, k=_BARE_CHANGES)
    ]


def _replace(index: tantivy.Index, writer: tantivy.IndexWriter, listing: ListingDocument) -> None:
    writer.delete_documents_by_query(
        tantivy.Query.term_query(
            index.schema, NumberField.PRODUCT.value, listing.product_id, "basic"
        )
    )
    writer.add_document(listing_document(listing))
    writer.commit()
    index.reload()
    index.searcher()
