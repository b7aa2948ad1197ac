"""Facets whose counts are what a click would show.

Each facet leaves out its own chosen values, so that the counts beside the other values say
what choosing them would find. The merchant facet counts every listing, not one of each product:
choosing a merchant shows its listing of a product, whoever is cheaper (Domain rule 30a).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from search import documents
from search.attributes import label_attributes, request_attributes
from search.engines.base import AllOf, Clause, Facet, NumberField, RangesFacet, TermsFacet
from search.goods_filters import (
    Choice,
    Scope,
    attribute_facet,
    choice_clauses,
    every_listing,
    narrowed_merchants,
    one_listing_each,
)
from search.kept_lists import Counts
from search.price_ranges import cells, fitted, price_label, price_value
from shop.services.categories import category_tree

_ASKED = 500
_SHOWN = 30


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value to choose: as it is sent back, as it is shown, and what choosing it finds."""

    value: str
    label: str
    count: int


def request(
    common: Sequence[Clause], scope: Scope, choice: Choice, *, attributes: bool = False
) -> tuple[Facet, ...]:
    """The facets of one search. ``common`` are its text and the goods that may be seen;
    ``attributes``: whether it is one that has facets of attributes."""
    one_each = one_listing_each(narrowed_merchants(scope, choice))

    def where(name: str) -> Clause:
        return AllOf((*common, *choice_clauses(choice, without=name), one_each))

    of_merchants = AllOf((*common, *choice_clauses(choice), every_listing(scope.merchants())))
    return (
        TermsFacet("category", NumberField.CATEGORY, where("category"), _ASKED),
        TermsFacet("brand", NumberField.BRAND, where("brand"), _ASKED),
        RangesFacet("price", NumberField.PRICE, where("price"), cells(choice.prices or ())),
        TermsFacet("merchant", NumberField.MERCHANT, of_merchants, _ASKED),
        *(request_attributes(choice, where) if attributes else ()),
    )


def label(counts: Counts, choice: Choice) -> dict[str, list[FacetValue]]:
    """Counts by inside ids as values to show: most found first, the chosen ones always."""
    brands = _first(counts.get("brand", ()), choice.brands)
    merchants = _first(counts.get("merchant", ()), choice.merchants)
    brand_names = documents.read_brands(brand_id for brand_id, _ in brands)
    merchant_names = documents.read_merchants(merchant_id for merchant_id, _ in merchants)
    return {
        "category": _label_categories(counts.get("category", ()), choice.categories),
        "brand": [
            FacetValue(brand_names[key].id, brand_names[key].name, count)
            for key, count in brands
            if key in brand_names
        ],
        "price": [
            FacetValue(price_value(low, high), price_label(low, high), count)
            for low, high, count in fitted(dict(counts.get("price", ())), choice.prices or ())
        ],
        "merchant": [
            FacetValue(merchant_names[key].id, merchant_names[key].name, count)
            for key, count in merchants
            if key in merchant_names
        ],
        **{
            attribute_facet(name): [FacetValue(value, value, count) for value, count in values]
            for name, values in label_attributes(counts, choice).items()
        },
    }


def _first(
    counts: Sequence[tuple[int, int]], chosen: frozenset[int] | None
) -> list[tuple[int, int]]:
    ordered = sorted(counts, key=lambda entry: (-entry[1], entry[0]))
    kept = ordered[:_SHOWN]
    if chosen:
        kept += [entry for entry in ordered[_SHOWN:] if entry[0] in chosen]
    return kept


def _label_categories(
    counts: Sequence[tuple[int, int]], chosen: frozenset[int] | None
) -> list[FacetValue]:
    """Categories that goods stand in directly; below a chosen one only what it holds."""
    tree = category_tree()
    inner = {node.parent_id for node in tree.nodes}
    parents = (chosen or frozenset()) & inner
    wanted = [
        (category_id, count)
        for category_id, count in counts
        if category_id in tree.by_id
        and (
            category_id in (chosen or ())
            or (
                category_id not in inner
                and (not parents or parents & tree.with_ancestors(category_id))
            )
        )
    ]
    return [
        FacetValue(tree.by_id[key].public_id, tree.by_id[key].name, count)
        for key, count in _first(wanted, chosen)
    ]
