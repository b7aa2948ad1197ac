"""Clauses and queries as Elasticsearch bodies, and answers read back.

Bodies are plain dictionaries: a search makes dozens of them, and the objects of the query
library take fourteen times as long for the same result.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Between,
    Clause,
    EngineQuery,
    EngineResult,
    Everything,
    Facet,
    Hit,
    NoneOf,
    Nothing,
    NumberField,
    ScoredToken,
    TermsFacet,
    Token,
    order_ties,
    product_of,
)
from search.engines.conjunctions import flatten, join_scores
from search.engines.elasticsearch_mapping import SHOWN

Body = dict[str, Any]
_TOMBSTONE: Body = {"term": {NumberField.TOMBSTONE.value: 1}}
_OF_TOMBSTONES = {NumberField.PRODUCT, NumberField.TOMBSTONE}


def compile_clause(clause: Clause) -> Body:
    """A clause as a query that is used as a filter."""
    match clause:
        case Everything():
            return {"match_all": {}}
        case Nothing() | AnyValue(values=()):
            return {"match_none": {}}
        case Token(field=name, value=value):
            return {"term": {name.value: value}}
        case AnyValue(field=number, values=(single,)):
            return {"term": {number.value: single}}
        case AnyValue(field=number, values=values):
            return {"terms": {number.value: values}}
        case Between(field=column, low=low, high=high):
            bounds = {"gte": low, "lte": high}
            return {"range": {column.value: {k: v for k, v in bounds.items() if v is not None}}}
        case AnyOf(clauses=clauses, minimum=minimum):
            return _any_of(clauses, minimum)
        case AllOf() | NoneOf():
            return all_of(flatten(clause))


def _any_of(clauses: Sequence[Clause], minimum: int) -> Body:
    if minimum < 1:
        return {"match_all": {}}
    if len(clauses) < minimum:
        return {"match_none": {}}
    return {
        "bool": {
            "should": [compile_clause(clause) for clause in clauses],
            "minimum_should_match": minimum,
        }
    }


def all_of(clauses: Sequence[Clause]) -> Body:
    """Flattened clauses as one filter."""
    wanted = [compile_clause(each) for each in clauses if not isinstance(each, NoneOf)]
    unwanted = [compile_clause(each.clauses[0]) for each in clauses if isinstance(each, NoneOf)]
    if len(wanted) == 1 and not unwanted:
        return wanted[0]
    if not wanted and not unwanted:
        return {"match_all": {}}
    return {"bool": _without_empty({"filter": wanted, "must_not": unwanted})}


def _without_empty(body: Mapping[str, Any]) -> Body:
    return {name: value for name, value in body.items() if value}


def living(clauses: Sequence[Clause]) -> Body:
    """The same, without tombstones where nothing else leaves them out."""
    if any(map(_leaves_tombstones_out, clauses)):
        return all_of(clauses)
    return {"bool": {"filter": [all_of(clauses)], "must_not": [_TOMBSTONE]}}


def _leaves_tombstones_out(clause: Clause) -> bool:
    """A tombstone has no text and no number but its product's."""
    match clause:
        case Token() | Between():
            return True
        case AnyValue(field=number):
            return number not in _OF_TOMBSTONES
        case AnyOf(clauses=clauses, minimum=minimum):
            return minimum > 0 and all(map(_leaves_tombstones_out, clauses))
        case _:
            return False


# --- whole searches ------------------------------------------------------------------------

_PRODUCT = NumberField.PRODUCT.value
_NO_FIELDS: Mapping[str, Any] = {}
_NOT_READ = (None,)


@dataclass(frozen=True, slots=True)
class CompiledSearch:
    """A body, and where its facets stand in the answer: each facet with its group (or none)."""

    body: Body
    places: tuple[tuple[Facet, str], ...]


def compile_search(query: EngineQuery) -> CompiledSearch:
    """One request for hits, total and facets.

    What hits and facets all ask for is matched once; the rest of the hits' filter is applied
    after the facets were counted, and the rest of a facet's filter within it.
    """
    wanted = flatten(query.where)
    of_facets = [flatten(facet.where) for facet in query.facets]
    common = [clause for clause in wanted if all(clause in each for each in of_facets)]
    rest = [clause for clause in wanted if clause not in common]
    body: Body = {
        "query": _query(common, query.scores),
        "size": query.limit,
        "track_total_hits": query.count,
        "_source": False,
        "stored_fields": "_none_",
        "docvalue_fields": _read(query),
    }
    if query.sort is not None:
        # Without one it orders by score, and may leave out what cannot be among the first.
        body["sort"] = [{query.sort.field.value: "desc" if query.sort.descending else "asc"}]
    if rest:
        body["post_filter"] = all_of(rest)
    if query.sort is not None and query.sort.after is not None:
        # The total stays that of the whole list.
        body["search_after"] = [query.sort.after]
    places, aggregations = _facets(query.facets, of_facets, common)
    if aggregations:
        body["aggs"] = aggregations
    return CompiledSearch(body, places)


def _read(query: EngineQuery) -> list[str]:
    """Columns of each hit; the key that it is sorted by ends in the product."""
    columns = [NumberField.PRODUCT.value] if query.sort is None else []
    return [*columns, SHOWN] if query.read else columns


def _query(common: Sequence[Clause], scores: Sequence[ScoredToken]) -> Body:
    match = join_scores(common, scores)
    body: Body = {}
    if match.inside:
        inside: Body = {
            "bool": {
                "should": [_scored(each) for each in match.inside],
                "minimum_should_match": match.minimum,
            }
        }
        if match.instead is not None:
            held = {"bool": {"filter": compile_clause(match.instead)}}
            inside = {"bool": {"should": [inside, held]}}
        body["must"] = inside
    if match.filters or not match.inside:
        body["filter"] = living(match.filters)
    if match.beside:
        body["should"] = [_scored(each) for each in match.beside]
    return {"bool": body}


def _scored(token: ScoredToken) -> Body:
    return {"term": {token.field.value: {"value": token.value, "boost": token.boost}}}


def _facets(
    facets: Sequence[Facet], filters: Sequence[Sequence[Clause]], common: Sequence[Clause]
) -> tuple[tuple[tuple[Facet, str], ...], Body]:
    aggregations: Body = {}
    groups: dict[tuple[Clause, ...], str] = {}
    places = []
    for facet, clauses in zip(facets, filters, strict=True):
        rest = tuple(clause for clause in clauses if clause not in common)
        if not rest:
            aggregations[facet.name] = _aggregation(facet)
            places.append((facet, ""))
            continue
        group = groups.setdefault(rest, f"group{len(groups)}")
        entry = aggregations.setdefault(group, {"filter": all_of(rest), "aggs": {}})
        entry["aggs"][facet.name] = _aggregation(facet)
        places.append((facet, group))
    return tuple(places), aggregations


def _aggregation(facet: Facet) -> Body:
    if isinstance(facet, TermsFacet):
        # One shard counts exactly, whatever the size.
        return {"terms": {"field": facet.field.value, "size": facet.size}}
    ranges = []
    for number, (low, high) in enumerate(facet.ranges):
        bounds: Body = {"key": str(number)}
        if low is not None:
            bounds["from"] = low
        if high is not None:
            bounds["to"] = high
        ranges.append(bounds)
    return {"range": {"field": facet.field.value, "ranges": ranges}}


# --- answers -------------------------------------------------------------------------------


def read_result(query: EngineQuery, compiled: CompiledSearch, answer: Body) -> EngineResult:
    """Hits, total and counts of an answer."""
    scored = query.sort is None
    hits = tuple(_hits(answer.get("hits", {}).get("hits", ()), scored=scored))
    if scored:
        hits = order_ties(hits)
    total = answer["hits"]["total"]["value"] if query.count else 0
    aggregations = answer.get("aggregations", {})
    return EngineResult(hits, total, _counts(compiled, aggregations))


def _hits(found: Sequence[Mapping[str, Any]], *, scored: bool) -> Iterator[Hit]:
    for entry in found:
        fields = entry.get("fields", _NO_FIELDS)
        [shown] = fields.get(SHOWN, _NOT_READ)
        if scored:
            yield Hit(fields[_PRODUCT][0], entry["_score"], 0, shown)
        else:
            [position] = entry["sort"]
            yield Hit(product_of(position), 0.0, position, shown)


def _counts(
    compiled: CompiledSearch, aggregations: Mapping[str, Any]
) -> dict[str, tuple[tuple[int, int], ...]]:
    counts = {}
    for facet, group in compiled.places:
        inside = aggregations[group] if group else aggregations
        counts[facet.name] = tuple(
            (int(bucket["key"]), bucket["doc_count"])
            for bucket in inside[facet.name]["buckets"]
            if bucket["doc_count"]
        )
    return counts
