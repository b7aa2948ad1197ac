"""How listings lie in a tantivy index, and how clauses become tantivy queries."""

from collections.abc import Sequence
from pathlib import Path

import tantivy

from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Between,
    Clause,
    Everything,
    ListingDocument,
    NoneOf,
    Nothing,
    NumberField,
    ProductChange,
    ScoredToken,
    SortField,
    Token,
    TokenField,
    pack_sort_key,
)
from search.engines.shown import write_shown

VERSION = "version"
TOMBSTONE = NumberField.TOMBSTONE.value
SHOWN = "shown"
_TOKENIZER = "spaces"
# Fields that are counted, compared or read by the thousand live in columns as well.
_COLUMNS = {
    NumberField.PRODUCT,
    NumberField.MERCHANT,
    NumberField.CATEGORY,
    NumberField.BRAND,
    NumberField.ATTRIBUTE,
    NumberField.IN_STOCK,
    NumberField.PRICE,
    NumberField.RANK,
}

_MUST = tantivy.Occur.Must
_SHOULD = tantivy.Occur.Should
_MUST_NOT = tantivy.Occur.MustNot
_UNSIGNED = tantivy.FieldType.Unsigned


def build_schema() -> tantivy.Schema:
    """The schema; a change to it must raise ``base.FORMAT``."""
    builder = tantivy.SchemaBuilder()
    for token_field in TokenField:
        builder.add_text_field(token_field.value, tokenizer_name=_TOKENIZER, index_option="freq")
    for number in NumberField:
        builder.add_unsigned_field(number.value, indexed=True, fast=number in _COLUMNS)
    for sort_field in SortField:
        builder.add_unsigned_field(sort_field.value, fast=True)
    builder.add_unsigned_field(VERSION, fast=True)
    # There is no stored text without an index; bytes can be stored alone.
    builder.add_bytes_field(SHOWN, stored=True)
    return builder.build()


SCHEMA = build_schema()


def open_index(path: Path | None) -> tantivy.Index:
    """Open or create an index (in memory without a path).

    Tokenizers are not stored in an index, so they are registered at every opening; reading
    is reloaded by hand, because a watcher thread for each generation would outlive it.
    """
    index = tantivy.Index(SCHEMA, None if path is None else str(path))
    spaces = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer(_TOKENIZER, spaces)
    index.config_reader("manual")
    return index


def listing_document(listing: ListingDocument) -> tantivy.Document:
    """The tantivy document of a listing (whole numbers must be given as unsigned).

    Members of the field enumerations are strings themselves; asking each for its value would
    take as long as the calls.
    """
    document = tantivy.Document()
    document.add_text(TokenField.CHARS, listing.tokens.chars)
    document.add_text(TokenField.GRAMS, listing.tokens.grams)
    document.add_text(TokenField.WORDS, listing.tokens.words)
    document.add_text(TokenField.PINYIN, listing.tokens.pinyin)
    unsigned = document.add_unsigned
    unsigned(NumberField.PRODUCT, listing.product_id)
    unsigned(NumberField.MERCHANT, listing.merchant_id)
    unsigned(NumberField.RANK, len(listing.cheaper))
    unsigned(NumberField.BRAND, listing.brand_id)
    unsigned(NumberField.IN_STOCK, int(listing.in_stock))
    unsigned(NumberField.PRICE, listing.price_minor)
    for merchant_id in listing.cheaper:
        unsigned(NumberField.CHEAPER, merchant_id)
    for category_id in listing.categories:
        unsigned(NumberField.CATEGORY, category_id)
    for assortment_id in listing.assortments:
        unsigned(NumberField.ASSORTMENT, assortment_id)
    for attribute_id in listing.attributes:
        unsigned(NumberField.ATTRIBUTE, attribute_id)
    product_id = listing.product_id
    unsigned(SortField.BY_PRICE, pack_sort_key(listing.price_minor, product_id))
    unsigned(SortField.BY_SALES, pack_sort_key(listing.sales, product_id))
    unsigned(SortField.BY_CREATED, pack_sort_key(listing.created_at, product_id))
    unsigned(VERSION, listing.version)
    document.add_bytes(SHOWN, write_shown(listing))
    return document


def tombstone_document(change: ProductChange) -> tantivy.Document:
    """What stays of a product that left: its version, so that an older write can't revive it."""
    document = tantivy.Document()
    document.add_unsigned(NumberField.PRODUCT.value, change.product_id)
    document.add_unsigned(VERSION, change.version)
    document.add_unsigned(TOMBSTONE, 1)
    return document


def compile_clause(clause: Clause) -> tantivy.Query:
    """A clause as a tantivy query."""
    match clause:
        case Everything():
            return tantivy.Query.all_query()
        case Nothing() | AnyValue(values=()):
            return tantivy.Query.empty_query()
        case Token(field=name, value=value):
            return tantivy.Query.term_query(SCHEMA, name.value, value, "basic")
        case AnyValue(field=number, values=(single,)):
            return tantivy.Query.term_query(SCHEMA, number.value, single, "basic")
        case AnyValue(field=number, values=values):
            return tantivy.Query.term_set_query(SCHEMA, number.value, list(values))
        case Between(field=column, low=low, high=high):
            return tantivy.Query.range_query(SCHEMA, column.value, _UNSIGNED, low, high)
        case AnyOf(clauses=clauses, minimum=minimum):
            return _any_of(clauses, minimum)
        case AllOf(clauses=clauses):
            return _all_of(clauses)
        case NoneOf(clauses=clauses):
            return _all_of((clause,) if clauses else ())


def _any_of(clauses: Sequence[Clause], minimum: int) -> tantivy.Query:
    if minimum < 1:
        return tantivy.Query.all_query()
    if len(clauses) < minimum:
        return tantivy.Query.empty_query()
    compiled = [compile_clause(clause) for clause in clauses]
    if len(compiled) == 1:
        return compiled[0]
    if minimum == 2 and len(compiled) > 2:
        return _any_two(compiled)
    return tantivy.Query.boolean_query(
        [(_SHOULD, query) for query in compiled], minimum_number_should_match=minimum
    )


def _any_two(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    """Each with any of those after it: half the time of counting the matches of every listing.

    For three or more the branches multiply, and counting is quicker.
    """
    any_of = tantivy.Query.boolean_query
    return any_of(
        [
            (
                _SHOULD,
                any_of(
                    [
                        (_MUST, query),
                        (_MUST, any_of([(_SHOULD, each) for each in queries[place:]])),
                    ]
                ),
            )
            for place, query in enumerate(queries[:-1], 1)
        ]
    )


def _all_of(clauses: Sequence[Clause]) -> tantivy.Query:
    wanted: list[tantivy.Query] = []
    unwanted: list[tantivy.Query] = []
    for clause in clauses:
        if isinstance(clause, NoneOf):
            unwanted.extend(compile_clause(each) for each in clause.clauses)
        elif not isinstance(clause, Everything):
            wanted.append(compile_clause(clause))
    if not wanted:
        wanted.append(tantivy.Query.all_query())
    if len(wanted) == 1 and not unwanted:
        return wanted[0]
    return tantivy.Query.boolean_query(
        [(_MUST, query) for query in wanted] + [(_MUST_NOT, query) for query in unwanted]
    )


def compile_scored(where: Clause, scores: Sequence[ScoredToken]) -> tantivy.Query:
    """Match by ``where`` (which adds no score), order by the sum of the scored tokens."""
    parts = [(_MUST, tantivy.Query.const_score_query(compile_clause(where), 0.0))]
    for token in scores:
        query = tantivy.Query.term_query(SCHEMA, token.field.value, token.value, "freq")
        if token.boost != 1.0:
            query = tantivy.Query.boost_query(query, token.boost)
        parts.append((_SHOULD, query))
    return tantivy.Query.boolean_query(parts)
