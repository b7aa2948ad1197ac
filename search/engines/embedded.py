"""The engine in the process: a tantivy index on disk, many readers, one writer.

Readers look at two file stamps before each search and reopen when the index was committed to
or swapped. The writer is whichever process holds the lock of the folder (the worker); every
write is committed before it returns.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import tantivy

from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Between,
    Candidate,
    Clause,
    EngineQuery,
    EngineResult,
    Hit,
    IndexBusy,
    NoneOf,
    NumberField,
    ProductChange,
    RebuildState,
    Sort,
    TermStatistics,
    TokenField,
    WriteReport,
    newest_changes,
    order_ties,
)
from search.engines.generations import GenerationStore
from search.engines.shown import read_shown
from search.engines.tantivy_facets import Counts, Pass, plan_passes
from search.engines.tantivy_schema import (
    SHOWN,
    TOMBSTONE,
    VERSION,
    compile_clause,
    compile_scored,
    listing_document,
    open_index,
    tombstone_document,
)

_WRITER_HEAP = 100_000_000
_PART = 500
_COUNTING_THREADS = 4
_PRODUCT = NumberField.PRODUCT.value
_IS_TOMBSTONE = AnyValue(NumberField.TOMBSTONE, (1,))
# Of the listings of a product exactly one has rank 0, and all have the same version.
_SPEAKS_FOR_PRODUCT = AnyOf((AnyValue(NumberField.RANK, (0,)), _IS_TOMBSTONE))
_REOPEN_TRIES = 5


@lru_cache(maxsize=1)
def _counters(_process: int) -> ThreadPoolExecutor:
    """Threads of this process; those of the process that it was forked from are not here."""
    return ThreadPoolExecutor(_COUNTING_THREADS, thread_name_prefix="facets")


class EmbeddedView:
    """One committed state of the index."""

    def __init__(self, searcher: tantivy.Searcher, generation: str) -> None:
        # The stubs know neither a result's count nor that these columns hold whole numbers.
        self._searcher: Any = searcher
        self._generation = generation
        self._tombstones: int = self._searcher.doc_freq(TOMBSTONE, 1)

    @property
    def generation(self) -> str:
        """The name of the generation that this state belongs to."""
        return self._generation

    @property
    def searcher(self) -> Any:
        """The library's own searcher, for measuring what it takes without this adapter."""
        return self._searcher

    @property
    def size(self) -> int:
        """Number of listings."""
        documents: int = self._searcher.num_docs
        return documents - self._tombstones

    def search(self, query: EngineQuery) -> EngineResult:
        """Hits in order, the exact total and the facet counts of one query.

        Facets are counted beside the search for hits: the library holds no lock meanwhile.
        """
        passes = plan_passes(query.facets)
        counters = _counters(os.getpid())
        counting = [counters.submit(self._count_facets, each) for each in passes]
        hits, total = self._hits(query)
        counts = {name: found for each in counting for name, found in each.result().items()}
        return EngineResult(hits=hits, total=total, facets=counts)

    def searches(self, queries: Sequence[EngineQuery]) -> list[EngineResult]:
        """Several searches, one after the other."""
        return [self.search(query) for query in queries]

    def _count_facets(self, one: Pass) -> dict[str, Counts]:
        query = compile_clause(self._living(one.where))
        return one.read(self._searcher.aggregate(query, one.aggregations()))

    def count(self, where: Clause) -> int:
        """The exact number of listings that match."""
        found = self._searcher.search(compile_clause(self._living(where)), limit=1, count=True)
        return int(found.count)

    def counts(self, filters: Sequence[Clause], *, up_to: int = 1) -> list[int]:
        """Of each filter, how many listings match it, at most ``up_to``."""
        return [min(self.count(each), up_to) for each in filters]

    def statistics(self, tokens: Mapping[TokenField, Sequence[str]]) -> TermStatistics:
        """How rare the tokens of each field are (deleted listings may still be counted)."""
        frequency = self._searcher.doc_freq
        return TermStatistics(
            listings=self.size,
            frequencies={
                field: {token: frequency(field.value, token) for token in values}
                for field, values in tokens.items()
            },
        )

    def candidates(self, hits: Sequence[Hit]) -> list[Candidate]:
        """Texts and numbers of hits of this view, in their order."""
        return [read_shown(self._searcher.doc(hit.address).get_first(SHOWN)) for hit in hits]

    def versions(self, product_ids: Sequence[int]) -> dict[int, int]:
        """The version held of each product, tombstones included; absent ones are left out."""
        if not product_ids or not self._searcher.num_docs:
            return {}
        wanted = AllOf((AnyValue(NumberField.PRODUCT, tuple(product_ids)), _SPEAKS_FOR_PRODUCT))
        found = self._searcher.search(
            compile_clause(wanted), limit=len(product_ids), count=False, order_by_field=VERSION
        )
        if not found.hits:
            return {}
        addresses = [address for _, address in found.hits]
        products = self._searcher.fast_field_values(_PRODUCT, addresses)
        return {
            product: version for product, (version, _) in zip(products, found.hits, strict=True)
        }

    def _living(self, where: Clause) -> Clause:
        return AllOf((where, NoneOf((_IS_TOMBSTONE,)))) if self._tombstones else where

    def _hits(self, query: EngineQuery) -> tuple[tuple[Hit, ...], int]:
        where = self._living(query.where)
        # Tantivy refuses a limit of 0; a query for counts alone asks for one and drops it.
        limit = max(query.limit, 1)
        if query.sort is None:
            compiled = (
                compile_scored(where, query.scores) if query.scores else compile_clause(where)
            )
            found = self._searcher.search(compiled, limit=limit, count=query.count)
            total = int(found.count) if query.count else 0
        else:
            found, total = self._sorted(where, query.sort, limit=limit, count=query.count)
        return self._read_hits(found.hits[: query.limit], scored=query.sort is None), total

    def _sorted(self, where: Clause, sort: Sort, *, limit: int, count: bool) -> tuple[Any, int]:
        """One page of a sorted list; the total is of the whole list, not of what is left."""
        page, total = where, 0
        if sort.after is not None:
            if count:
                total = self.count(where)
            rest = (
                Between(sort.field, high=sort.after - 1)
                if sort.descending
                else Between(sort.field, low=sort.after + 1)
            )
            page = AllOf((where, rest))
        found = self._searcher.search(
            compile_clause(page),
            limit=limit,
            count=count and sort.after is None,
            order_by_field=sort.field.value,
            order=tantivy.Order.Desc if sort.descending else tantivy.Order.Asc,
        )
        return found, total if sort.after is not None or not count else int(found.count)

    def _read_hits(self, found: Sequence[tuple[Any, Any]], *, scored: bool) -> tuple[Hit, ...]:
        if not found:
            return ()
        addresses = [address for _, address in found]
        products = self._searcher.fast_field_values(_PRODUCT, addresses)
        if scored:
            return order_ties(
                Hit(product, score, 0, address)
                for (score, address), product in zip(found, products, strict=True)
            )
        return tuple(
            Hit(product, 0.0, position, address)
            for (position, address), product in zip(found, products, strict=True)
        )


def _parts(changes: Iterable[ProductChange]) -> Iterator[dict[int, ProductChange]]:
    """Some hundred changes at a time, the newest of each product."""
    remaining = iter(changes)
    while part := list(islice(remaining, _PART)):
        yield newest_changes(part)


class _Target:
    """A generation that is open for writing."""

    def __init__(self, store: GenerationStore, generation: str) -> None:
        self.generation = generation
        self._index = open_index(store.path(generation))
        # One thread: the machine's other cores belong to the shop, and one thread makes
        # fewer segments.
        self._writer = self._index.writer(_WRITER_HEAP, 1)

    def write(self, changes: Iterable[ProductChange]) -> WriteReport:
        """Replace the listings of each product unless a newer version is held; commit.

        The library's thread indexes one part while the next is read and cut into tokens.
        """
        self._index.reload()
        view = EmbeddedView(self._index.searcher(), self.generation)
        written: dict[int, int] = {}
        stale = 0
        try:
            for newest in _parts(changes):
                held = view.versions(list(newest))
                held.update((product, written[product]) for product in newest if product in written)
                fresh = [c for c in newest.values() if held.get(c.product_id, -1) <= c.version]
                self._replace(fresh, known=[c.product_id for c in fresh if c.product_id in held])
                written.update((change.product_id, change.version) for change in fresh)
                stale += len(newest) - len(fresh)
        except BaseException:
            self._writer.rollback()
            raise
        self._writer.commit()
        return WriteReport(written=len(written), stale=stale)

    def _replace(self, changes: Sequence[ProductChange], *, known: Sequence[int]) -> None:
        if known:
            # Deleting by term takes a whole number as a signed one and so finds nothing.
            self._writer.delete_documents_by_query(
                compile_clause(AnyValue(NumberField.PRODUCT, tuple(known)))
            )
        for change in changes:
            for listing in change.listings:
                self._writer.add_document(listing_document(listing))
            if not change.listings:
                self._writer.add_document(tombstone_document(change))

    def close(self) -> None:
        """Let merges end and release the writer."""
        self._writer.wait_merging_threads()


class EmbeddedEngine:
    """A ``SearchEngine`` in a folder of this machine.

    Any process may read. The first write takes the folder's lock and keeps it until
    ``close``; a second process that writes gets ``IndexBusy``.
    """

    def __init__(self, root: Path) -> None:
        self._store = GenerationStore(root)
        self._reading = threading.Lock()
        self._writing = threading.RLock()
        self._index: tantivy.Index | None = None
        self._view: EmbeddedView | None = None
        self._stamps: tuple[object, object] = (object(), object())
        self._live: _Target | None = None
        self._built: _Target | None = None

    # --- reading ---------------------------------------------------------------------------

    def view(self) -> EmbeddedView:
        """The newest committed state, reopened only when something changed on disk."""
        with self._reading:
            for _ in range(_REOPEN_TRIES):
                try:
                    return self._current_view()
                except (ValueError, OSError):
                    # A generation was removed between reading the pointer and opening it.
                    self._stamps = (object(), object())
            return self._current_view()

    def _current_view(self) -> EmbeddedView:
        pointer = self._store.pointer_stamp()
        generation = self._view.generation if self._view is not None else ""
        if self._view is None or pointer != self._stamps[0]:
            generation = self._store.live() or ""
            path = self._store.path(generation) if generation else None
            self._index = open_index(path)
            self._view = None
        commit = self._store.commit_stamp(generation) if generation else None
        if self._view is None or commit != self._stamps[1]:
            assert self._index is not None
            self._index.reload()
            self._view = EmbeddedView(self._index.searcher(), generation)
        self._stamps = (pointer, commit)
        return self._view

    def state(self) -> str:
        """Generation and stamp of the last commit; empty before the first."""
        generation = self._store.live()
        found = self._store.commit_stamp(generation) if generation else None
        return "" if found is None else f"{generation}:{found[0]}:{found[1]}"

    # --- writing ---------------------------------------------------------------------------

    def may_write(self) -> bool:
        """Whether this process is, or could now become, the writer; it is from then on."""
        with self._writing:
            try:
                self._store.lock()
            except IndexBusy:
                return False
            return True

    def write(self, changes: Iterable[ProductChange]) -> WriteReport:
        """Write to the live generation and to the one being built, if any; durable on return.

        Raises:
            IndexBusy: another process is the writer.
        """
        with self._writing:
            self._open_targets()
            assert self._live is not None
            if self._built is None:
                return self._live.write(changes)
            known = list(changes)
            report = self._live.write(known)
            self._built.write(known)
            return report

    def begin_rebuild(self, *, fingerprint: str) -> RebuildState:
        """Start a generation beside the live one, or continue one with the same fingerprint."""
        with self._writing:
            self._open_targets()
            state = self._store.building()
            if state is not None and state.fingerprint == fingerprint and self._built is not None:
                return state
            self.abandon_rebuild()
            state = RebuildState(self._store.create(), fingerprint, last_id=0, written=0)
            self._built = _Target(self._store, state.generation)
            self._store.remember_building(state)
            return state

    def write_rebuild(
        self, changes: Sequence[ProductChange], *, last_id: int, gently: bool = True
    ) -> WriteReport:
        """Write a batch to the generation being built and remember how far it came.

        One thread writes either way: a second would make more segments, not less time.

        Raises:
            LookupError: no rebuild is under way.
        """
        with self._writing:
            self._open_targets()
            state = self._store.building()
            if state is None or self._built is None:
                raise LookupError("no rebuild is under way")
            report = self._built.write(changes)
            self._store.remember_building(
                replace(state, last_id=last_id, written=state.written + report.written)
            )
            return report

    def rebuild_state(self) -> RebuildState | None:
        """How far the rebuild under way has come; any process may ask."""
        return self._store.building()

    def swap(self) -> str:
        """Publish the built generation; the one before it is kept for readers still in it.

        Raises:
            LookupError: no rebuild is under way.
        """
        with self._writing:
            self._open_targets()
            if self._built is None or self._live is None:
                raise LookupError("no rebuild is under way")
            before, self._live, self._built = self._live, self._built, None
            self._store.publish(self._live.generation)
            before.close()
            self._store.sweep(keep={before.generation, self._live.generation})
            return self._live.generation

    def abandon_rebuild(self) -> None:
        """Throw the generation being built away."""
        with self._writing:
            self._open_targets()
            self._store.forget_building()
            if self._built is not None:
                self._built.close()
                self._built = None
            keep = {self._live.generation} if self._live is not None else set()
            self._store.sweep(keep=keep)

    def close(self) -> None:
        """Close writers and let another process write."""
        with self._writing:
            for target in (self._live, self._built):
                if target is not None:
                    target.close()
            self._live = self._built = None
            self._store.unlock()

    def _open_targets(self) -> None:
        """Take the lock; open the live generation (or found it) and an unfinished one."""
        if self._live is not None:
            return
        self._store.lock()
        generation = self._store.live()
        if generation is None:
            generation = self._store.create()
            self._live = _Target(self._store, generation)
            self._store.publish(generation)
        else:
            self._live = _Target(self._store, generation)
        state = self._store.building()
        if state is not None:
            self._built = _Target(self._store, state.generation)
