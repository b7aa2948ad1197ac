"""Realistic titles in any number, recombined from real ones, for measuring search.

Filler that was glued from the queries themselves would make every measure wrong, so it comes
from real titles only; and a filler title that holds every word of a labelled query is left
out, since nobody has said whether it is an answer.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import rjieba

from search.tokens import normalise

_HEAD_LENGTH = 40
_TAIL_LENGTH = 30


def recombine(titles: Sequence[str], *, count: int, seed: int = 1) -> Iterator[str]:
    """``count`` titles, each the beginning of a real one and the end of another."""
    # Reproducible sampling, nothing secret.
    chance = random.Random(seed)  # noqa: S311
    words = [rjieba.cut(title) for title in titles]
    for _ in range(count):
        head, tail = chance.choice(words), chance.choice(words)
        start = "".join(head[: chance.randrange(1, len(head) + 1)])[:_HEAD_LENGTH]
        yield start + "".join(tail[chance.randrange(len(tail)) :])[:_TAIL_LENGTH]


class AnswersUnknown:
    """Tells which filler titles hold every word of one of the labelled queries."""

    def __init__(self, queries: Iterable[str], *, sample: Sequence[str]) -> None:
        rarity: Counter[str] = Counter()
        for title in sample:
            rarity.update(_pieces(normalise(title)))
        self._queries: dict[str, list[tuple[str, ...]]] = {}
        for query in queries:
            words = tuple(
                word for word in rjieba.cut(normalise(query)) if any(map(str.isalnum, word))
            )
            if words:
                # A title that holds the words holds this piece, and few titles hold it.
                key = min(_pieces_inside(words), key=lambda piece: rarity[piece])
                self._queries.setdefault(key, []).append(words)
        self._keys = set(self._queries)

    def __contains__(self, title: str) -> bool:
        text = normalise(title)
        return any(
            all(word in text for word in words)
            for key in self._keys.intersection(_pieces(text))
            for words in self._queries[key]
        )


def _pieces(text: str) -> set[str]:
    return {*text, *map("".join, pairwise(text))}


def _pieces_inside(words: Iterable[str]) -> set[str]:
    """Pieces that stand within one word (a pair across two words need not be in a title)."""
    return set().union(*map(_pieces, words))
