"""Elasticsearch as its own client drives it, without our engine: the floors of ``mall bench``."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk
from elasticsearch.serializer import OrjsonSerializer

from search import benchmarks
from search.engines.base import ListingDocument, NumberField
from search.engines.choice import get_engine
from search.engines.elasticsearch_mapping import (
    build_mapping,
    build_settings,
    listing_id,
    listing_source,
)

_SEED = 2026
_THREADS = 2
_CHUNK = 1_000
_SECONDS = 60.0


class BareElasticsearch:
    """The live index read, and a scratch index written, with the plain client.

    The scratch index has the same mapping and gets the same documents; ``close`` removes it.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self._client = Elasticsearch(url, serializer=OrjsonSerializer(), request_timeout=_SECONDS)
        self._live = f"{namespace}-listings"
        self._scratch = f"{namespace}-bare"
        self._written: Sequence[ListingDocument] = ()
        self._chance = random.Random(_SEED)  # noqa: S311 -- sampling, nothing secret

    def floor_call(self, text: str) -> Callable[[], int]:
        """The reference query on the live index; returns the total."""
        return benchmarks.elasticsearch_floor(self._client, self._live, text)

    def engine_call(self, text: str) -> Callable[[], int]:
        """Our adapter's part of one search on the live index; returns the total."""
        return benchmarks.engine_call(get_engine().view(), text)

    def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        """Versions that the live index shows to searches."""
        first = {"term": {NumberField.RANK.value: 0}}
        wanted = {"terms": {NumberField.PRODUCT.value: list(product_ids)}}
        found = self._client.search(
            index=self._live,
            query={"bool": {"filter": [wanted, first]}},
            size=len(product_ids),
            version=True,
            docvalue_fields=[NumberField.PRODUCT.value],
            filter_path="hits.hits._version,hits.hits.fields",
        )
        hits = found.body.get("hits", {}).get("hits", ())
        return {hit["fields"][NumberField.PRODUCT.value][0]: hit["_version"] for hit in hits}

    def write(self, listings: Sequence[ListingDocument]) -> None:
        """Write all into a new scratch index; returns once they are searchable."""
        self._remove()
        self._client.indices.create(
            index=self._scratch,
            mappings=build_mapping(),
            settings={**build_settings(), "refresh_interval": "-1"},
        )
        for _ in parallel_bulk(
            self._client,
            self._actions(listings),
            index=self._scratch,
            thread_count=_THREADS,
            chunk_size=_CHUNK,
        ):
            pass
        self._client.indices.refresh(index=self._scratch)
        self._written = listings

    def _actions(self, listings: Sequence[ListingDocument]) -> Iterator[dict[str, Any]]:
        for listing in listings:
            yield {
                "_id": listing_id(listing.product_id, len(listing.cheaper)),
                "_source": listing_source(listing),
            }

    def change(self) -> Callable[[], None]:
        """Replace one document of the scratch index, and see it."""

        def replace() -> None:
            listing = self._chance.choice(self._written)
            self._client.index(
                index=self._scratch,
                id=listing_id(listing.product_id, len(listing.cheaper)),
                document=listing_source(listing),
                refresh=True,
            )

        return replace

    def close(self) -> None:
        """Remove the scratch index and let go of the connections."""
        self._remove()
        self._client.close()

    def _remove(self) -> None:
        self._client.indices.delete(index=self._scratch, ignore_unavailable=True)
