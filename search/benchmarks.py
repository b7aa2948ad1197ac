"""What ``mall bench search`` and ``mall bench rebuild`` run: ours, and the bare engine as floor.

``engine_call`` is the adapter alone (candidates, total, facets); ``service_call`` the whole
search as the API calls it; ``floor_call`` what the engine library needs for the reference query
(any half of the characters, a price filter, two facets), compiled and run without our layers.
"""

from collections.abc import Callable
from typing import Any

from enterprises.services.eligibility import Viewer
from kernel.db import read_only
from search import facets, queries
from search.engines.base import (
    AllOf,
    AnyOf,
    Between,
    EngineQuery,
    NumberField,
    Token,
    TokenField,
)
from search.engines.embedded import EmbeddedView
from search.engines.tantivy_schema import compile_clause
from search.goods_filters import Choice, Scope, one_listing_each
from search.services import SearchRequest, search
from search.tokens import tokenise_query
from search.weights import get_weights

_ALL_GOODS = Viewer(membership_id=0, person_id=0, enterprise_id=None)
_PRICE_MAX = 50_000
_CANDIDATES = 100
_FACETS: dict[str, Any] = {
    "brand": {"terms": {"field": NumberField.BRAND.value, "size": 50, "segment_size": 1_000_000}},
    "category": {"terms": {"field": NumberField.CATEGORY.value, "size": 50}},
}


def engine_call(view: EmbeddedView, text: str) -> Callable[[], int]:
    """The adapter's part of one search of all goods; returns the total. Planned beforehand."""
    query = tokenise_query(text)
    where = one_listing_each(None)
    plan = queries.plan_text(view, query, visible=where, weights=get_weights())
    match = queries.match_clause(query, plan)
    wanted = EngineQuery(
        where=AllOf((where, match)),
        scores=queries.score_tokens(query, plan, get_weights()),
        limit=get_weights().candidates,
        facets=facets.request((match,), Scope(), Choice()),
    )
    return lambda: view.search(wanted).total


def service_call(text: str) -> Callable[[], int]:
    """One whole search: match set, facets, second stage, prices read again."""

    def run() -> int:
        with read_only():
            return search(viewer=_ALL_GOODS, request=SearchRequest(text)).total

    return run


def floor_call(view: EmbeddedView, text: str) -> Callable[[], int]:
    """The reference query straight on the library's searcher."""
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
