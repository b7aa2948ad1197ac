"""What else may have been meant where no goods have all words: the best goods of each reading.

They belong to the answer and stand near its top, so that who made a slip finds what was meant, and
who did not loses little.
"""

from collections.abc import Sequence

from search import ranking
from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Clause,
    EngineQuery,
    EngineView,
    Hit,
    NumberField,
    TermStatistics,
    Token,
    TokenField,
)
from search.engines.conjunctions import flatten
from search.matching import MatchKind, TextPlan, match_clause, rarity_tokens, required, score_tokens
from search.tokens import QueryTokens, tokenise_query
from search.weights import Weights

# Candidates for the best goods of a reading.
_LOOKED_AT = 50
# Beside more units than these one slip changes little. Letters that stand in more than so large a
# share of the goods together are too many to look for half of them.
_MOST_UNITS = 10
_CHEAP_SHARE = 0.3
_READING = TextPlan(MatchKind.HALF_OF_CHARACTERS)


def best_of_readings(
    view: EngineView,
    texts: Sequence[str],
    query: QueryTokens,
    visible: Clause,
    weights: Weights,
) -> tuple[int, ...]:
    """Of each reading the product that is best by the second stage, if it has half of its words;
    among those that the person may see."""
    if not texts or len(query.units) > _MOST_UNITS:
        return ()
    readings = [tokenise_query(text) for text in texts]
    statistics = view.statistics(rarity_tokens(*readings))
    found = view.searches(
        [
            EngineQuery(
                where=AllOf((visible, _worth_a_look(reading, query, statistics))),
                scores=score_tokens(reading, _READING, weights),
                limit=_LOOKED_AT,
                count=False,
                read=True,
            )
            for reading in readings
        ]
    )
    best = (
        _best(view, ranking.weigh_query(reading, statistics), each.hits, weights)
        for reading, each in zip(readings, found, strict=True)
    )
    return tuple(dict.fromkeys(product for product in best if product is not None))


def _worth_a_look(reading: QueryTokens, query: QueryTokens, found: TermStatistics) -> Clause:
    """Goods with half of a reading's words; of frequent ones, such as have what the query lacks."""
    counts = found.frequencies[TokenField.CHARS]
    if sum(counts[unit] for unit in reading.units) <= _CHEAP_SHARE * found.listings:
        return match_clause(reading, _READING)
    new = (unit for unit in reading.units if unit not in query.units)
    return AnyOf(tuple(Token(TokenField.CHARS, unit) for unit in new))


def _best(
    view: EngineView, query: ranking.RankedQuery, hits: Sequence[Hit], weights: Weights
) -> int | None:
    candidates = view.candidates(hits)
    order = ranking.order(
        [query],
        candidates,
        [hit.score for hit in hits],
        weights.second_stage,
        now=ranking.this_hour(),
    )
    if not order:
        return None
    best = candidates[order[0]]
    words = query.units.keys() & {*best.title.split(" "), *best.extra.split(" ")}
    is_half = len(words) >= required(len(query.units), MatchKind.HALF_OF_CHARACTERS)
    return hits[order[0]].product_id if is_half else None


def within(
    view: EngineView, also: tuple[int, ...], asked: EngineQuery, expected: Clause
) -> tuple[Hit, ...]:
    """Those of the products that are within what was asked for, in their order; nothing is asked
    of the engine where that is no more than ``expected``."""
    hits = tuple(Hit(product, 0.0, 0, None) for product in also)
    if set(flatten(asked.where)) <= set(flatten(expected)):
        return hits
    where = AllOf((asked.where, AnyValue(NumberField.PRODUCT, also)))
    found = view.search(EngineQuery(where=where, limit=len(also), count=False))
    kept = {hit.product_id for hit in found.hits}
    return tuple(hit for hit in hits if hit.product_id in kept)


def with_others(hits: list[Hit], others: Sequence[Hit]) -> list[Hit]:
    """The list with the others third, fifth and seventh, where they do not stand higher."""
    for place, other in enumerate(others, 1):
        products = [hit.product_id for hit in hits]
        if other.product_id not in products[: 2 * place]:
            rest = [hit for hit in hits if hit.product_id != other.product_id]
            hits = [*rest[: 2 * place], other, *rest[2 * place :]]
    return hits
