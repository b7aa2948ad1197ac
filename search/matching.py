"""What belongs to the answer to a query: the match set, and what is scored in it.

Total, facets and paging are over the match set. Pure: from a query and what it was taken to mean
to clauses of the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Clause,
    Nothing,
    NumberField,
    ScoredToken,
    Token,
    TokenField,
)
from search.tokens import SUFFIX_MARK, LatinRun, QueryTokens, tokenise_query, with_parts
from search.weights import Weights

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
    same in other words, and what matches any of them belongs to the answer. ``also`` are products
    that belong to it whatever their words: the best of what else may have been meant.
    """

    kind: MatchKind
    spelt: tuple[str, ...] = ()
    corrected: str = ""
    variants: tuple[str, ...] = ()
    also: tuple[int, ...] = ()

    def tokens(self, typed: QueryTokens) -> QueryTokens:
        """The tokens that are searched for; where hardly anything is found, also the parts of
        models and joined words, as goods have them: ``thinkpad`` of ``x13thinkpad``."""
        tokens = tokenise_query(self.corrected) if self.corrected else typed
        return with_parts(tokens) if self.kind is MatchKind.SOME_CHARACTERS else tokens


def rarity_tokens(*queries: QueryTokens) -> dict[TokenField, Sequence[str]]:
    """What a search wants to know the rarity of, for its match set and for its order."""
    units: dict[str, None] = {}
    pairs: dict[str, None] = {}
    words: dict[str, None] = {}
    for query in queries:
        units.update(dict.fromkeys(query.units))
        pairs.update(dict.fromkeys(query.grams))
        words.update(dict.fromkeys(query.words))
        for each in query.segments:
            pairs.update(dict.fromkeys(left + right for left, right in pairwise(each)))
            if len(each) > 1:
                words["".join(each)] = None
    return {TokenField.CHARS: [*units], TokenField.GRAMS: [*pairs], TokenField.WORDS: [*words]}


def match_clause(query: QueryTokens, plan: TextPlan) -> Clause:
    """The match set as a filter. A query without any letter or digit matches nothing."""
    clause = _worded_clause(query, plan)
    return AnyOf((clause, AnyValue(NumberField.PRODUCT, plan.also))) if plan.also else clause


def _worded_clause(query: QueryTokens, plan: TextPlan) -> Clause:
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
    return AnyOf(clauses, minimum=required(len(clauses), plan.kind))


def _read_runs(query: QueryTokens) -> tuple[LatinRun, ...]:
    """The Latin runs as they may be read: of many beside Han none is half a word, since nobody
    writes so, and each half costs the engine as much as a frequent word."""
    if sum(run.after_han or run.before_han for run in query.latin) <= _MIXED_RUNS:
        return query.latin
    return tuple(replace(run, after_han=False, before_han=False) for run in query.latin)


def required(units: int, kind: MatchKind) -> int:
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
    spellings = spellings_of(unit, runs, plan)
    if not spellings:
        return plain
    return AnyOf((plain, *(Token(TokenField.PINYIN, spelling) for spelling in spellings)))


def spellings_of(unit: str, runs: dict[str, LatinRun], plan: TextPlan) -> tuple[str, ...]:
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
