"""How a search was understood and ordered, step by step, for who runs the mall."""

from dataclasses import asdict
from typing import Any

from enterprises.services.eligibility import Viewer
from search import queries, ranking
from search.engines.base import AllOf, AnyValue, Candidate, EngineQuery, NumberField
from search.indexing import suggestion_file
from search.kept_lists import kept_lists
from search.matching import TextPlan
from search.requests import ResolvedSearch, SearchRequest, resolve
from search.rules import arrangement_of
from search.services import find_matches
from search.tokens import normalise
from search.understanding.corrections import corrections
from search.weights import get_weights

_SHOWN = 10


def explain(viewer: Viewer, request: SearchRequest) -> dict[str, Any]:
    """Each step with what it made of the text, and the first hits with what ranks them.

    A search without words has nothing to explain: ``{"steps": [], "hits": []}``.

    Raises:
        NotFound: the viewer has no such pot.
        EngineUnavailable: the index is away.
    """
    found = resolve(viewer, request, kept_lists())
    query = found.query
    if query is None:
        return {"steps": [], "hits": []}
    weights = get_weights()

    def ask(plan: TextPlan) -> EngineQuery:
        return queries.scored_query(plan.tokens(query), plan, where=found.where(), weights=weights)

    matches = find_matches(found, ask)
    possible = corrections(query.text, suggestion_file().lexicon())
    steps = [
        {"step": "normalise", "text": normalise(request.text)},
        {"step": "price", "words": found.price_words},
        {"step": "cut", "text": query.text, "words": ["".join(s) for s in query.segments]},
        {"step": "pinyin", "runs": list(matches.plan.spelt)},
        {"step": "correct", "possible": [asdict(each) for each in possible],
         "taken": matches.plan.corrected},
        {"step": "synonyms", "variants": list(matches.plan.variants)},
        {"step": "match", "kind": matches.plan.kind.value, "total": matches.found.total},
        {"step": "others", "titles": _titles(found, matches.plan.also)},
        {"step": "rules", "query": arrangement_of(found, matches.plan).query},
    ]  # fmt: skip
    return {"steps": steps, "hits": _hits(found, matches)}


def _titles(found: ResolvedSearch, products: tuple[int, ...]) -> list[str]:
    where = AllOf((found.where(), AnyValue(NumberField.PRODUCT, products)))
    answer = found.view.search(EngineQuery(where=where, limit=len(products) or 1, read=True))
    return [_joined(each) for each in found.view.candidates(answer.hits)]


def _joined(candidate: Candidate) -> str:
    return candidate.title.replace(" ", "")


def _hits(found: ResolvedSearch, matches: queries.Matches) -> list[dict[str, Any]]:
    """The first by the query or the variant of it that ranks each highest."""
    weights = get_weights().second_stage
    hits = matches.found.hits
    candidates, scores = found.view.candidates(hits), [hit.score for hit in hits]
    intent = found.named_categories(matches.plan)
    tables = [
        ranking.feature_rows(weighed, candidates, scores, ranking.this_hour())
        for weighed in queries.weigh(found.view, matches, intent)
    ]
    shown = []
    for candidate, *rows in zip(candidates, *tables, strict=True):
        parts = max(([v * w for v, w in zip(row, weights, strict=True)] for row in rows), key=sum)
        named = zip(ranking.FEATURES, parts, strict=True)
        shown.append(
            {
                "title": _joined(candidate),
                "rank": round(sum(parts), 3),
                "parts": {name: round(part, 3) for name, part in named if part},
            }
        )
    shown.sort(key=lambda entry: -float(str(entry["rank"])))
    return shown[:_SHOWN]
