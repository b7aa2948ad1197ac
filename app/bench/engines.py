"""The search engines without our code: written, searched and changed by their own clients."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import tantivy
from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk

from kernel.settings import get_settings
from search import benchmarks
from search.engines.base import ListingDocument, NumberField
from search.engines.choice import get_engine
from search.engines.elasticsearch import ElasticsearchEngine
from search.engines.elasticsearch_mapping import build_mapping, build_settings, listing_source
from search.engines.embedded import EmbeddedEngine, EmbeddedView
from search.engines.tantivy_schema import listing_document, open_index

_SEED = 2026
_WRITER_HEAP = 100_000_000
_WRITER_THREADS = 2
_BULK = 1_000
_BARE_SECONDS = 120


class BareEngine(Protocol):
    """One engine as its own library drives it, beside the live index of a scratch mall."""

    def floor_call(self, text: str) -> Callable[[], int]:
        """The reference query on the live index; returns the total."""

    def engine_call(self, text: str) -> Callable[[], int]:
        """Our adapter's part of one search on the live index; returns the total."""

    def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        """Versions that the live index shows to searches."""

    def prepare(self, listings: Sequence[ListingDocument]) -> None:
        """Make ready, in memory, what :meth:`write` sends."""

    def write(self) -> None:
        """Write all that was prepared into a new bare index; returns once it is searchable."""

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

    def prepare(self, listings: Sequence[ListingDocument]) -> None:
        self._written = listings

    def write(self) -> None:
        for file in self._folder.glob("*"):
            file.unlink()
        self._folder.mkdir(exist_ok=True)
        index = open_index(self._folder)
        writer = index.writer(_WRITER_HEAP, _WRITER_THREADS)
        for listing in self._written:
            writer.add_document(listing_document(listing))
        writer.commit()
        writer.wait_merging_threads()

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


class BareElasticsearch:
    """The server by its own client: one plain search, and its helper for parallel bulk."""

    def __init__(self, engine: ElasticsearchEngine) -> None:
        # The view asks the live alias by name, whatever the settings say later.
        self._view = engine.view()
        self._client = Elasticsearch(get_settings().search_url, request_timeout=_BARE_SECONDS)
        self._index = f"{self._view.alias}-bare"
        self._actions: list[dict[str, Any]] = []
        self._chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret

    def floor_call(self, text: str) -> Callable[[], int]:
        return benchmarks.floor_call(self._view, text)

    def engine_call(self, text: str) -> Callable[[], int]:
        return benchmarks.engine_call(self._view, text)

    def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        found = self._client.search(
            index=self._view.alias,
            query={"terms": {NumberField.PRODUCT.value: list(product_ids)}},
            size=10 * len(product_ids),
            version=True,
            source=False,
            filter_path="hits.hits._id,hits.hits._version",
        )
        hits = found.get("hits", {}).get("hits", [])
        return {int(hit["_id"].partition(".")[0]): int(hit["_version"]) for hit in hits}

    def prepare(self, listings: Sequence[ListingDocument]) -> None:
        self._actions = [
            {
                "_index": self._index,
                "_id": f"{listing.product_id}.{len(listing.cheaper)}",
                "_source": listing_source(listing),
            }
            for listing in listings
        ]

    def write(self) -> None:
        self.remove()
        self._client.indices.create(
            index=self._index,
            mappings=build_mapping(),
            settings={**build_settings(), "refresh_interval": "-1"},
        )
        for _ in parallel_bulk(
            self._client, self._actions, thread_count=_WRITER_THREADS, chunk_size=_BULK
        ):
            pass
        self._client.indices.refresh(index=self._index)

    def change(self) -> Callable[[], None]:
        def replace() -> None:
            action = self._chance.choice(self._actions)
            self._client.index(
                index=self._index, id=action["_id"], document=action["_source"], refresh=True
            )

        return replace

    def remove(self) -> None:
        self._client.indices.delete(index=self._index, ignore_unavailable=True)

    def close(self) -> None:
        self.remove()
        self._client.close()


@contextmanager
def bare_engine(folder: Path) -> Iterator[BareEngine]:
    """The engine of the settings, bare; what it wrote is gone afterwards."""
    engine = get_engine()
    if isinstance(engine, ElasticsearchEngine):
        bare = BareElasticsearch(engine)
        try:
            yield bare
        finally:
            bare.close()
    else:
        yield BareTantivy(folder)
