"""A catalogue of any size from a generated feed, imported as merchants do, beside bare writes."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.bench.engines import BareEngine, bare_engine
from app.bench.figures import Figure, Say, timed_ms
from app.bench.parts import Parts, bare_connection, is_server
from app.bench.processes import BenchFailed, Ended, run_mall, running
from app.bench.scratch import Scratch, scratch_mall
from app.bench.till import Till, build_till
from app.health import readiness
from kernel.db import db, read_only, write_transaction
from merchants.feeds.generator import read_titles, write_feed
from merchants.feeds.importing import BATCH_ROWS, SERVER_BATCH_ROWS
from merchants.services import approve_merchant, create_merchant
from search.documents import product_ids_after, read_changes
from search.engines.base import ListingDocument
from search.engines.choice import get_engine
from search.tokens import tokenise
from shop.services.categories import category_tree

_SEED = 2026
_MERCHANT, _OTHER = "feed", "other"
# One row in so many is sold by another merchant as well.
_OTHER_SHARE = 50
# What an import writes of the feed, in the order in which rows refer to one another.
_TABLES = ("brand", "product", "sku", "offer", "stock", "feed_last_row")
_TEXTS = """
    SELECT p.id, p.title, b.name, p.category_id, p.keywords, p.subtitle, s.name
    FROM product p JOIN sku s ON s.product_id = p.id LEFT JOIN brand b ON b.id = p.brand_id
    WHERE p.id > :after AND p.id <= :until ORDER BY p.id, s.id"""
_COMMIT_ROWS = 10_000
_READ_IDS = 1_000
# A title, the rest of the text, and the names among it.
Text = tuple[str, str, list[str]]
_NOTHING = Ended({}, 0.0, 0)


@dataclass
class Catalogue:
    """A scratch mall whose catalogue came from ``feed``; ``rows`` are its rows.

    ``before`` is its database as it was before the import, for the floor to fill.
    """

    mall: Scratch
    till: Till
    feed: Path
    rows: int
    idle_rss: int
    before: str
    bare: BareEngine
    documents: Documents
    first: Ended = _NOTHING
    _worker: ExitStack = field(default_factory=ExitStack)

    @property
    def suffix(self) -> str:
        return self.mall.parts.suffix

    @property
    def log(self) -> Path:
        return self.mall.folder / "log"

    def start_worker(self) -> None:
        """Start the worker; returns once it works."""
        worker = ["app.cli", "worker"]
        self._worker.enter_context(
            running(worker, self.mall.environment, self.log, is_ready=self._worker_runs)
        )

    def stop_worker(self) -> None:
        """Only one may write the index; it runs from the import until something else must."""
        self._worker.close()

    def _worker_runs(self) -> bool:
        with self.mall.app.app_context():
            return bool(readiness("worker")["worker"]["ready"])

    @cached_property
    def bare_index_seconds(self) -> float:
        """Tokenising from memory, then the engine's own writer, until all is searchable."""
        tokenising = self.documents.tokenise_seconds
        self.bare.prepare(self.documents.listings)
        return tokenising + timed_ms(self.bare.write) / 1_000

    def import_feed(self) -> Ended:
        """``mall feed import`` until all is searchable, its start included."""
        return self._import(_MERCHANT, self.feed)

    def add_other_seller(self, titles: Path | None) -> None:
        """Offers of another merchant for some of the products; not part of what is timed."""
        feed = self.mall.folder / "other.csv"
        words = read_titles(titles) if titles else None
        write_feed(feed, max(self.rows // _OTHER_SHARE, 1), _SEED, words, seller=1)
        self._import(_OTHER, feed)

    def _import(self, merchant: str, feed: Path) -> Ended:
        command = ["feed", "import", "--merchant", merchant, str(feed)]
        return run_mall(command, self.mall.environment, self.log)


def make_feed(folder: Path, rows: int, titles: Path | None) -> Path:
    """A feed of so many rows, the same each time, of real titles where a file gives them."""
    feed = folder / "feed.csv"
    write_feed(feed, rows, _SEED, read_titles(titles) if titles else None)
    return feed


@contextmanager
def imported_catalogue(
    parts: Parts, *, feed: Path, rows: int, documents: Documents, say: Say
) -> Iterator[Catalogue]:
    """Import a feed by ``mall feed import`` beside a running worker."""
    with scratch_mall(parts) as mall, ExitStack() as stack:
        with mall.app.app_context():
            till = build_till(companies=1, buyers=1)
            for code, name in ((_MERCHANT, "大商户"), (_OTHER, "小商户")):
                with write_transaction():
                    merchant = create_merchant(
                        code=code, name=name, tax_number="91330100MA2BENCH2X", commission_bp=500
                    )
                    approve_merchant(merchant_id=merchant.id, freight_minor=0, free_from_minor=None)
            bare = stack.enter_context(bare_engine(mall.folder))
        before = stack.enter_context(mall.copy_database("before"))
        idle = run_mall(["settings"], mall.environment, mall.folder / "log")
        made = Catalogue(mall, till, feed, rows, idle.rss_bytes, before, bare, documents)
        say(f"import{parts.suffix}: from the file until all rows are searchable")
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
    rows, first, suffix = catalogue.rows, catalogue.first, catalogue.suffix
    say(f"import{suffix}: the same file again")
    again = catalogue.import_feed()
    if again.answer["unchanged"] != rows:
        raise BenchFailed(f"the same file again changed something: {again.answer}")
    floor_again = bare_compare_seconds(catalogue)
    say(f"import{suffix}: the same rows by the bare driver, and a bare index, tokenised")
    floor = bare_import_seconds(catalogue)
    return [
        Figure(f"import_rate{suffix}", rows / first.seconds, rows / floor, "rows/s", rows),
        Figure(f"import_seconds{suffix}", first.seconds, floor, "s", rows),
        memory_figure(catalogue),
        Figure(f"reimport_rate{suffix}", rows / again.seconds, rows / floor_again, "rows/s", rows),
    ]


def memory_figure(catalogue: Catalogue) -> Figure:
    """The importer's largest resident memory, beside that of a command that does nothing."""
    return Figure(
        f"import_rss{catalogue.suffix}",
        catalogue.first.rss_bytes,
        catalogue.idle_rss,
        "bytes",
        catalogue.rows,
    )


# --- floors ---------------------------------------------------------------------------------


class Documents:
    """All documents of one feed in memory, and what their tokens are made of.

    Read once, in the first catalogue's application context: the same feed makes the same ones on
    all parts.
    """

    @cached_property
    def _read(self) -> tuple[list[Text], list[ListingDocument]]:
        listings: list[ListingDocument] = []
        texts: list[Text] = []
        last = 0
        with read_only():
            while ids := product_ids_after(last, limit=_READ_IDS):
                listings += [each for change in read_changes(ids) for each in change.listings]
                texts += _texts(last, ids[-1])
                last = ids[-1]
        return texts, listings

    @property
    def listings(self) -> list[ListingDocument]:
        return self._read[1]

    @cached_property
    def tokenise_seconds(self) -> float:
        """What making the tokens of all of them takes, from memory."""
        texts, _ = self._read
        started = time.perf_counter()
        for title, rest, names in texts:
            tokenise(title, rest, names=names)
        return time.perf_counter() - started


def _texts(after: int, until: int) -> Iterator[Text]:
    """What the tokens of some products are made of: title, the rest, and its names."""
    tree = category_tree()
    found = db.session.execute(text(_TEXTS), {"after": after, "until": until})
    for _, rows in groupby(found, key=lambda row: row[0]):
        skus = list(rows)
        _, title, brand, category_id, keywords, subtitle, _ = skus[0]
        names = [*filter(None, (brand,)), *(node.name for node in tree.path(category_id))]
        rest = (*names, keywords, subtitle, *(row[-1] for row in skus))
        yield title, " ".join(rest), names


def bare_import_seconds(catalogue: Catalogue) -> float:
    """Inserting the same rows by the driver, tokenising, and writing a bare index."""
    inserting = 0.0
    with (
        bare_connection(catalogue.mall.database_url) as source,
        bare_connection(catalogue.before) as bare,
    ):
        off = "SET foreign_key_checks=0" if is_server(bare) else "PRAGMA foreign_keys=OFF"
        bare.cursor().execute(off)  # brands and offers of the till are there already
        for name in reversed(_TABLES):
            bare.cursor().execute(f"DELETE FROM {name}")  # noqa: S608 -- from the list above
        bare.commit()
        for name in _TABLES:
            inserting += _copy_table(source, bare, name)
    return inserting + catalogue.bare_index_seconds


def _copy_table(source: Any, bare: Any, name: str) -> float:
    """Write a table's rows as they are; reading them is not counted. Returns seconds."""
    seconds = 0.0
    reading = source.cursor()
    reading.execute(f"SELECT * FROM {name}")  # noqa: S608 -- a name from the list above
    columns = [column[0] for column in reading.description]
    names = ", ".join(f"`{column}`" for column in columns)
    places = ", ".join(["%s" if is_server(bare) else "?"] * len(columns))
    statement = f"INSERT INTO {name} ({names}) VALUES ({places})"  # noqa: S608 -- from the schema
    while rows := reading.fetchmany(_COMMIT_ROWS):
        started = time.perf_counter()
        if not is_server(bare):
            bare.execute("BEGIN IMMEDIATE")
        bare.cursor().executemany(statement, rows)
        bare.commit()
        seconds += time.perf_counter() - started
    return seconds


def bare_compare_seconds(catalogue: Catalogue) -> float:
    """Reading the file, and the last rows of as many codes at a time as the import does."""
    with (
        catalogue.feed.open(encoding="utf-8-sig", newline="") as file,
        bare_connection(catalogue.mall.database_url) as bare,
    ):
        cursor = bare.cursor()
        cursor.execute(f"SELECT id FROM merchant WHERE code = '{_MERCHANT}'")  # noqa: S608 -- ours
        merchant_id = cursor.fetchone()[0]
        mark, at_once = ("%s", SERVER_BATCH_ROWS) if is_server(bare) else ("?", BATCH_ROWS)
        started = time.perf_counter()
        reader = csv.reader(file)
        code = next(reader).index("SKU编码")
        while batch := list(islice(reader, at_once)):
            places = ", ".join([mark] * len(batch))
            cursor.execute(
                "SELECT sku_code, offer_id, columns FROM feed_last_row "  # noqa: S608 -- marks
                f"WHERE merchant_id = {mark} AND sku_code IN ({places})",
                (merchant_id, *(row[code] for row in batch)),
            )
            cursor.fetchall()
        return time.perf_counter() - started
