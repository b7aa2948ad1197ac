"""Measures relevance on labelled queries: the figures of ``mall search evaluate``."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search import queries
from search.engines.base import (
    EngineView,
    Everything,
    ListingDocument,
    ProductChange,
    SearchEngine,
)
from search.filler import AnswersUnknown, recombine
from search.tokens import tokenise, tokenise_query
from search.weights import Weights

_TOP = 10
_RECALL_TOP = 100
_BOOTSTRAP_ROUNDS = 1_000
_BATCH = 10_000
_MERCHANT = 1

Progress = Callable[[int], None]


class BadLabels(ValueError):
    """The labels file has another shape than ``{"queries": [...], "titles": [...]}``."""


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A query, the titles that answer it, and the set that it is reported under."""

    text: str
    relevant: frozenset[str]
    set_name: str


@dataclass(frozen=True, slots=True)
class Labels:
    """What ``relevance_tuning.json`` holds."""

    queries: tuple[LabelledQuery, ...]
    titles: tuple[str, ...]

    @classmethod
    def from_json(cls, value: Any) -> "Labels":
        """Read the file's content.

        Raises:
            BadLabels: it is of another shape.
        """
        try:
            found = tuple(
                LabelledQuery(
                    str(entry["query"]),
                    frozenset(map(str, entry["relevant"])),
                    str(entry.get("set", "all")),
                )
                for entry in value["queries"]
            )
            titles = tuple(dict.fromkeys(map(str, value.get("titles", ()))))
        except (KeyError, TypeError, AttributeError) as error:
            raise BadLabels(f"not a labels file: {error!r}") from error
        if not found:
            raise BadLabels("a labels file without queries")
        return cls(found, titles)


@dataclass
class _Tally:
    """What one set of queries collects."""

    reciprocal: list[float] = field(default_factory=list)
    gain: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, query: LabelledQuery, titles: Sequence[str], took_ms: float) -> None:
        hits = [title in query.relevant for title in titles]
        first = next((rank for rank, hit in enumerate(hits[:_TOP], 1) if hit), None)
        self.reciprocal.append(1 / first if first else 0.0)
        self.gain.append(_ndcg(hits[:_TOP], len(query.relevant)))
        found = len(query.relevant.intersection(titles[:_RECALL_TOP]))
        self.recall.append(found / len(query.relevant))
        self.took_ms.append(took_ms)
        if first is None:
            self.failed.append(query.text)

    def report(self) -> dict[str, Any]:
        low, high = bootstrap_interval(self.reciprocal)
        return {
            "queries": len(self.reciprocal),
            "mrr_at_10": round(_mean(self.reciprocal), 4),
            "mrr_at_10_interval": [round(low, 4), round(high, 4)],
            "ndcg_at_10": round(_mean(self.gain), 4),
            "recall_at_100": round(_mean(self.recall), 4),
            "p50_ms": round(percentile(self.took_ms, 50), 3),
            "p99_ms": round(percentile(self.took_ms, 99), 3),
            "failed": self.failed,
        }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _ndcg(hits: Sequence[bool], relevant: int) -> float:
    """Normalised discounted cumulative gain with gains of 0 and 1."""
    gained = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(relevant, _TOP) + 1))
    return gained / ideal if ideal else 0.0


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; 0 for no values."""
    if not values:
        return 0.0
    rank = max(math.ceil(len(values) * percent / 100), 1)
    return sorted(values)[rank - 1]


def bootstrap_interval(values: Sequence[float], *, seed: int = 1) -> tuple[float, float]:
    """The 95% interval of the mean, by resampling with replacement."""
    # Reproducible resampling, nothing secret.
    chance = random.Random(seed)  # noqa: S311
    size = len(values)
    means = sorted(sum(chance.choices(values, k=size)) / size for _ in range(_BOOTSTRAP_ROUNDS))
    return means[int(_BOOTSTRAP_ROUNDS * 0.025)], means[int(_BOOTSTRAP_ROUNDS * 0.975) - 1]


def measure(
    labels: Labels, find: Callable[[str], Sequence[str]], *, progress: Progress | None = None
) -> dict[str, Any]:
    """Run each labelled query through ``find`` (query in, titles out, best first)."""
    tallies: dict[str, _Tally] = {}
    for number, query in enumerate(labels.queries, 1):
        started = time.perf_counter()
        titles = find(query.text)
        took_ms = (time.perf_counter() - started) * 1_000
        tallies.setdefault(query.set_name, _Tally()).add(query, titles, took_ms)
        if progress is not None:
            progress(number)
    return {name: tally.report() for name, tally in tallies.items()}


@dataclass(frozen=True, slots=True)
class Scratch:
    """A scratch index of titles: which title each product number stands for."""

    titles: Mapping[int, str]
    left_out: int


def fill_scratch(
    engine: SearchEngine,
    labels: Labels,
    *,
    filler: int,
    real_titles: Sequence[str],
    progress: Progress | None = None,
) -> Scratch:
    """Write the labelled titles and ``filler`` more, recombined from real ones.

    Only the labelled titles are remembered: a filler title is never an answer.
    """
    unknown = AnswersUnknown((query.text for query in labels.queries), sample=real_titles)
    labelled = {*labels.titles, *(title for query in labels.queries for title in query.relevant)}
    known = dict(enumerate(sorted(labelled), 1))
    left_out = 0

    def titles() -> Iterator[str]:
        nonlocal left_out
        yield from known.values()
        for title in recombine(real_titles, count=filler) if filler else ():
            if title in unknown:
                left_out += 1
            elif title not in labelled:
                yield title

    batch: list[ProductChange] = []
    for number, title in enumerate(titles(), 1):
        batch.append(_scratch_change(number, title))
        if len(batch) == _BATCH:
            engine.write(batch)
            batch.clear()
            if progress is not None:
                progress(number)
    engine.write(batch)
    return Scratch(titles=known, left_out=left_out)


def _scratch_change(number: int, title: str) -> ProductChange:
    listing = ListingDocument(
        product_id=number,
        merchant_id=_MERCHANT,
        version=1,
        tokens=tokenise(title),
        price_minor=100,
        in_stock=True,
        cheaper=(),
        categories=(),
        category_id=0,
        brand_id=0,
        assortments=(),
        attributes=(),
        sales=0,
        created_at=0,
    )
    return ProductChange(number, 1, (listing,))


def scratch_finder(
    view: EngineView, scratch: Scratch, weights: Weights
) -> Callable[[str], Sequence[str]]:
    """A ``find`` for ``measure``: the text part of the service over a scratch index."""

    def find(text: str) -> list[str]:
        query = tokenise_query(text)
        ranked = queries.search_text(view, query, visible=Everything(), weights=weights)
        return [scratch.titles.get(hit.product_id, "") for hit in ranked.hits[:_RECALL_TOP]]

    return find


def read_titles(path: Path) -> list[str]:
    """One title a line; empty lines are left out.

    Raises:
        ValueError: the file has no title.
    """
    titles = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not titles:
        raise ValueError(f"{path} has no titles")
    return titles
