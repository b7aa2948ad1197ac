"""The search engines without our code: written, searched and changed by their own clients."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import tantivy

from search import benchmarks
from search.engines.base import ListingDocument, NumberField
from search.engines.choice import get_engine
from search.engines.embedded import EmbeddedEngine, EmbeddedView
from search.engines.tantivy_schema import listing_document, open_index

_SEED = 2026
_WRITER_HEAP = 100_000_000
_WRITER_THREADS = 2


class BareEngine(Protocol):
    """One engine as its own library drives it, beside the live index of a scratch mall."""

    def floor_call(self, text: str) -> Callable[[], int]:
        """The reference query on the live index; returns the total."""

    def engine_call(self, text: str) -> Callable[[], int]:
        """Our adapter's part of one search on the live index; returns the total."""

    def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        """Versions that the live index shows to searches."""

    def write(self, listings: Sequence[ListingDocument]) -> None:
        """Write all into a new bare index; returns once they are searchable."""

    def change(self) -> Callable[[], None]:
        """Replace one document of the bare index that was written last, and see it."""


class BareTantivy:
    """The library that the embedded engine is made of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bare-index"
        self._written: Sequence[ListingDocument] = ()
        self._chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret

    def _view(self) -> EmbeddedView:
        engine = get_engine()
        assert isinstance(engine, EmbeddedEngine)
        return engine.view()

    def floor_call(self, text: str) -> Callable[[], int]:
        return benchmarks.floor_call(self._view(), text)

    def engine_call(self, text: str) -> Callable[[], int]:
        return benchmarks.engine_call(self._view(), text)

    def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        return self._view().versions(product_ids)

    def write(self, listings: Sequence[ListingDocument]) -> None:
        for file in self._folder.glob("*"):
            file.unlink()
        self._folder.mkdir(exist_ok=True)
        index = open_index(self._folder)
        writer = index.writer(_WRITER_HEAP, _WRITER_THREADS)
        for listing in listings:
            writer.add_document(listing_document(listing))
        writer.commit()
        writer.wait_merging_threads()
        self._written = listings

    def change(self) -> Callable[[], None]:
        index = open_index(self._folder)
        writer = index.writer(_WRITER_HEAP, 1)

        def replace() -> None:
            listing = self._chance.choice(self._written)
            writer.delete_documents_by_query(
                tantivy.Query.term_query(
                    index.schema, NumberField.PRODUCT.value, listing.product_id, "basic"
                )
            )
            writer.add_document(listing_document(listing))
            writer.commit()
            index.reload()
            index.searcher()

        return replace


@contextmanager
def bare_engine(folder: Path) -> Iterator[BareEngine]:
    """The engine of the settings, bare; what it wrote is gone afterwards."""
    yield BareTantivy(folder)
