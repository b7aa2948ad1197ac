"""What ``mall bench search`` and ``mall bench rebuild`` run: ours, and the bare engine as floor.

``engine_call`` is the adapter alone (candidates, total, facets); ``service_call`` the whole
search as the API calls it; ``floor_call`` what the engine's own library needs for the reference
query (any half of the characters, a price filter, two facets), without our layers.
"""

from collections.abc import Callable
from typing import Any

from elasticsearch import Elasticsearch

from enterprises.services.eligibility import Viewer
from kernel.db import read_only
from search import facets, queries
from search.engines.base import (
    AllOf,
    AnyOf,
    Between,
    EngineQuery,
    EngineView,
    NumberField,
    Token,
    TokenField,
)
from search.engines.elasticsearch import ElasticsearchView
from search.engines.embedded import EmbeddedView
from search.engines.tantivy_schema import compile_clause
from search.goods_filters import Choice, Scope, one_listing_each
from search.matching import TextPlan, match_clause
from search.requests import SearchRequest
from search.services import search
from search.tokens import tokenise_query
from search.weights import get_weights

_ALL_GOODS = Viewer(membership_id=0, person_id=0, enterprise_id=None)
_PRICE_MAX = 50_000
_CANDIDATES = 80
_FACETS: dict[str, Any] = {
    "brand": {"terms": {"field": NumberField.BRAND.value, "size": 50, "segment_size": 1_000_000}},
    "category": {"terms": {"field": NumberField.CATEGORY.value, "size": 50}},
}


def engine_call(view: EngineView, text: str) -> Callable[[], int]:
    """The adapter's part of one search of all goods; returns the total. Planned beforehand."""
    query = tokenise_query(text)
    visible = one_listing_each(None)

    def ask(plan: TextPlan) -> EngineQuery:
        match = match_clause(query, plan)
        return queries.scored_query(
            query,
            plan,
            where=visible,
            facets=facets.request((match,), Scope(), Choice()),
            weights=get_weights(),
        )

    matches = queries.find_matches(view, query, ask, visible=visible, weights=get_weights())
    wanted = ask(matches.plan)
    return lambda: view.search(wanted).total


def service_call(text: str) -> Callable[[], int]:
    """One whole search: match set, facets, second stage, prices read again."""

    def run() -> int:
        with read_only():
            return search(viewer=_ALL_GOODS, request=SearchRequest(text)).total

    return run


def floor_call(view: EngineView, text: str) -> Callable[[], int]:
    """The reference query straight on the engine's own library, without our layers."""
    if isinstance(view, EmbeddedView):
        return _tantivy_floor(view, text)
    if isinstance(view, ElasticsearchView):
        return elasticsearch_floor(view.client, view.alias, text)
    raise TypeError(f"no floor for {type(view).__name__}")


def _tantivy_floor(view: EmbeddedView, text: str) -> Callable[[], int]:
    units = tokenise_query(text).units
    compiled = compile_clause(
        AllOf(
            (
                AnyOf(
                    tuple(Token(TokenField.CHARS, unit) for unit in units),
                    minimum=(len(units) + 1) // 2,
                ),
                Between(NumberField.PRICE, None, _PRICE_MAX),
            )
        )
    )
    searcher = view.searcher

    def run() -> int:
        found = searcher.search(compiled, limit=_CANDIDATES, count=True)
        searcher.aggregate(compiled, _FACETS)
        return int(found.count)

    return run


def elasticsearch_floor(client: Elasticsearch, index: str, text: str) -> Callable[[], int]:
    """The reference query as one plain ``_search``; only ids and scores come back."""
    units = tokenise_query(text).units
    any_half = {
        "bool": {
            "should": [{"term": {TokenField.CHARS.value: unit}} for unit in units],
            "minimum_should_match": (len(units) + 1) // 2,
        }
    }
    cheap = {"range": {NumberField.PRICE.value: {"lte": _PRICE_MAX}}}
    facets_wanted = {
        name: {"terms": {"field": name, "size": 50}}
        for name in (NumberField.BRAND.value, NumberField.CATEGORY.value)
    }

    def run() -> int:
        found = client.search(
            index=index,
            query={"bool": {"must": [any_half], "filter": [cheap]}},
            size=_CANDIDATES,
            track_total_hits=True,
            source=False,
            aggs=facets_wanted,
        )
        return int(found["hits"]["total"]["value"])

    return run
