"""A catalogue of any size from a generated feed, imported as merchants do, beside bare writes."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import tantivy

from app.bench.bare import bare_connection
from app.bench.figures import EMBEDDED, Figure, Say, timed_ms
from app.bench.processes import Ended, run_mall, running
from app.bench.scratch import Scratch, scratch_mall
from app.bench.till import Till, build_till
from kernel.db import read_only, write_transaction
from kernel.worker import WorkerRuns, alone
from merchants.feeds.generator import read_titles, write_feed
from merchants.feeds.importing import BATCH_ROWS
from merchants.services import approve_merchant, create_merchant
from search.documents import product_ids_after, read_changes
from search.engines.base import ListingDocument
from search.engines.choice import get_engine
from search.engines.tantivy_schema import listing_document, open_index
from search.tokens import tokenise
from shop.services.categories import category_tree

_SEED = 2026
_MERCHANT = "feed"
# What an import writes of the feed, in the order in which rows refer to one another.
_TABLES = ("brand", "product", "sku", "offer", "stock", "feed_last_row")
_TEXTS = """
    SELECT p.title, b.name, p.category_id, p.keywords, p.subtitle, group_concat(s.name, ' ')
    FROM product p JOIN sku s ON s.product_id = p.id LEFT JOIN brand b ON b.id = p.brand_id
    GROUP BY p.id"""
_COMMIT_ROWS = 10_000
_READ_IDS = 1_000
_WRITER_HEAP = 100_000_000
_WRITER_THREADS = 2
_NOTHING = Ended({}, 0.0, 0)


@dataclass
class Catalogue:
    """A scratch mall whose catalogue came from ``feed``; ``rows`` are its rows."""

    mall: Scratch
    till: Till
    feed: Path
    rows: int
    idle_rss: int
    first: Ended = _NOTHING
    _worker: ExitStack = field(default_factory=ExitStack)

    @property
    def log(self) -> Path:
        return self.mall.folder / "log"

    def start_worker(self) -> None:
        """Start the worker; returns once it holds the folder."""
        worker = ["app.cli", "worker"]
        self._worker.enter_context(
            running(worker, self.mall.environment, self.log, is_ready=self._worker_runs)
        )

    def stop_worker(self) -> None:
        """Only one may write the index; it runs from the import until something else must."""
        self._worker.close()

    def _worker_runs(self) -> bool:
        try:
            with alone(self.mall.folder):
                return False
        except WorkerRuns:
            return True

    def import_feed(self) -> Ended:
        """``mall feed import`` until all is searchable, its start included."""
        command = ["feed", "import", "--merchant", _MERCHANT, str(self.feed)]
        return run_mall(command, self.mall.environment, self.log)


@contextmanager
def imported_catalogue(*, rows: int, titles: Path | None, say: Say) -> Iterator[Catalogue]:
    """Generate a feed and import it by ``mall feed import`` beside a running worker."""
    with scratch_mall() as mall:
        feed = mall.folder / "feed.csv"
        say(f"catalogue: a feed of {rows:,} rows")
        write_feed(feed, rows, _SEED, read_titles(titles) if titles else None)
        with mall.app.app_context():
            till = build_till(companies=1, buyers=1)
            with write_transaction():
                merchant = create_merchant(
                    code=_MERCHANT,
                    name="大商户",
                    tax_number="91330100MA2BENCH2X",
                    commission_bp=500,
                )
                approve_merchant(merchant_id=merchant.id, freight_minor=0, free_from_minor=None)
        idle = run_mall(["settings"], mall.environment, mall.folder / "log")
        made = Catalogue(mall, till, feed, rows, idle.rss_bytes)
        say("import: from the file until all rows are searchable")
        try:
            made.start_worker()
            made.first = made.import_feed()
            with mall.app.app_context():
                yield made
                get_engine().close()
        finally:
            made.stop_worker()


def import_figures(catalogue: Catalogue, *, say: Say) -> list[Figure]:
    """``import_rate``, ``import_seconds``, ``import_rss`` and ``reimport_rate``."""
    rows, first = catalogue.rows, catalogue.first
    say("import: the same rows into bare SQLite and a bare index, tokenised")
    floor = bare_import_seconds(catalogue)
    say("import: the same file again")
    again = catalogue.import_feed()
    floor_again = bare_compare_seconds(catalogue)
    return [
        Figure(f"import_rate{EMBEDDED}", rows / first.seconds, rows / floor, "rows/s", rows),
        Figure(f"import_seconds{EMBEDDED}", first.seconds, floor, "s", rows),
        memory_figure(catalogue),
        Figure(
            f"reimport_rate{EMBEDDED}",
            rows / again.seconds,
            rows / floor_again,
            "rows/s",
            rows,
        ),
    ]


def memory_figure(catalogue: Catalogue) -> Figure:
    """The importer's largest resident memory, beside that of a command that does nothing."""
    return Figure(
        f"import_rss{EMBEDDED}",
        catalogue.first.rss_bytes,
        catalogue.idle_rss,
        "bytes",
        catalogue.rows,
    )


# --- floors ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Documents:
    """All documents of a catalogue in memory, and what their tokens are made of."""

    texts: list[tuple[str, str, list[str]]]
    listings: list[ListingDocument]


def read_documents(catalogue: Catalogue) -> Documents:
    """Read in the catalogue's application context."""
    listings: list[ListingDocument] = []
    last = 0
    with read_only():
        while ids := product_ids_after(last, limit=_READ_IDS):
            listings += [each for change in read_changes(ids) for each in change.listings]
            last = ids[-1]
        tree = category_tree()
    texts = []
    with closing(sqlite3.connect(catalogue.mall.database)) as connection:
        for title, brand, category_id, *more in connection.execute(_TEXTS):
            names = [*filter(None, (brand,)), *(node.name for node in tree.path(category_id))]
            texts.append((title, " ".join((*names, *more)), names))
    return Documents(texts, listings)


def bare_import_seconds(catalogue: Catalogue) -> float:
    """Inserting the same rows by the driver, tokenising, and writing a bare index."""
    with closing(sqlite3.connect(catalogue.mall.database)) as connection:
        tables = [(name, *_read_table(connection, name)) for name in _TABLES]
    # The other tables are as full as they were for the import; only these are written anew.
    target = catalogue.mall.copy_database("bare-import.db")
    with closing(sqlite3.connect(target)) as connection:
        for name in reversed(_TABLES):
            connection.execute(f"DELETE FROM {name}")  # noqa: S608 -- names from the list above
        connection.commit()
        connection.execute("VACUUM")
    with bare_connection(target) as bare:
        bare.execute("PRAGMA foreign_keys=OFF")  # brands and offers of the till are gone
        inserting = timed_ms(lambda: _insert_tables(bare, tables))
    target.unlink()
    documents = read_documents(catalogue)
    return inserting / 1_000 + bare_index_seconds(documents, catalogue.mall.folder / "bare-index")


def _read_table(connection: sqlite3.Connection, name: str) -> tuple[list[str], list[Any]]:
    cursor = connection.execute(f"SELECT * FROM {name}")  # noqa: S608 -- names from a list
    return [column[0] for column in cursor.description], cursor.fetchall()


def _insert_tables(
    bare: sqlite3.Connection, tables: Sequence[tuple[str, list[str], list[Any]]]
) -> None:
    for name, columns, rows in tables:
        places = ", ".join("?" * len(columns))
        names = ", ".join(f'"{column}"' for column in columns)
        for start in range(0, len(rows), _COMMIT_ROWS):
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany(
                f"INSERT INTO {name} ({names}) VALUES ({places})",  # noqa: S608 -- from the schema
                rows[start : start + _COMMIT_ROWS],
            )
            bare.execute("COMMIT")


def bare_index_seconds(documents: Documents, folder: Path) -> float:
    """Tokenising from memory, then the library's own writer, until it has committed."""
    tokenising = timed_ms(lambda: [tokenise(*text[:2], names=text[2]) for text in documents.texts])
    folder.mkdir(exist_ok=True)
    index = open_index(folder)
    return (tokenising + timed_ms(lambda: _write_index(index, documents.listings))) / 1_000


def _write_index(index: tantivy.Index, listings: Sequence[ListingDocument]) -> None:
    writer = index.writer(_WRITER_HEAP, _WRITER_THREADS)
    for listing in listings:
        writer.add_document(listing_document(listing))
    writer.commit()
    writer.wait_merging_threads()


def bare_compare_seconds(catalogue: Catalogue) -> float:
    """Reading the file, and the last rows of as many codes at a time as the import does."""
    path = catalogue.mall.database

    def compare() -> None:
        with (
            catalogue.feed.open(encoding="utf-8-sig", newline="") as file,
            bare_connection(path) as bare,
        ):
            reader = csv.reader(file)
            code = next(reader).index("SKU编码")
            while batch := list(islice(reader, BATCH_ROWS)):
                places = ", ".join("?" * len(batch))
                bare.execute(
                    "SELECT sku_code, offer_id, columns FROM feed_last_row "  # noqa: S608
                    f"WHERE merchant_id = ? AND sku_code IN ({places})",
                    (catalogue_merchant, *(row[code] for row in batch)),
                ).fetchall()

    with closing(sqlite3.connect(path)) as connection:
        catalogue_merchant = connection.execute(
            "SELECT id FROM merchant WHERE code = ?", (_MERCHANT,)
        ).fetchone()[0]
    return timed_ms(compare) / 1_000
