"""Filters taken apart, so that each engine matches every part of them once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Clause,
    Everything,
    NoneOf,
    ScoredToken,
    Token,
)


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
    """A filter and what is scored. ``inside`` is both: at least ``minimum`` of it must stand, or
    ``instead`` hold."""

    filters: tuple[Clause, ...]
    inside: tuple[ScoredToken, ...]
    minimum: int
    beside: tuple[ScoredToken, ...]
    instead: Clause | None = None


def join_scores(clauses: Iterable[Clause], scores: Sequence[ScoredToken]) -> ScoredMatch:
    """Where a clause asks for tokens that are scored as well, let them be read once."""
    clauses = tuple(clauses)
    scored = {Token(each.field, each.value): each for each in scores}
    for clause in clauses:
        wanted, instead = _alternative(clause)
        if isinstance(wanted, AnyOf) and _is_scored(wanted, scored):
            inside = tuple(
                scored.pop(token) for token in wanted.clauses if isinstance(token, Token)
            )
            rest = tuple(each for each in clauses if each is not clause)
            return ScoredMatch(rest, inside, wanted.minimum, tuple(scored.values()), instead)
    return ScoredMatch(clauses, (), 0, tuple(scored.values()))


def _alternative(clause: Clause) -> tuple[Clause, Clause | None]:
    """A clause that some products need not meet, and which these are."""
    match clause:
        case AnyOf(clauses=(wanted, AnyValue() as instead), minimum=1):
            return wanted, instead
    return clause, None


def _is_scored(clause: AnyOf, scored: dict[Token, ScoredToken]) -> bool:
    return (
        0 < clause.minimum <= len(clause.clauses)
        and len(set(clause.clauses)) == len(clause.clauses)
        and all(isinstance(each, Token) and each in scored for each in clause.clauses)
    )
