"""How listings lie in an Elasticsearch index: one strict mapping, and one document a listing.

The listings of a product are numbered by rank: ``_id`` is ``{product}.{rank}``, and every one
carries ``product.version`` as its external version. The first of them speaks for the product;
when a product leaves, it stays behind as a tombstone that remembers the version.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

from elasticsearch.dsl import Binary, Keyword, Long, Mapping, Text

from search.engines.base import (
    ListingDocument,
    NumberField,
    ProductChange,
    SortField,
    TokenField,
    pack_sort_key,
)
from search.engines.shown import write_shown

SHOWN = "shown"
FIRST = 0
# Ids and flags are looked up and counted, never compared: postings and ordinals serve them best.
_LONGS = {NumberField.PRODUCT, NumberField.PRICE}
_COUNTED = {
    NumberField.MERCHANT,
    NumberField.CATEGORY,
    NumberField.BRAND,
    NumberField.ATTRIBUTE,
}


class Action(NamedTuple):
    """A document to be written, with its external version."""

    id: str
    version: int
    source: dict[str, Any]


def build_mapping() -> dict[str, Any]:
    """The mapping; the documents' own text is not kept, only what a list's second stage reads."""
    mapping = Mapping()
    mapping.meta("dynamic", "strict")
    mapping.meta("_source", enabled=False)
    for token_field in TokenField:
        mapping.field(
            token_field.value,
            Text(analyzer="whitespace", index_options="freqs", similarity="bm25"),
        )
    for number in NumberField:
        mapping.field(
            number.value,
            Long() if number in _LONGS else Keyword(doc_values=number in _COUNTED),
        )
    for sort_field in SortField:
        mapping.field(sort_field.value, Long(index=False))
    # Read for the first hundred hits of every search: a column costs a third of a stored field.
    mapping.field(SHOWN, Binary(doc_values=True))
    return mapping.to_dict()


def build_settings() -> dict[str, Any]:
    """What a new generation is made with; scores are those of tantivy."""
    return {
        "number_of_shards": 1,
        "number_of_replicas": 0,
        "similarity": {"bm25": {"type": "BM25", "k1": 1.2, "b": 0.75}},
    }


def listing_id(product_id: int, rank: int) -> str:
    """The ``_id`` of the listing of a product at a rank."""
    return f"{product_id}.{rank}"


def listing_source(listing: ListingDocument) -> dict[str, Any]:
    """The body of a listing; empty fields are left out."""
    tokens, product_id = listing.tokens, listing.product_id
    source: dict[str, Any] = {
        "chars": tokens.chars,
        "grams": tokens.grams,
        "words": tokens.words,
        "pinyin": tokens.pinyin,
        "product": product_id,
        "merchant": listing.merchant_id,
        "rank": len(listing.cheaper),
        "category": listing.categories,
        "brand": listing.brand_id,
        "in_stock": int(listing.in_stock),
        "price": listing.price_minor,
        "by_price": pack_sort_key(listing.price_minor, product_id),
        "by_sales": pack_sort_key(listing.sales, product_id),
        "by_created": pack_sort_key(listing.created_at, product_id),
        SHOWN: b64encode(write_shown(listing)).decode("ascii"),
    }
    if listing.cheaper:
        source["cheaper"] = listing.cheaper
    if listing.assortments:
        source["assortment"] = listing.assortments
    if listing.attributes:
        source["attribute"] = listing.attributes
    return source


def group_actions(change: ProductChange) -> Iterator[Action]:
    """The documents of a product; without listings the tombstone that takes its first place."""
    if not change.listings:
        tombstone = {"product": change.product_id, "tombstone": 1}
        yield Action(listing_id(change.product_id, FIRST), change.version, tombstone)
    for rank, listing in enumerate(change.listings):
        yield Action(listing_id(change.product_id, rank), change.version, listing_source(listing))
