"""Facets of a tantivy index in as few passes as can be: to match costs more than to count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.engines.base import AllOf, AnyValue, Clause, Facet, NumberField, RangesFacet, TermsFacet
from search.engines.conjunctions import flatten

Counts = tuple[tuple[int, int], ...]

# Each segment reports this many values of a facet; fewer would make counts approximate.
_SEGMENT_VALUES = 1_000_000
_RANK = NumberField.RANK.value
_FIRST = AnyValue(NumberField.RANK, (0,))


@dataclass(frozen=True, slots=True)
class Pass:
    """One aggregation: what matches, and which facets count all of it or only the first ranks."""

    where: Clause
    of_all: tuple[Facet, ...]
    of_first: tuple[Facet, ...]

    def aggregations(self) -> dict[str, Any]:
        """What the library is asked for: by rank, where only the first are wanted of some."""
        wanted = {each.name: _aggregation(each) for each in (*self.of_all, *self.of_first)}
        if not self.of_first:
            return wanted
        return {_RANK: {"terms": {"field": _RANK, "size": _SEGMENT_VALUES}, "aggs": wanted}}

    def read(self, answer: Mapping[str, Any]) -> dict[str, Counts]:
        """Counts by facet."""
        if not self.of_first:
            return {each.name: _counts(each, (answer,)) for each in self.of_all}
        ranks = answer[_RANK]["buckets"]
        first = [bucket for bucket in ranks if int(bucket["key"]) == 0]
        return {each.name: _counts(each, ranks) for each in self.of_all} | {
            each.name: _counts(each, first) for each in self.of_first
        }


def plan_passes(facets: Sequence[Facet]) -> list[Pass]:
    """Facets with one filter in one pass; those of the first ranks with those of all."""
    grouped: dict[frozenset[Clause], list[Facet]] = {}
    for facet in facets:
        grouped.setdefault(frozenset(flatten(facet.where)), []).append(facet)
    passes = []
    for clauses, group in grouped.items():
        if _FIRST in clauses and clauses - {_FIRST} in grouped:
            continue
        first = grouped.get(clauses | {_FIRST}, []) if _FIRST not in clauses else []
        # In the order of the facet's own filter, which the set has lost.
        where = AllOf(tuple(flatten(group[0].where)))
        passes.append(Pass(where, tuple(group), tuple(first)))
    return passes


def _counts(facet: Facet, parts: Sequence[Mapping[str, Any]]) -> Counts:
    """The counts of a facet, added up over the parts; the most frequent values first."""
    found: dict[int, int] = {}
    for part in parts:
        for bucket in part[facet.name]["buckets"]:
            if bucket["doc_count"]:
                key = int(bucket["key"])
                found[key] = found.get(key, 0) + bucket["doc_count"]
    if isinstance(facet, RangesFacet):
        return tuple(found.items())
    if len(parts) > 1:
        return tuple(sorted(found.items(), key=lambda entry: -entry[1])[: facet.size])
    return tuple(found.items())


def _aggregation(facet: Facet) -> dict[str, Any]:
    if isinstance(facet, TermsFacet):
        return {
            "terms": {
                "field": facet.field.value,
                "size": facet.size,
                "segment_size": max(_SEGMENT_VALUES, facet.size),
            }
        }
    return _range_aggregation(facet)


def _range_aggregation(facet: RangesFacet) -> dict[str, Any]:
    ranges = []
    for number, (low, high) in enumerate(facet.ranges):
        # Whole fen below 2^53 are exact as the floating numbers that the aggregation takes.
        bounds: dict[str, Any] = {"key": str(number)}
        if low is not None:
            bounds["from"] = float(low)
        if high is not None:
            bounds["to"] = float(high)
        ranges.append(bounds)
    return {"range": {"field": facet.field.value, "ranges": ranges}}
