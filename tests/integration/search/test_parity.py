"""Both engines give the same answers: real queries over one catalogue of real titles."""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from kernel.settings import get_settings
from search import facets, queries
from search.engines.base import AllOf, EngineQuery, EngineView, ProductChange
from search.engines.elasticsearch import ElasticsearchEngine
from search.engines.embedded import EmbeddedEngine
from search.goods_filters import Choice, Scope, choice_clauses, one_listing_each
from search.matching import MatchKind, TextPlan, match_clause
from search.tokens import tokenise, tokenise_query
from search.weights import get_weights
from tests.engines import forget_indexes, is_embedded
from tests.integration.search.listings import listing

_PRODUCTS = 12_000
_QUERIES = 500
_TOP = 10
_SEED = 36


class Answer(NamedTuple):
    """What a person sees of a search."""

    kind: MatchKind
    total: int
    facets: dict[str, list[tuple[int, int]]]
    top: list[int]


@pytest.fixture(scope="module")
def catalogue(test_data: Path) -> list[ProductChange]:
    """Real titles with prices, brands and categories; some are sold by several merchants."""
    chance = random.Random(_SEED)
    lines = (test_data / "titles_20k.txt").read_text("utf-8").splitlines()
    changes = []
    for number, title in enumerate(lines[:_PRODUCTS], 1):
        merchants = chance.sample(range(1, 30), chance.choice((1, 1, 1, 1, 2, 3)))
        price = int(10 ** chance.uniform(3, 5.5))
        common: dict[str, Any] = {
            "tokens": tokenise(title),
            "brand_id": int(chance.paretovariate(0.7)) % 400,
            "categories": (1 + number % 7, 100 + number % 60),
            "attributes": tuple(sorted(chance.sample(range(1, 300), chance.randrange(4)))),
            "sales": chance.randrange(5_000),
            "in_stock": chance.random() > 0.1,
        }
        listings = tuple(
            listing(
                number,
                merchant_id=merchant,
                cheaper=tuple(merchants[:rank]),
                price_minor=price + rank * 100,
                **common,
            )
            for rank, merchant in enumerate(merchants)
        )
        changes.append(ProductChange(number, 1, listings))
    return changes


@pytest.fixture
def views(
    app: Flask, catalogue: Sequence[ProductChange], tmp_path: Path
) -> Iterator[tuple[EngineView, EngineView]]:
    if is_embedded():
        pytest.skip("NOT COMPARED: set MALL_SEARCH_URL to an Elasticsearch to compare the engines")
    forget_indexes()
    settings = get_settings()
    embedded = EmbeddedEngine(tmp_path / "index")
    elasticsearch = ElasticsearchEngine(settings.search_url, settings.namespace)
    for engine in (embedded, elasticsearch):
        engine.write(catalogue)
    yield embedded.view(), elasticsearch.view()
    embedded.close()
    elasticsearch.close()


def ask(view: EngineView, text: str, choice: Choice) -> Answer:
    query, visible, weights = tokenise_query(text), one_listing_each(None), get_weights()

    def of(plan: TextPlan) -> EngineQuery:
        match = match_clause(query, plan)
        return queries.scored_query(
            query,
            plan,
            where=AllOf((*choice_clauses(choice), visible)),
            facets=facets.request((match,), Scope(), choice, attributes=True),
            weights=weights,
        )

    matches = queries.find_matches(view, query, of, visible=visible, weights=weights)
    ranked = queries.rank(view, matches, weights=weights)
    return Answer(
        matches.plan.kind,
        ranked.total,
        {name: sorted(counts) for name, counts in ranked.facets.items()},
        [hit.product_id for hit in ranked.hits[:_TOP]],
    )


def overlap(left: Sequence[int], right: Sequence[int]) -> float:
    longest = max(len(left), len(right))
    return len(set(left) & set(right)) / longest if longest else 1.0


@pytest.mark.slow
def test_real_queries_are_answered_alike(
    views: tuple[EngineView, EngineView], test_data: Path
) -> None:
    lines = (test_data / "queries_100k.txt").read_text("utf-8").splitlines()
    texts = random.Random(_SEED).sample([line for line in lines if line.strip()], _QUERIES)
    cheap = Choice(
        price_max=20_000,
        brands=frozenset(range(1, 200)),
        attributes={"颜色": {str(number): number for number in range(1, 200)}},
    )
    alike = 0
    for number, text in enumerate(texts):
        choice = cheap if number % 5 == 0 else Choice()
        left, right = (ask(view, text, choice) for view in views)
        assert (left.kind, left.total) == (right.kind, right.total), text
        assert left.facets == right.facets, text
        alike += overlap(left.top, right.top) >= 0.9

    assert alike >= 0.95 * _QUERIES
    sys.stderr.write(f"{alike} of {_QUERIES} alike\n")
