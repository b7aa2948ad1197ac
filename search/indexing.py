"""Keeping the index in step with the database: news by product, and whole rebuilds."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kernel import faults
from kernel.db import read_only
from kernel.settings import get_settings
from kernel.tasks import MERGED_AT_MOST
from search import documents
from search.engines.base import ProductChange, RebuildState, SearchEngine, WriteReport
from search.engines.choice import get_engine
from search.suggestion_source import read_suggest_source
from search.suggestions import SuggestionFile, build_list
from shop.services.catalogue import products_of_merchant

# A commit costs about as much as two hundred documents, and a step of a rebuild must stay short.
BATCH = 2_500
# News waits for a whole commit in any case; a part of it is read while the one before is written.
WRITTEN_AT_ONCE, _READ_AT_ONCE = MERGED_AT_MOST, 1_000
_MAKE_DOCUMENTS = (
    "tokens.py",
    "understanding/measures.py",
    "understanding/script.py",
    "documents.py",
    "engines/tantivy_schema.py",
    "engines/elasticsearch_mapping.py",
)
_MAX_SUGGESTED_BRANDS = 5_000
_MAX_SUGGESTED_PRODUCTS = 5_000
# What the words of queries are corrected by is taken from more of them.
_MAX_TITLES = 20_000


@dataclass(frozen=True, slots=True)
class RebuildStep:
    """What one step of a rebuild did; ``generation`` is set when it was the last."""

    written: int
    last_id: int
    generation: str = ""


@lru_cache(maxsize=1)
def documents_fingerprint() -> str:
    """Names the code that makes documents: another code must not continue a rebuild."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in _MAKE_DOCUMENTS:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def index_products(engine: SearchEngine, product_ids: Sequence[int]) -> WriteReport:
    """Read the products again and write them as they are now; older news changes nothing."""
    written = stale = 0
    ids = list(dict.fromkeys(product_ids))
    for start in range(0, len(ids), WRITTEN_AT_ONCE):
        report = engine.write(_read_changes(ids[start : start + WRITTEN_AT_ONCE]))
        written += report.written
        stale += report.stale
    return WriteReport(written, stale)


def _read_changes(product_ids: Sequence[int]) -> Iterator[ProductChange]:
    for start in range(0, len(product_ids), _READ_AT_ONCE):
        with read_only():
            changes = documents.read_changes(product_ids[start : start + _READ_AT_ONCE])
        yield from changes


def index_seller(engine: SearchEngine, merchant_id: int) -> WriteReport:
    """Write all products of a merchant that opened or closed, batch by batch."""
    written = stale = last_id = 0
    while True:
        with read_only():
            ids = products_of_merchant(merchant_id=merchant_id, after=last_id, limit=BATCH)
        if not ids:
            return WriteReport(written, stale)
        report = index_products(engine, ids)
        written += report.written
        stale += report.stale
        last_id = ids[-1]


def begin_rebuild(engine: SearchEngine) -> RebuildState:
    """Start a rebuild beside the live index, or continue one that was interrupted."""
    return engine.begin_rebuild(fingerprint=documents_fingerprint())


def rebuild_step(engine: SearchEngine) -> RebuildStep:
    """Write the next batch of the rebuild under way, or swap when all is written.

    Steps are short, so that news of changes is written between them.

    Raises:
        LookupError: no rebuild is under way.
        IndexBusy: another process goes on with it.
    """
    if engine.rebuild_state() is None:
        raise LookupError("no rebuild is under way")
    # One that other code began is begun again.
    state = begin_rebuild(engine)
    batch = read_batch(state.last_id)
    if batch is None:
        return RebuildStep(0, state.last_id, finish_rebuild(engine))
    return RebuildStep(write_batch(engine, batch, gently=True).written, batch.last_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """Products of a rebuild as the database had them; all up to ``last_id`` are read now."""

    changes: Sequence[ProductChange]
    last_id: int


def read_batch(after: int) -> Batch | None:
    """The next products after an id; ``None`` after the last."""
    with read_only():
        ids = documents.product_ids_after(after, limit=BATCH)
        return Batch(documents.read_changes(ids), ids[-1]) if ids else None


def write_batch(engine: SearchEngine, batch: Batch, *, gently: bool) -> WriteReport:
    """Write products to the generation being built."""
    report = engine.write_rebuild(batch.changes, last_id=batch.last_id, gently=gently)
    faults.point("search_rebuild_after_batch")
    return report


def finish_rebuild(engine: SearchEngine) -> str:
    """Swap, and make the suggestions that go with the new index; returns its name."""
    faults.point("search_rebuild_before_swap")
    generation = engine.swap()
    write_suggestions()
    return generation


@lru_cache(maxsize=8)
def _suggestions_in(folder: Path) -> SuggestionFile:
    return SuggestionFile(folder)


def suggestion_file() -> SuggestionFile:
    """The suggestions beside the index of this process."""
    return _suggestions_in(get_settings().index_dir)


def write_suggestions() -> None:
    """Make the list of suggestions anew from the database."""
    state = get_engine().state()
    with read_only():
        source = read_suggest_source(
            brands=_MAX_SUGGESTED_BRANDS, products=_MAX_SUGGESTED_PRODUCTS, titles=_MAX_TITLES
        )
    suggestion_file().write(build_list(source, made_of=state))
