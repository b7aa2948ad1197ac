"""Importing a merchant's feed: in small committed batches, resumable, comparing with the last row.

This is an edge, like a task: it opens its own transactions, one for each batch. A batch holds the
writer's place for milliseconds, so a checkout never waits for an import (Domain rule 29).
"""

from __future__ import annotations

import csv
import fcntl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from kernel import clock, faults
from kernel.db import read_only, write_transaction
from kernel.retrying import with_retries
from kernel.settings import get_settings
from merchants.feeds import memory
from merchants.feeds.columns import detect_columns, missing_columns
from merchants.feeds.memory import BadRecord, Progress, Run
from merchants.feeds.problems import (
    FeedEmpty,
    FeedHeadersMissing,
    FeedImportRunning,
    FeedTooManyErrors,
)
from merchants.feeds.readers import FeedFile, Record, open_feed
from merchants.feeds.rows import (
    BadRow,
    FeedRow,
    RowParser,
    changed_fields,
    encode_row,
    parse_attributes,
)
from merchants.feeds.seen import SeenCodes
from shop.services.catalogue_import import CatalogueRow, RowChange, apply_rows
from shop.services.categories import CategoryNode
from shop.services.category_names import CategoryNames, load_tax_codes

# On SQLite a batch keeps all other writers out, so it is small. A server locks the batch's rows.
BATCH_ROWS, SERVER_BATCH_ROWS = 300, 1000
# A pause after each batch that wrote. Another process that waits for SQLite's lock asks again in
# growing steps, so without one it may miss every gap: its p99 wait was 700 ms, and is 50 ms with
# this, for a tenth of the import's rate.
PAUSE_SECONDS = 0.008
# A product's rows stay together, unless there are very many of them: then it is cut at this times
# a batch.
MOST_BATCHES_IN_ONE = 2
# Rows that are looked at before anything is written: a wrong file moves nothing.
FIRST_LOOK_ROWS = 1000
# A run that only finds unchanged rows saves its place this often.
SAVE_EVERY_ROWS = 4000
MAX_BAD_SHARE = 0.2
MIN_BAD_ROWS = 20
ERROR_HEADER = "错误"

PictureOf = Callable[[str], str]
OnProgress = Callable[[Progress, int], None]


@dataclass(slots=True)
class ImportResult:
    """What an import did. ``warnings`` counts, by text, what was accepted with a doubt."""

    run_id: str
    dry_run: bool
    progress: Progress
    resumed_from: int = 0
    warnings: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        return {
            "new": self.progress.new,
            "changed": self.progress.changed,
            "unchanged": self.progress.unchanged,
            "bad": self.progress.bad,
            "rows": self.progress.rows,
            "dry_run": self.dry_run,
            "run_id": self.run_id or None,
            "resumed_from": self.resumed_from,
            "warnings": [{"text": t, "rows": n} for t, n in self.warnings.most_common(50)],
        }


@dataclass(slots=True)
class _Batch:
    rows: list[tuple[int, list[str], FeedRow]] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)
    last_number: int = 0

    @property
    def seen(self) -> int:
        return len(self.rows) + len(self.bad)


@dataclass(slots=True)
class _Plan:
    """What a batch comes to: changes with the rows to be kept, and counts."""

    changes: list[RowChange] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    unchanged: int = 0
    bad: list[BadRecord] = field(default_factory=list)


def no_picture(_reference: str) -> str:
    """Pictures are fetched later; until then the category's object stands for them."""
    return ""


def ignore_progress(_progress: Progress, _lines: int) -> None:
    """For callers that show none."""


def import_feed(
    *,
    merchant_code: str,
    path: Path,
    dry_run: bool = False,
    errors_path: Path | None = None,
    max_bad_share: float = MAX_BAD_SHARE,
    picture_of: PictureOf = no_picture,
    on_progress: OnProgress = ignore_progress,
) -> ImportResult:
    """Import a file; the same file goes on where an interrupted run stopped.

    ``picture_of`` turns a row's 主图 into a file name under the media folder, or nothing.
    ``errors_path`` gets the bad rows as they stood, with a column saying what is wrong.
    Raises the problems of ``merchants.feeds.problems``; FeedTooManyErrors once more than
    ``max_bad_share`` of the rows are bad.
    """
    with read_only():
        merchant_id = memory.find_approved_merchant(merchant_code)
        remembered = memory.recall_headers(merchant_id)
        feed = open_feed(path, lambda header: len(detect_columns(header, remembered)))
        columns = detect_columns(feed.header, remembered)
        missing = missing_columns(columns)
        if missing:
            raise FeedHeadersMissing(
                f"表头缺少：{'、'.join(missing)}",
                errors=[{"field": name, "message": "缺少这一列"} for name in missing],
            )
        resolver = _Resolver(
            names=CategoryNames(),
            remembered=memory.recall_categories(merchant_id),
            tax_codes=load_tax_codes(),
            picture_of=picture_of,
        )
    with _only_one_import(merchant_id):
        run = Run(0, "") if dry_run else _begin(merchant_id, feed)
        work = _Import(merchant_id, feed, RowParser(columns, len(feed.header)), resolver, run)
        work.max_bad_share, work.on_progress = max_bad_share, on_progress
        work.resumed_from = run.progress.row_number
        with _error_writer(errors_path, feed.header) as write_errors:
            try:
                work.run_all(write_errors if dry_run else None)
            finally:
                if not dry_run:
                    _export_errors(run, write_errors)
        if not dry_run:
            with write_transaction():
                fields = {position: name for name, position in columns.items()}
                mapping = {feed.header[position]: name for position, name in fields.items()}
                memory.remember_headers(merchant_id, mapping)
    return ImportResult(run.public_id, dry_run, run.progress, work.resumed_from, resolver.warnings)


def _begin(merchant_id: int, feed: FeedFile) -> Run:
    with write_transaction():
        return memory.begin_run(
            merchant_id, file_name=feed.path.name, digest=feed.digest, at=clock.real_now()
        )


class _Resolver:
    """From a feed's row to the catalogue's: category, tax code, unit, picture."""

    def __init__(
        self,
        *,
        names: CategoryNames,
        remembered: dict[str, int],
        tax_codes: frozenset[str],
        picture_of: PictureOf,
    ) -> None:
        self._names = names
        self._remembered = remembered
        self._tax_codes = tax_codes
        self._picture_of = picture_of
        self._found: dict[str, CategoryNode | None] = {}
        self.warnings: Counter[str] = Counter()

    def _category(self, text: str) -> CategoryNode:
        """By the remembered mapping, then by name, else 其他 with a warning."""
        if text not in self._found:
            chosen = self._names.by_id(self._remembered.get(text, 0))
            if len(self._found) > 20_000:
                self._found.clear()
            self._found[text] = chosen or self._names.find(text)
        found = self._found[text]
        if found is not None:
            return found
        self.warnings[f"类目“{text}”没有对应，放入“{self._names.fallback.name}”"] += 1
        return self._names.fallback

    def resolve(self, row: FeedRow) -> CatalogueRow:
        """Raises BadRow for a tax code that has no rate."""
        category = self._category(row.category)
        if row.tax_code and self._tax_codes and row.tax_code not in self._tax_codes:
            raise BadRow(f"税收分类编码 {row.tax_code} 不在税率表里")
        return CatalogueRow(
            product_code=row.product_code,
            sku_code=row.sku_code,
            title=row.title,
            category_id=category.id,
            price_minor=row.price_minor,
            list_price_minor=row.list_price_minor,
            stock=row.stock,
            tax_code=row.tax_code or category.tax_code,
            unit=row.unit or category.unit,
            spec=row.spec,
            brand=row.brand,
            subtitle=row.subtitle,
            description=row.description,
            keywords=row.keywords,
            image=self._picture_of(row.image) if row.image else "",
            barcode=row.barcode or None,
            attributes=parse_attributes(row.attributes),
        )


# A change of these columns of the feed changes these fields of the catalogue.
_CAUSES = {
    "category": ("category_id", "tax_code", "unit"),
    "image": ("image",),
    "attributes": (),
    "gallery": (),
}


class _Import:
    """One run over one file."""

    def __init__(
        self, merchant_id: int, feed: FeedFile, parser: RowParser, resolver: _Resolver, run: Run
    ) -> None:
        self._merchant_id = merchant_id
        self._feed = feed
        self._parser = parser
        self._resolver = resolver
        self._run = run
        self._seen = SeenCodes()
        self._unsaved = 0
        self._exclusive = get_settings().is_sqlite
        self._batch_rows = BATCH_ROWS if self._exclusive else SERVER_BATCH_ROWS
        self.max_bad_share = MAX_BAD_SHARE
        self.on_progress: OnProgress = ignore_progress
        self.resumed_from = 0

    def run_all(self, write_errors: Callable[[Sequence[BadRecord]], None] | None) -> None:
        """``write_errors`` is given for a dry run, whose bad rows are kept nowhere else."""
        batches = self._batches()
        first = list(islice(batches, FIRST_LOOK_ROWS // self._batch_rows))
        if not first and not self.resumed_from:
            if not self._run.id:
                raise FeedEmpty
            self._save(memory.DONE)
            raise FeedEmpty
        self._check_share(
            sum(len(batch.bad) for batch in first) + self._run.progress.bad,
            sum(batch.seen for batch in first) + self._run.progress.rows,
        )
        for batch in chain(first, batches):
            plan = self._plan(batch)
            progress = self._run.progress
            bad = progress.bad + len(plan.bad)
            self._check_share(bad, progress.rows + batch.seen)
            if write_errors is not None:
                self._count(batch, plan)
                write_errors(plan.bad)
            else:
                self._commit(batch, plan)
            self.on_progress(progress, self._feed.lines)
        if self._run.id:
            self._save(memory.DONE)

    def _batches(self) -> Iterator[_Batch]:
        """Parsed rows, from where the run stopped; a product's neighbouring rows together.

        Rows before that are parsed again, to know the SKU codes that have been there.
        """
        batch, last_code = _Batch(), ""
        for record in self._feed.records():
            done = record.number <= self.resumed_from
            try:
                row = self._parse(record)
            except BadRow as error:
                if done:
                    continue
                batch.bad.append(BadRecord(record.number, record.cells, str(error)))
                batch.last_number = record.number
                continue
            if done:
                continue
            full = batch.seen >= self._batch_rows and row.product_code != last_code
            if full or batch.seen >= MOST_BATCHES_IN_ONE * self._batch_rows:
                yield batch
                batch = _Batch()
            batch.rows.append((record.number, record.cells, row))
            batch.last_number = record.number
            last_code = row.product_code
        if batch.seen:
            yield batch

    def _parse(self, record: Record) -> FeedRow:
        if record.error:
            raise BadRow(record.error)
        row = self._parser.parse(record.cells)
        if not self._seen.add(row.sku_code):
            raise BadRow(f"SKU编码 {row.sku_code} 在文件里出现了不止一次")
        return row

    def _plan(self, batch: _Batch) -> _Plan:
        """Compare with the merchant's last rows. Only one import runs for a merchant, so reading
        them before the batch's transaction is safe.
        """
        plan = _Plan(bad=list(batch.bad))
        with read_only():
            kept = memory.recall_rows(self._merchant_id, [row.sku_code for _, _, row in batch.rows])
        for number, cells, row in batch.rows:
            columns = encode_row(row)
            offer_id, before = kept.get(row.sku_code, (None, ""))
            if before == columns:
                plan.unchanged += 1
                continue
            try:
                plan.changes.append(self._change(row, offer_id, before))
            except BadRow as error:
                plan.bad.append(BadRecord(number, cells, str(error)))
            else:
                plan.columns.append(columns)
        plan.bad.sort(key=lambda record: record.number)
        return plan

    def _change(self, row: FeedRow, offer_id: int | None, before: str) -> RowChange:
        resolved = self._resolver.resolve(row)
        if offer_id is None:
            return RowChange(resolved)
        differing = changed_fields(before, row)
        if "product_code" in differing:
            raise BadRow(f"SKU编码 {row.sku_code} 已属于另一个商品编码")
        fields = {cause for name in differing for cause in _CAUSES.get(name, (name,))}
        return RowChange(resolved, offer_id, frozenset(fields))

    def _commit(self, batch: _Batch, plan: _Plan) -> None:
        self._unsaved += batch.seen
        if not plan.changes and not plan.bad and self._unsaved < SAVE_EVERY_ROWS:
            self._count(batch, plan)
            return
        self._count(batch, plan)
        with_retries(lambda: self._write(plan))
        self._unsaved = 0
        faults.point("feed_import_after_batch")
        if self._exclusive:
            time.sleep(PAUSE_SECONDS)

    def _write(self, plan: _Plan) -> None:
        """One batch. Where nobody can tell whether it was committed the run stops here; the same
        file goes on with it."""
        with write_transaction():
            if plan.changes:
                offer_ids = apply_rows(
                    merchant_id=self._merchant_id, changes=plan.changes, at=clock.now()
                )
                self._keep_rows(plan, offer_ids)
            memory.keep_errors(self._run, plan.bad)
            memory.keep_progress(self._run, at=clock.real_now())

    def _keep_rows(self, plan: _Plan, offer_ids: Sequence[int]) -> None:
        new, changed = [], []
        for change, offer_id, columns in zip(plan.changes, offer_ids, plan.columns, strict=True):
            if change.offer_id is None:
                new.append((change.row.sku_code, offer_id, columns))
            else:
                changed.append((change.row.sku_code, columns))
        memory.keep_rows(self._merchant_id, new=new, changed=changed)

    def _count(self, batch: _Batch, plan: _Plan) -> None:
        progress = self._run.progress
        added = sum(change.offer_id is None for change in plan.changes)
        progress.new += added
        progress.changed += len(plan.changes) - added
        progress.unchanged += plan.unchanged
        progress.bad += len(plan.bad)
        progress.row_number = batch.last_number

    def _check_share(self, bad: int, rows: int) -> None:
        if bad < MIN_BAD_ROWS or bad <= self.max_bad_share * rows:
            return
        if self._run.id:
            self._save(memory.STOPPED)
        progress = self._run.progress
        raise FeedTooManyErrors(
            f"前 {rows} 行里有 {bad} 行有错，超过 {self.max_bad_share:.0%}，已停止",
            extra={
                "new": progress.new,
                "changed": progress.changed,
                "unchanged": progress.unchanged,
                "bad": bad,
            },
        )

    def _save(self, state: str) -> None:
        with write_transaction():
            memory.keep_progress(self._run, at=clock.real_now(), state=state)


@contextmanager
def _only_one_import(merchant_id: int) -> Iterator[None]:
    """Held by the process, so a killed import leaves nothing locked."""
    folder = get_settings().data_dir / "feeds"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{merchant_id}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FeedImportRunning(retry_after=5) from None
        yield


@contextmanager
def _error_writer(
    path: Path | None, header: Sequence[str]
) -> Iterator[Callable[[Sequence[BadRecord]], None]]:
    """Writes bad rows as they stood, with the reason behind them; UTF-8 with BOM for Excel."""
    if path is None:
        yield lambda _bad: None
        return
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, ERROR_HEADER])

        def write(bad: Sequence[BadRecord]) -> None:
            for record in bad:
                filling = [""] * (len(header) - len(record.cells))
                writer.writerow(
                    [*record.cells, *filling, f"第 {record.number} 行：{record.message}"]
                )

        yield write


def _export_errors(run: Run, write: Callable[[Sequence[BadRecord]], None]) -> None:
    last = 0
    with read_only():
        while page := memory.errors_after(run, last):
            write(page)
            last = page[-1].number
