"""Finds the weights of the second stage on labelled queries, by folds.

For each query the softmax over its candidates' ranks should be high where the answer is; that
is smooth, and what makes it grow puts answers further up. All features speak for a candidate, so
weights stay at or above zero: a weight below it would only fit chance.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul

from search import queries, ranking
from search.engines.base import EngineQuery, EngineView, Everything
from search.evaluate import Labels, Scratch
from search.matching import TextPlan
from search.tokens import QueryTokens, tokenise_query
from search.weights import Weights

_ROUNDS = 150
_STEP = 0.08
_DECAY = (0.9, 0.999)
_SHRINK = 0.002
_TOP = 10
_NOTHING = 1e-4
Progress = Callable[[int], None]
Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled query: the features of each candidate, and which of them answer it."""

    set_name: str
    rows: Sequence[Row]
    answers: Sequence[int]


def collect(
    view: EngineView,
    labels: Labels,
    scratch: Scratch,
    weights: Weights,
    *,
    progress: Progress | None = None,
) -> list[Example]:
    """The candidates of every labelled query, as the service would see them."""
    examples = []
    for number, labelled in enumerate(labels.queries, 1):
        query = tokenise_query(labelled.text)

        def ask(plan: TextPlan, query: QueryTokens = query) -> EngineQuery:
            return queries.scored_query(
                plan.tokens(query), plan, where=Everything(), weights=weights
            )

        matches = queries.find_matches(view, query, ask, visible=Everything(), weights=weights)
        hits = matches.found.hits
        rows = ranking.feature_rows(
            ranking.weigh_query(matches.query, matches.statistics),
            view.candidates(hits),
            [hit.score for hit in hits],
            ranking.this_hour(),
        )
        answers = [
            place
            for place, hit in enumerate(hits)
            if scratch.titles.get(hit.product_id) in labelled.relevant
        ]
        examples.append(Example(labelled.set_name, rows, answers))
        if progress is not None:
            progress(number)
    return examples


def fit(examples: Sequence[Example], start: Sequence[float]) -> tuple[float, ...]:
    """Weights that put the answers of these examples first (Adam on the listwise softmax)."""
    weights = list(start)
    speeds, sizes = [0.0] * len(weights), [0.0] * len(weights)
    known = [example for example in examples if example.answers]
    # What never tells one candidate from another keeps the weight that it has.
    silent = [
        all(len({row[index] for row in example.rows}) == 1 for example in known)
        for index in range(len(weights))
    ]
    for number in range(1, _ROUNDS + 1):
        slope = [-_SHRINK * weight for weight in weights]
        for example in known:
            for place, push in _pushes(example, weights):
                push /= len(known)
                for index, value in enumerate(example.rows[place]):
                    slope[index] += push * value
        for index, value in enumerate(slope):
            if silent[index]:
                continue
            speeds[index] = _DECAY[0] * speeds[index] + (1 - _DECAY[0]) * value
            sizes[index] = _DECAY[1] * sizes[index] + (1 - _DECAY[1]) * value * value
            speed = speeds[index] / (1 - _DECAY[0] ** number)
            size = sizes[index] / (1 - _DECAY[1] ** number)
            weights[index] = max(weights[index] + _STEP * speed / (math.sqrt(size) + 1e-8), 0.0)
    return tuple(weights)


def _pushes(example: Example, weights: Sequence[float]) -> list[tuple[int, float]]:
    """How much each candidate's rank should grow: what it should have of the softmax, less
    what it has."""
    ranks = [sum(map(mul, weights, row)) for row in example.rows]
    highest = max(ranks)
    shares = [math.exp(rank - highest) for rank in ranks]
    total = sum(shares)
    of_answers = sum(shares[place] for place in example.answers)
    wanted = {place: shares[place] / of_answers for place in example.answers}
    return [
        (place, wanted.get(place, 0.0) - share / total)
        for place, share in enumerate(shares)
        if share > _NOTHING * total or place in wanted
    ]


def reciprocal_ranks(examples: Sequence[Example], weights: Sequence[float]) -> list[float]:
    """One over the place of the first answer among the first ten, else 0, of each example."""
    found = []
    for example in examples:
        ranks = [sum(map(mul, weights, row)) for row in example.rows]
        order = sorted(range(len(ranks)), key=lambda place: -ranks[place])
        answers = set(example.answers)
        first = next((at for at, place in enumerate(order[:_TOP], 1) if place in answers), None)
        found.append(1 / first if first else 0.0)
    return found


@dataclass(frozen=True, slots=True)
class Folds:
    """MRR@10 by set: as the weights were, found by folds, and fitted on all (too good)."""

    before: dict[str, float]
    held_out: dict[str, float]
    fitted: dict[str, float]
    weights: tuple[float, ...]


def cross_validate(
    examples: Sequence[Example],
    start: Sequence[float],
    *,
    folds: int = 5,
    seed: int = 1,
    progress: Progress | None = None,
) -> Folds:
    """Fit on all folds but one and measure on that one, in turn; then fit on all."""
    order = list(range(len(examples)))
    # Reproducible folds, nothing secret.
    random.Random(seed).shuffle(order)  # noqa: S311
    held_out = [0.0] * len(examples)
    for fold in range(folds):
        out = set(order[fold::folds])
        found = fit([e for place, e in enumerate(examples) if place not in out], start)
        for place in out:
            [held_out[place]] = reciprocal_ranks([examples[place]], found)
        if progress is not None:
            progress(fold + 1)
    weights = fit(examples, start)
    if progress is not None:
        progress(folds + 1)
    return Folds(
        before=_by_set(examples, reciprocal_ranks(examples, start)),
        held_out=_by_set(examples, held_out),
        fitted=_by_set(examples, reciprocal_ranks(examples, weights)),
        weights=weights,
    )


def _by_set(examples: Sequence[Example], values: Sequence[float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for example, value in zip(examples, values, strict=True):
        found.setdefault(example.set_name, []).append(value)
    return {name: round(sum(each) / len(each), 4) for name, each in found.items()}
