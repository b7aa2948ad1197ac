"""Filters taken apart, so that each engine matches every part of them once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from search.engines.base import AllOf, AnyOf, Clause, Everything, NoneOf, ScoredToken, Token


def flatten(clause: Clause) -> list[Clause]:
    """The clauses that must all hold, each once; every ``NoneOf`` has one clause."""
    found: dict[Clause, None] = {}
    for each in _conjuncts(clause):
        found[each] = None
    return list(found)


def _conjuncts(clause: Clause) -> Iterator[Clause]:
    if isinstance(clause, AllOf):
        for each in clause.clauses:
            yield from _conjuncts(each)
    elif isinstance(clause, NoneOf):
        for each in clause.clauses:
            yield NoneOf((each,))
    elif not isinstance(clause, Everything):
        yield clause


@dataclass(frozen=True, slots=True)
class ScoredMatch:
    """A filter and what is scored. ``inside`` is both: at least ``minimum`` of it must stand."""

    filters: tuple[Clause, ...]
    inside: tuple[ScoredToken, ...]
    minimum: int
    beside: tuple[ScoredToken, ...]


def join_scores(clauses: Iterable[Clause], scores: Sequence[ScoredToken]) -> ScoredMatch:
    """Where a clause asks for tokens that are scored as well, let them be read once."""
    clauses = tuple(clauses)
    scored = {Token(each.field, each.value): each for each in scores}
    for clause in clauses:
        if isinstance(clause, AnyOf) and _is_scored(clause, scored):
            inside = tuple(
                scored.pop(token) for token in clause.clauses if isinstance(token, Token)
            )
            rest = tuple(each for each in clauses if each is not clause)
            return ScoredMatch(rest, inside, clause.minimum, tuple(scored.values()))
    return ScoredMatch(clauses, (), 0, tuple(scored.values()))


def _is_scored(clause: AnyOf, scored: dict[Token, ScoredToken]) -> bool:
    return (
        0 < clause.minimum <= len(clause.clauses)
        and len(set(clause.clauses)) == len(clause.clauses)
        and all(isinstance(each, Token) and each in scored for each in clause.clauses)
    )
