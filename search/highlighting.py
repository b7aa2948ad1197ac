"""Marks in a title what a query found, in Python, so that all engines mark alike."""

from collections.abc import Iterator
from itertools import pairwise

import rjieba

from search.tokens import QueryTokens, is_han, iter_units, normalise, spellings


def highlight(title: str, query: QueryTokens) -> list[dict[str, object]]:
    """The title in pieces ``{"text", "hit"}`` that add up to it.

    Words and neighbouring characters of the query are marked; single characters only where
    nothing better was found, since half a title shares some character with a query.
    """
    if not title:
        return []
    normalised, origins = _normalise_with_origins(title)
    units = list(iter_units(normalised))
    marked = _marked_units(units, query) or _marked_spellings(normalised, query)
    if not marked and query.units:
        marked = [(start, end) for unit, start, end in units if unit in query.units]
    hits = {origins[place] for start, end in marked for place in range(start, end)}
    return list(_pieces(title, hits))


def _marked_units(units: list[tuple[str, int, int]], query: QueryTokens) -> list[tuple[int, int]]:
    grams = set(query.grams)
    latin = {unit for unit in query.units if not is_han(unit)}
    marked = [(start, end) for unit, start, end in units if unit in latin]
    for (left, start, middle), (right, next_start, end) in pairwise(units):
        if left + right in grams:
            marked += [(start, middle), (next_start, end)]
    return marked


def _marked_spellings(normalised: str, query: QueryTokens) -> list[tuple[int, int]]:
    """Words whose pinyin or initials the query spells."""
    runs = {run.text for run in query.latin}
    if not runs:
        return []
    marked = []
    place = 0
    for word in rjieba.cut(normalised):
        if len(word) > 1 and runs.intersection(spellings(word) or ()):
            marked.append((place, place + len(word)))
        place += len(word)
    return marked


def _normalise_with_origins(title: str) -> tuple[str, list[int]]:
    """The normalised title, and for each of its characters the place in the title."""
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(title):
        for normal in normalise(letter):
            letters.append(normal)
            origins.append(place)
    return "".join(letters), origins


def _pieces(title: str, hits: set[int]) -> Iterator[dict[str, object]]:
    start = 0
    for place in range(1, len(title) + 1):
        if place == len(title) or (place in hits) != (start in hits):
            yield {"text": title[start:place], "hit": start in hits}
            start = place
