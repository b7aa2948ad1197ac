"""How a search was understood and ordered, step by step, for who runs the mall."""

from dataclasses import asdict
from typing import Any

from enterprises.services.eligibility import Viewer
from search import queries, ranking
from search.engines.base import EngineQuery, EngineView
from search.goods_filters import visible_clause
from search.indexing import suggestion_file
from search.kept_lists import kept_lists
from search.queries import TextPlan
from search.requests import SearchRequest, resolve
from search.tokens import normalise
from search.understanding.corrections import corrections
from search.understanding.intents import category_intent
from search.weights import get_weights
from shop.services.categories import category_tree

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
    lexicon = suggestion_file().lexicon()
    weights = get_weights()

    def ask(plan: TextPlan) -> EngineQuery:
        return queries.scored_query(plan.tokens(query), plan, where=found.where(), weights=weights)

    matches = queries.find_matches(
        found.view,
        query,
        ask,
        visible=visible_clause(found.seen),
        weights=weights,
        lexicon=None if request.verbatim else lexicon,
    )
    steps = [
        {"step": "normalise", "text": normalise(request.text)},
        {"step": "price", "words": found.price_words},
        {"step": "cut", "text": query.text, "words": ["".join(s) for s in query.segments]},
        {"step": "pinyin", "runs": list(matches.plan.spelt)},
        {"step": "correct", "possible": [asdict(c) for c in corrections(query.text, lexicon)],
         "taken": matches.plan.corrected},
        {"step": "match", "kind": matches.plan.kind.value, "total": matches.found.total},
    ]  # fmt: skip
    return {"steps": steps, "hits": _hits(found.view, matches)}


def _hits(view: EngineView, matches: queries.Matches) -> list[dict[str, Any]]:
    weights = get_weights().second_stage
    intent = category_intent(matches.query, category_tree())
    weighed = ranking.weigh_query(matches.query, matches.statistics, intent)
    hits = matches.found.hits
    best = max((hit.score for hit in hits), default=0.0) or 1.0
    shown = []
    for hit, candidate in zip(hits, view.candidates(hits), strict=True):
        values = ranking.features(weighed, candidate, engine_share=hit.score / best)
        parts = {
            name: round(value * weight, 3)
            for name, value, weight in zip(ranking.FEATURES, values, weights, strict=True)
            if value * weight
        }
        shown.append(
            {"title": candidate.title.replace(" ", ""), "rank": sum(parts.values()), "parts": parts}
        )
    shown.sort(key=lambda entry: -float(str(entry["rank"])))
    return shown[:_SHOWN]
