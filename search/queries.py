"""From words to a match set and an order (Domain rule 30b); knows no database.

The match set says what belongs to the answer: total, facets and paging are over it. It is
chosen once, from the text and the goods that the person may see, before any facet is chosen,
and is kept in the cursor. The order is another matter: the engine scores the match set, and
the second stage re-orders the first few hundred.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from search import ranking
from search.engines.base import (
    AllOf,
    Clause,
    EngineQuery,
    EngineResult,
    EngineView,
    Facet,
    Hit,
    TermStatistics,
    TokenField,
)
from search.matching import (
    MatchKind,
    TextPlan,
    match_clause,
    rarity_tokens,
    score_tokens,
    spellings_of,
)
from search.readings import best_of_readings, with_others, within
from search.tokens import LatinRun, QueryTokens, tokenise_query
from search.understanding.corrections import choose, corrections, other_readings
from search.understanding.lexicon import Lexicon
from search.understanding.variants import Alternatives, synonym_variants
from search.weights import Weights

LIST_END = 1_000
# A spelling this long is hardly ever a Latin word by chance; a shorter one (``pc``, ``bb``) is
# read as pinyin only where it is rare as Latin.
_SPELLING_LENGTH = 4
_RARE_SHARE = 0.0005
_RARE_COUNT = 3


@dataclass(frozen=True, slots=True)
class RankedList:
    """The head of a relevance list, the exact total, the facets."""

    hits: tuple[Hit, ...]
    total: int
    facets: dict[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Matches:
    """What a query was taken to mean, what that found, and how rare its tokens are.

    ``also`` are those of the plan's goods of other readings that are within what was asked for.
    """

    query: QueryTokens
    plan: TextPlan
    found: EngineResult
    statistics: TermStatistics
    also: tuple[Hit, ...] = ()


def _no_alternatives(_word: str) -> tuple[str, ...]:
    return ()


def find_matches(
    view: EngineView,
    query: QueryTokens,
    ask: Callable[[TextPlan], EngineQuery],
    *,
    visible: Clause,
    weights: Weights,
    lexicon: Lexicon | None = None,
    alternatives: Alternatives = _no_alternatives,
    corrected: str = "",
    others: Sequence[str] = (),
) -> Matches:
    """Search by the strictest match set that is enough, and say which that was.

    All words, where that finds enough among what the person may see; else half of the characters;
    else some, where half of them find nothing that the person may see: a facet that leaves nothing
    over is the person's own choice. ``ask`` makes the query of a plan. With a ``lexicon``, what
    may have been meant is searched for instead where nothing has all words as typed; then
    ``corrected`` is its text, and ``query`` its tokens. Where that finds nothing with all words
    either, the best goods of ``others`` that may be meant stand among the first.
    ``alternatives`` are a word's synonyms.
    """
    statistics = view.statistics(rarity_tokens(query))
    plan = TextPlan(
        MatchKind.ALL_WORDS,
        _spelt_runs(statistics, query.latin),
        corrected,
        synonym_variants(query, alternatives),
    )
    possible = corrections(query.text, lexicon) if lexicon is not None else []
    enough = weights.strict_enough
    hopeful = plan.variants or _most_matches(statistics, query, plan) >= enough
    if hopeful or possible:
        plans = [plan, *(replace(plan, corrected=each.text, variants=()) for each in possible)]
        as_typed, *as_meant = view.counts(
            [AllOf((visible, match_clause(each.tokens(query), each))) for each in plans],
            up_to=enough,
        )
        meant = choose(possible, as_meant, as_typed)
        if as_typed >= enough and not meant:
            return Matches(query, plan, view.search(ask(plan)), statistics)
        others = other_readings(query.text, possible, meant) or others
        if meant:
            is_borne_out = any(
                each.text == meant and count for each, count in zip(possible, as_meant, strict=True)
            )
            matches = find_matches(
                view,
                tokenise_query(meant),
                ask,
                visible=visible,
                weights=weights,
                alternatives=alternatives,
                corrected=meant,
                others=() if is_borne_out else others,
            )
            if matches.plan.kind is not MatchKind.SOME_CHARACTERS:
                return matches
            others = other_readings(query.text, possible, "")
    also = best_of_readings(view, others, query, visible, weights)
    return _find_loosely(view, query, ask, plan, also=also, visible=visible, statistics=statistics)


def _find_loosely(
    view: EngineView,
    query: QueryTokens,
    ask: Callable[[TextPlan], EngineQuery],
    plan: TextPlan,
    *,
    also: tuple[int, ...],
    visible: Clause,
    statistics: TermStatistics,
) -> Matches:
    """Half of the characters, or some where half of them find nothing, and the products ``also``
    within what was asked for."""

    def seen(plan: TextPlan) -> Clause:
        return AllOf((visible, match_clause(query, plan)))

    plan = replace(plan, kind=MatchKind.HALF_OF_CHARACTERS)
    asked = ask(replace(plan, also=also))
    found = view.search(asked)
    if found.total <= len(also) and query.units and not view.counts([seen(plan)])[0]:
        plan = replace(plan, kind=MatchKind.SOME_CHARACTERS)
        asked = ask(replace(plan, also=also))
        found = view.search(asked)
    plan = replace(plan, also=also)
    among = within(view, also, asked, seen(plan)) if also else ()
    return Matches(query, plan, found, statistics, among)


def _most_matches(found: TermStatistics, query: QueryTokens, plan: TextPlan) -> int:
    """What all words can find at most: no more than the rarest of them alone."""
    runs = {run.text: run for run in query.latin}
    counts = found.frequencies
    most = found.listings
    for units in query.segments:
        if len(units) > 1:
            pairs = (left + right for left, right in pairwise(units))
            most = min(
                most,
                counts[TokenField.WORDS]["".join(units)]
                + min(counts[TokenField.GRAMS][pair] for pair in pairs),
            )
        elif units[0] in counts[TokenField.CHARS] and not spellings_of(units[0], runs, plan):
            most = min(most, counts[TokenField.CHARS][units[0]])
    return most


def _spelt_runs(found: TermStatistics, runs: Iterable[LatinRun]) -> tuple[str, ...]:
    texts = list(dict.fromkeys(run.text for run in runs if len(run.text) > 1))
    rare = max(_RARE_COUNT, int(found.listings * _RARE_SHARE))
    counts = found.frequencies[TokenField.CHARS]
    return tuple(
        text for text in texts if len(text) >= _SPELLING_LENGTH or counts.get(text, 0) <= rare
    )


def scored_query(
    query: QueryTokens,
    plan: TextPlan,
    *,
    where: Clause,
    facets: tuple[Facet, ...] = (),
    weights: Weights,
) -> EngineQuery:
    """The first candidates of a relevance list over the match set within ``where``."""
    return EngineQuery(
        where=AllOf((where, match_clause(query, plan))),
        scores=score_tokens(query, plan, weights),
        limit=weights.candidates,
        facets=facets,
        read=True,
    )


def rest_query(
    query: QueryTokens, plan: TextPlan, *, where: Clause, weights: Weights
) -> EngineQuery:
    """The whole relevance list in the engine's order, for who reads beyond the candidates."""
    return EngineQuery(
        where=AllOf((where, match_clause(query, plan))),
        scores=score_tokens(query, plan, weights),
        limit=LIST_END,
        count=False,
    )


def weigh(view: EngineView, matches: Matches, intent: frozenset[int]) -> list[ranking.RankedQuery]:
    """The query and its variants with the rarity of their tokens."""
    weighed = [ranking.weigh_query(matches.query, matches.statistics, intent)]
    for variant in map(tokenise_query, matches.plan.variants):
        statistics = view.statistics(rarity_tokens(variant))
        weighed.append(ranking.weigh_query(variant, statistics, intent))
    return weighed


def rank(
    view: EngineView,
    matches: Matches,
    *,
    weights: Weights,
    intent: frozenset[int] = frozenset(),
) -> RankedList:
    """The candidates in the order of the second stage; ``intent`` are categories named."""
    found = matches.found
    order = ranking.order(
        weigh(view, matches, intent),
        view.candidates(found.hits),
        [hit.score for hit in found.hits],
        weights.second_stage,
        now=ranking.this_hour(),
        variety=weights.variety,
    )
    hits = with_others([found.hits[position] for position in order], matches.also)
    return RankedList(
        hits=tuple(hits[: weights.candidates]),
        total=found.total,
        facets=dict(found.facets),
    )


def search_text(
    view: EngineView,
    query: QueryTokens,
    *,
    visible: Clause,
    weights: Weights,
    lexicon: Lexicon | None = None,
) -> RankedList:
    """Plan and rank in one go, without filters or facets."""

    def ask(plan: TextPlan) -> EngineQuery:
        return scored_query(plan.tokens(query), plan, where=visible, weights=weights)

    matches = find_matches(view, query, ask, visible=visible, weights=weights, lexicon=lexicon)
    return rank(view, matches, weights=weights)
