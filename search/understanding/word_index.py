"""Words under what may be typed for them: pinyin, initials, half a word and letters, and slips."""

from collections.abc import Container, Iterable, Iterator
from itertools import combinations, pairwise

from search.tokens import is_han, syllables

_LONGEST_BEGINNING = 3
_ANY = "\x00"
# In a shorter one a slip makes any other.
_SHORTEST_LATIN = 4
_LONG_LATIN = 7


class WordIndex:
    """Words of Han, and of Latin letters, by what one types.

    Of words that are not ``meant`` by initials or slips only pinyin is known; None: all are.
    """

    def __init__(self, words: Iterable[str], *, meant: Container[str] | None = None) -> None:
        self._spelt: dict[str, list[str]] = {}
        self._initials: dict[str, list[str]] = {}
        self._begun: dict[str, list[str]] = {}
        self._incomplete: dict[str, list[str]] = {}
        self._replaced: dict[str, list[str]] = {}
        self.longest_spelling = 0
        for word in words:
            if is_han(word):
                self._add_han(word, is_meant=meant is None or word in meant)
            elif len(word) >= _SHORTEST_LATIN:
                for part in _without_some(word):
                    self._incomplete.setdefault(part, []).append(word)

    def _add_han(self, word: str, *, is_meant: bool) -> None:
        parts = syllables(word)
        if len(parts) != len(word):
            return
        whole = "".join(parts)
        self._spelt.setdefault(whole, []).append(word)
        self.longest_spelling = max(self.longest_spelling, len(whole))
        for length in range(1, min(len(word), _LONGEST_BEGINNING + 1)):
            rest = parts[length:]
            for letters in {"".join(rest), "".join(part[0] for part in rest)}:
                self._begun.setdefault(word[:length] + letters, []).append(word)
        if is_meant and len(word) > 1:
            self._initials.setdefault("".join(part[0] for part in parts), []).append(word)
            for part in _with_any(word):
                self._replaced.setdefault(part, []).append(word)
            for part in dict.fromkeys(_without_one(word)):
                self._incomplete.setdefault(part, []).append(word)

    def spelt(self, letters: str) -> list[str]:
        """Words whose whole pinyin these letters are."""
        return self._spelt.get(letters, [])

    def with_initials(self, letters: str) -> list[str]:
        """Words whose initials these letters are."""
        return self._initials.get(letters, [])

    def begun(self, beginning: str, letters: str) -> list[str]:
        """Words that begin with these Han and go on as the letters spell, whole or by initials."""
        return self._begun.get(beginning + letters, [])

    def one_other(self, text: str) -> Iterator[str]:
        """Words of Han in which one letter is another than in the text."""
        for part in _with_any(text):
            yield from (word for word in self._replaced.get(part, ()) if word != text)

    def lacking(self, text: str) -> list[str]:
        """Words of Han of which one letter is missing in the text; to one letter, those of two."""
        return self._incomplete.get(text, [])

    def latin_near(self, text: str) -> list[str]:
        """Latin words a slip away, long ones two: a letter wrong, missing, too many, swapped."""
        if len(text) < _SHORTEST_LATIN:
            return []
        allowed = _slips(text)
        found = dict.fromkeys(
            word for part in _without_some(text) for word in self._incomplete.get(part, ())
        )
        return [word for word in found if 0 < _distance(text, word) <= min(allowed, _slips(word))]


def _slips(word: str) -> int:
    return 2 if len(word) >= _LONG_LATIN else 1


def _with_any(word: str) -> Iterator[str]:
    """The word with each of its letters made any letter."""
    return (word[:place] + _ANY + word[place + 1 :] for place in range(len(word)))


def _without_one(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(len(word)))


def _without_some(word: str) -> set[str]:
    """The word and what is left of it without as many letters as may be wrong."""
    kept = {word}
    for count in range(1, _slips(word) + 1):
        for gone in combinations(range(len(word)), count):
            edges = (-1, *gone, len(word))
            kept.add("".join(word[left + 1 : right] for left, right in pairwise(edges)))
    return kept


def _distance(left: str, right: str) -> int:
    """Letters replaced, added, left out, or neighbours swapped (optimal string alignment)."""
    before: list[int] = []
    above = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        here = [row]
        for column, other in enumerate(right, 1):
            best = min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != other))
            swapped = row > 1 and column > 1
            if swapped and letter == right[column - 2] and left[row - 2] == other:
                best = min(best, before[column - 2] + 1)
            here.append(best)
        before, above = above, here
    return above[-1]
