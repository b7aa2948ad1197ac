"""Marks in a title what a query found, in Python, so that all engines mark alike."""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import rjieba

from search.tokens import QueryTokens, is_han, normalise, spellings


def highlight(title: str, query: QueryTokens) -> list[dict[str, object]]:
    """The title in pieces ``{"text", "hit"}`` that add up to it.

    Words and neighbouring characters of the query are marked; single characters only where
    nothing better was found, since half a title shares some character with a query.
    """
    if not title:
        return []
    normalised, origins = _normalise_with_origins(title)
    marked = _marked_runs(normalised, query) or _marked_spellings(normalised, query)
    if not marked:
        marked = [
            place for unit in query.units if is_han(unit) for place in _places(normalised, unit)
        ]
    hits = {origins[place] for start, end in marked for place in range(start, end)}
    return list(_pieces(title, hits))


def _places(text: str, part: str) -> Iterator[tuple[int, int]]:
    start = text.find(part)
    while start >= 0:
        yield start, start + len(part)
        start = text.find(part, start + 1)


def _marked_runs(normalised: str, query: QueryTokens) -> list[tuple[int, int]]:
    """Neighbouring units of the query, and its letters and numbers where they stand alone."""
    marked = [place for gram in query.grams for place in _places(normalised, gram)]
    for unit in query.units:
        if not is_han(unit):
            marked += [
                (start, end)
                for start, end in _places(normalised, unit)
                if _is_border(normalised[start - 1 : start])
                and _is_border(normalised[end : end + 1])
            ]
    return marked


def _is_border(neighbour: str) -> bool:
    return not neighbour.isalnum() or is_han(neighbour)


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


def _normalise_with_origins(title: str) -> tuple[str, Sequence[int]]:
    """The normalised title, and for each of its characters the place in the title."""
    whole = normalise(title)
    if len(whole) == len(title) and unicodedata.is_normalized("NFKC", title):
        return whole, range(len(title))
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(title):
        for normal in _normal_letter(letter):
            letters.append(normal)
            origins.append(place)
    return "".join(letters), origins


@lru_cache(maxsize=20_000)
def _normal_letter(letter: str) -> str:
    return normalise(letter)


def _pieces(title: str, hits: set[int]) -> Iterator[dict[str, object]]:
    if not hits:
        yield {"text": title, "hit": False}
        return
    borders = {place for place in hits if place - 1 not in hits}
    borders.update(place + 1 for place in hits if place + 1 not in hits)
    places = sorted({0, len(title)} | borders)
    for start, end in pairwise(places):
        yield {"text": title[start:end], "hit": start in hits}
