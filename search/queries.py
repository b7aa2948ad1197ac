"""From words to a match set and an order (Domain rule 30b); knows no database.

The match set says what belongs to the answer: total, facets and paging are over it. It is
chosen once, from the text and the goods that the person may see, before any facet is chosen,
and is kept in the cursor. The order is another matter: the engine scores the match set, and
the second stage re-orders the first few hundred.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from search import ranking
from search.engines.base import (
    AllOf,
    AnyOf,
    Clause,
    EngineQuery,
    EngineResult,
    EngineView,
    Facet,
    Hit,
    Nothing,
    ScoredToken,
    TermStatistics,
    Token,
    TokenField,
)
from search.tokens import SUFFIX_MARK, LatinRun, QueryTokens, tokenise_query, with_parts
from search.understanding.corrections import choose, corrections
from search.understanding.lexicon import Lexicon
from search.understanding.variants import Alternatives, synonym_variants
from search.weights import Weights

LIST_END = 1_000
# A spelling this long is hardly ever a Latin word by chance; a shorter one (``pc``, ``bb``) is
# read as pinyin only where it is rare as Latin.
_SPELLING_LENGTH = 4
_RARE_SHARE = 0.0005
_RARE_COUNT = 3
# Of more, half find what is meant, whatever is said otherwise in one place.
_FEW_UNITS = 8
_MIXED_RUNS = 4


class MatchKind(StrEnum):
    """Which match set answers a query, from the strictest to the loosest."""

    ALL_WORDS = "all"
    HALF_OF_CHARACTERS = "half"
    SOME_CHARACTERS = "some"


@dataclass(frozen=True, slots=True)
class TextPlan:
    """What a query was taken to mean; kept in the cursor, so that pages agree.

    ``spelt`` are the Latin runs that may also be pinyin or initials; ``corrected`` is the query
    that was taken for what was typed, empty where it was taken as it stood; ``variants`` say the
    same in other words, and what matches any of them belongs to the answer.
    """

    kind: MatchKind
    spelt: tuple[str, ...] = ()
    corrected: str = ""
    variants: tuple[str, ...] = ()

    def tokens(self, typed: QueryTokens) -> QueryTokens:
        """The tokens that are searched for; where hardly anything is found, also the parts of
        models and joined words, as goods have them: ``thinkpad`` of ``x13thinkpad``."""
        tokens = tokenise_query(self.corrected) if self.corrected else typed
        return with_parts(tokens) if self.kind is MatchKind.SOME_CHARACTERS else tokens


@dataclass(frozen=True, slots=True)
class RankedList:
    """The head of a relevance list, the exact total, the facets."""

    hits: tuple[Hit, ...]
    total: int
    facets: dict[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Matches:
    """What a query was taken to mean, what that found, and how rare its tokens are."""

    query: QueryTokens
    plan: TextPlan
    found: EngineResult
    statistics: TermStatistics


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
) -> Matches:
    """Search by the strictest match set that is enough, and say which that was.

    All words, where that finds enough among what the person may see; else half of the characters;
    else some, where half of them find nothing that the person may see: a facet that leaves nothing
    over is the person's own choice. ``ask`` makes the query of a plan. With a ``lexicon``, what
    may have been meant is searched for instead where nothing has all words as typed; then
    ``corrected`` is its text, and ``query`` its tokens. ``alternatives`` are a word's synonyms.
    """

    def seen(tokens: QueryTokens, plan: TextPlan) -> Clause:
        return AllOf((visible, match_clause(tokens, plan)))

    statistics = view.statistics(_tokens(query))
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
            [seen(each.tokens(query), each) for each in plans], up_to=enough
        )
        pairs = statistics.frequencies[TokenField.GRAMS]
        meant = choose(possible, as_meant, as_typed, [pair for pair in query.grams if pairs[pair]])
        if as_typed >= enough and not meant:
            return Matches(query, plan, view.search(ask(plan)), statistics)
        if meant:
            matches = find_matches(
                view,
                tokenise_query(meant),
                ask,
                visible=visible,
                weights=weights,
                alternatives=alternatives,
                corrected=meant,
            )
            if matches.plan.kind is not MatchKind.SOME_CHARACTERS:
                return matches
    plan = replace(plan, kind=MatchKind.HALF_OF_CHARACTERS)
    found = view.search(ask(plan))
    if not found.total and query.units and not view.counts([seen(query, plan)])[0]:
        plan = replace(plan, kind=MatchKind.SOME_CHARACTERS)
        found = view.search(ask(plan))
    return Matches(query, plan, found, statistics)


def _tokens(query: QueryTokens) -> dict[TokenField, Sequence[str]]:
    """What a search wants to know the rarity of, for its match set and for its order."""
    words = ("".join(units) for units in query.segments if len(units) > 1)
    pairs = (left + right for units in query.segments for left, right in pairwise(units))
    return {
        TokenField.CHARS: query.units,
        TokenField.GRAMS: list(dict.fromkeys((*query.grams, *pairs))),
        TokenField.WORDS: list(dict.fromkeys((*query.words, *words))),
    }


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
        elif units[0] in counts[TokenField.CHARS] and not _spellings_of(units[0], runs, plan):
            most = min(most, counts[TokenField.CHARS][units[0]])
    return most


def _spelt_runs(found: TermStatistics, runs: Iterable[LatinRun]) -> tuple[str, ...]:
    texts = list(dict.fromkeys(run.text for run in runs if len(run.text) > 1))
    rare = max(_RARE_COUNT, int(found.listings * _RARE_SHARE))
    counts = found.frequencies[TokenField.CHARS]
    return tuple(
        text for text in texts if len(text) >= _SPELLING_LENGTH or counts.get(text, 0) <= rare
    )


def match_clause(query: QueryTokens, plan: TextPlan) -> Clause:
    """The match set as a filter. A query without any letter or digit matches nothing."""
    clause = _match_clause(query, plan)
    is_strict = plan.kind is MatchKind.ALL_WORDS
    if not plan.variants or not (is_strict or len(query.units) <= _FEW_UNITS):
        # Half of a long query is found whichever word stands in one place of it.
        return clause
    variants = map(tokenise_query, plan.variants)
    return AnyOf((clause, *(_match_clause(variant, plan) for variant in variants)))


def _match_clause(query: QueryTokens, plan: TextPlan) -> Clause:
    if not query.units:
        return Nothing()
    runs = {run.text: run for run in _read_runs(query)}
    if plan.kind is MatchKind.ALL_WORDS:
        return AllOf(tuple(_word_clause(units, runs, plan) for units in query.segments))
    said = [unit for unit in query.units if unit not in query.light] or query.units
    clauses = tuple(_unit_clause(unit, runs, plan) for unit in said)
    return AnyOf(clauses, minimum=_required(len(clauses), plan.kind))


def _read_runs(query: QueryTokens) -> tuple[LatinRun, ...]:
    """The Latin runs as they may be read: of many beside Han none is half a word, since nobody
    writes so, and each half costs the engine as much as a frequent word."""
    if sum(run.after_han or run.before_han for run in query.latin) <= _MIXED_RUNS:
        return query.latin
    return tuple(replace(run, after_han=False, before_han=False) for run in query.latin)


def _required(units: int, kind: MatchKind) -> int:
    """How many of the units a listing must have: half, rounded up, or a third."""
    if kind is MatchKind.HALF_OF_CHARACTERS:
        return (units + 1) // 2
    return max(units // 3, 1)


def _word_clause(units: tuple[str, ...], runs: dict[str, LatinRun], plan: TextPlan) -> Clause:
    """A dictionary word, or its characters side by side where the dictionary cut otherwise."""
    if len(units) == 1:
        return _unit_clause(units[0], runs, plan)
    pairs = tuple(Token(TokenField.GRAMS, left + right) for left, right in pairwise(units))
    return AnyOf((Token(TokenField.WORDS, "".join(units)), AllOf(pairs)))


def _unit_clause(unit: str, runs: dict[str, LatinRun], plan: TextPlan) -> Clause:
    plain = Token(TokenField.CHARS, unit)
    spellings = _spellings_of(unit, runs, plan)
    if not spellings:
        return plain
    return AnyOf((plain, *(Token(TokenField.PINYIN, spelling) for spelling in spellings)))


def _spellings_of(unit: str, runs: dict[str, LatinRun], plan: TextPlan) -> tuple[str, ...]:
    run = runs.get(unit)
    return _spellings(run, plan) if run is not None else ()


def _spellings(run: LatinRun, plan: TextPlan) -> tuple[str, ...]:
    """What a Latin run may stand for in the pinyin field; beside Han it may be half a word."""
    found = []
    if run.text in plan.spelt:
        found.append(run.text)
    if run.after_han:
        found.append(SUFFIX_MARK + run.text)
    if run.before_han:
        found.append(run.text + SUFFIX_MARK)
    return tuple(found)


def score_tokens(query: QueryTokens, plan: TextPlan, weights: Weights) -> tuple[ScoredToken, ...]:
    """What the engine's score is the sum of: characters, and less of pairs, words, pinyin."""
    said = (query, *map(tokenise_query, plan.variants))
    return tuple(
        dict.fromkeys(token for each in said for token in _score_tokens(each, plan, weights))
    )


def _score_tokens(query: QueryTokens, plan: TextPlan, weights: Weights) -> list[ScoredToken]:
    boosts = weights.first_stage
    scored = [ScoredToken(TokenField.CHARS, unit, boosts[TokenField.CHARS]) for unit in query.units]
    scored += [
        ScoredToken(TokenField.GRAMS, gram, boosts[TokenField.GRAMS]) for gram in query.grams
    ]
    scored += [
        ScoredToken(TokenField.WORDS, word, boosts[TokenField.WORDS]) for word in query.words
    ]
    scored += [
        ScoredToken(TokenField.PINYIN, spelling, boosts[TokenField.PINYIN])
        for run in _read_runs(query)
        for spelling in _spellings(run, plan)
    ]
    return scored


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
        statistics = view.statistics(_tokens(variant))
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
    return RankedList(
        hits=tuple(found.hits[position] for position in order),
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
