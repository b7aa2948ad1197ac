"""The second stage: re-orders the engine's first candidates by a closer look (Domain rule 30b).

The same for every engine. Each candidate gets a handful of features between 0 and 1;
their weighted sum is its rank. The weights stand in ``weights.json`` and are found by folds
over labelled queries, never by hand in code.
"""

import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from operator import mul

from search.engines.base import Candidate, TermStatistics, TokenField
from search.tokens import QueryTokens, is_han

FEATURES = (
    "chars",  # rarity-weighted share of the query's units that the title has
    "grams",  # the same of its pairs of neighbouring units
    "words",  # the same of its dictionary words
    "latin",  # share of its Latin and number units: models, sizes
    "head",  # its last word, in Chinese the thing itself
    "close",  # how densely the found units stand together
    "exact",  # the whole query stands in the title in one piece
    "engine",  # the engine's own score beside the best one's
    "brief",  # short titles say more plainly what they sell
    "extra",  # share of the units that only brand, category or keywords have
    "sales",  # with saturation, so that a best-seller cannot outshout the text
    "stock",  # can be bought now
    "category",  # is of a category that the query names: a phone before a phone's case
    "fresh",  # new in the mall, less so from month to month
    "price",  # not a hundred times dearer or cheaper than what else was found
)

# However rare a noun's ending is, it says little.
_LIGHT = 0.2
_RANK_DIGITS = 4
_HOUR = 3_600
_FRESH_SECONDS = 30 * 86_400
# Of so many a page consists, which no merchant should have to itself.
_PAGE = 20
_NO_UNITS: frozenset[str] = frozenset()
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RankedQuery:
    """A query with the rarity of each of its tokens, as the index of the moment has it."""

    units: Mapping[str, float]
    grams: Mapping[str, float]
    words: Mapping[str, float]
    latin: frozenset[str]
    head: str
    joined: str
    intent: frozenset[int] = frozenset()
    all_units: float = field(init=False)
    all_grams: float = field(init=False)
    all_words: float = field(init=False)

    def __post_init__(self) -> None:
        for name in ("units", "grams", "words"):
            object.__setattr__(self, f"all_{name}", sum(getattr(self, name).values()))


def this_hour() -> int:
    """The time that lists are ordered by, in seconds since 1970: of one hour, all agree."""
    return int(time.time()) // _HOUR * _HOUR


def weigh_query(
    query: QueryTokens, found: TermStatistics, intent: frozenset[int] = _NOTHING
) -> RankedQuery:
    """How rare each token is in the index; rare tokens say more about what is meant.

    ``intent`` are the categories that the query names.
    """
    last = query.segments[-1] if query.segments else ()
    return RankedQuery(
        units={
            unit: rarity * _LIGHT if unit in query.light else rarity
            for unit, rarity in _rarities(found, TokenField.CHARS, query.units).items()
        },
        grams=_rarities(found, TokenField.GRAMS, query.grams),
        words=_rarities(found, TokenField.WORDS, query.words),
        latin=frozenset(unit for unit in query.units if not is_han(unit)),
        head="".join(last),
        joined="".join(query.units),
        intent=intent,
    )


def _rarities(found: TermStatistics, field: TokenField, tokens: Sequence[str]) -> dict[str, float]:
    counts = found.frequencies[field]
    return {token: math.log1p(found.listings / (counts[token] + 1)) for token in tokens}


@dataclass(frozen=True, slots=True)
class Among:
    """What a candidate is compared with: the best score and the usual price (fen) of all that were
    found, and the time in seconds since 1970."""

    best_score: float
    usual_price: int
    now: int


def features(
    query: RankedQuery, candidate: Candidate, score: float, among: Among
) -> tuple[float, ...]:
    """The features of one candidate, in the order of ``FEATURES``, each from 0 to 1."""
    title = candidate.title.split(" ")
    joined = "".join(title)
    units, latin = query.units, query.latin
    found = units.keys() & set(title)
    in_extra = (
        (units.keys() - found).intersection(candidate.extra.split(" "))
        if candidate.extra and len(found) < len(units)
        else _NO_UNITS
    )
    return (
        _share(units, query.all_units, found),
        _share(query.grams, query.all_grams, [t for t in query.grams if t in joined]),
        _share(query.words, query.all_words, [t for t in query.words if t in joined]),
        len(latin & found) / len(latin) if latin else 0.0,
        1.0 if query.head and query.head in joined else 0.0,
        _closeness(title, found, len(units)),
        1.0 if query.joined in joined else 0.0,
        score / among.best_score,
        1.0 / (1.0 + len(title) / 40.0),
        _share(units, query.all_units, in_extra) if in_extra else 0.0,
        candidate.sales / (candidate.sales + 200.0) if candidate.sales > 0 else 0.0,
        1.0 if candidate.in_stock else 0.0,
        1.0 if candidate.category_id in query.intent else 0.0,
        _FRESH_SECONDS / (_FRESH_SECONDS + max(among.now - candidate.created_at, 0)),
        _sanity(candidate.price_minor, among.usual_price),
    )


def _sanity(price: int, usual: int) -> float:
    """1 up to ten times the usual price and down to a tenth of it, 0 from a hundred times on."""
    if price <= 0 or usual <= 0:
        return 0.0
    return min(max(2.0 - abs(math.log10(price / usual)), 0.0), 1.0)


def _share(rarities: Mapping[str, float], total: float, found: Collection[str]) -> float:
    return sum([rarities[token] for token in found]) / total if total else 0.0


def _closeness(title: Sequence[str], found: AbstractSet[str], wanted: int) -> float:
    """Found units over the length of the shortest stretch of the title that has them all.

    Scaled by how many of the wanted units were found, so that one unit alone is not "close".
    """
    if len(found) < 2:
        return len(found) / wanted if wanted else 0.0
    last: dict[str, int] = {}
    best = len(title)
    for index, unit in enumerate(title):
        if unit in found:
            # The stretch that ends here begins where the unit seen longest ago was seen.
            last.pop(unit, None)
            last[unit] = index
            if len(last) == len(found):
                best = min(best, index - next(iter(last.values())) + 1)
    return (len(found) / best) * (len(found) / wanted)


def feature_rows(
    query: RankedQuery, candidates: Sequence[Candidate], engine_scores: Sequence[float], now: int
) -> list[tuple[float, ...]]:
    """The features of each candidate; its score stands beside the best one's."""
    prices = sorted(candidate.price_minor for candidate in candidates)
    among = Among(
        best_score=max(engine_scores, default=0.0) or 1.0,
        usual_price=prices[len(prices) // 2] if prices else 0,
        now=now,
    )
    return [
        features(query, candidate, score, among)
        for candidate, score in zip(candidates, engine_scores, strict=True)
    ]


def order(
    queries: Sequence[RankedQuery],
    candidates: Sequence[Candidate],
    engine_scores: Sequence[float],
    weights: Sequence[float],
    *,
    now: int,
    variety: float = 0.0,
) -> list[int]:
    """Positions of the candidates, best first; equal ranks keep the engine's order.

    Of several queries that say the same the one counts by which a candidate ranks highest.
    Ranks are compared as far as the scores of all engines agree. ``variety`` is what a listing of
    the first page loses for each one of its merchant before it.
    """
    tables = [feature_rows(query, candidates, engine_scores, now) for query in queries]
    ranks = [
        round(max([sum(map(mul, weights, row)) for row in rows]), _RANK_DIGITS)
        for rows in zip(*tables, strict=True)
    ]
    found = sorted(range(len(ranks)), key=lambda position: -ranks[position])
    merchants = [candidate.merchant_id for candidate in candidates]
    if not variety or len(set(merchants)) < 2:
        return found
    return _varied(found, ranks, merchants, variety)


def _varied(
    found: Sequence[int], ranks: Sequence[float], merchants: Sequence[int], variety: float
) -> list[int]:
    """The first page picked one by one, so that close ranks of several merchants take turns."""
    rest = list(found)
    page: list[int] = []
    shown: Counter[int] = Counter()
    while rest and len(page) < _PAGE:
        # The first of the best; the list is in the order of ranks.
        picked = max(rest, key=lambda place: ranks[place] - variety * shown[merchants[place]])
        rest.remove(picked)
        page.append(picked)
        shown[merchants[picked]] += 1
    return page + rest
