"""The words that the mall's own titles, brands and categories are made of, by how one types them.

Made from the same entries as the suggestions, so that whatever is corrected to can be found.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from search.tokens import is_han, normalise, syllables

_MAX_LENGTH = 16
_LONGEST_BEGINNING = 3
_ANY = "\x00"
_LATIN = re.compile(r"[a-z]{4,}")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and how much it is used: in how many titles it stands, or more for a name."""

    text: str
    weight: int


class Lexicon:
    """Words under what may be typed for them. Lookups give the most used word first."""

    def __init__(self, words: Iterable[Word]) -> None:
        best: dict[str, int] = {}
        for word in words:
            text = normalise(word.text).strip()
            if len(text) <= _MAX_LENGTH and (is_han(text) or _LATIN.fullmatch(text)):
                best[text] = max(best.get(text, 1), word.weight)
        self._weights = best
        self._total = sum(best.values()) or 1
        self._spelt: dict[str, list[str]] = {}
        self._initials: dict[str, list[str]] = {}
        self._patterns: dict[str, list[str]] = {}
        self._begun: dict[str, list[str]] = {}
        self.longest_spelling = 0
        for text in sorted(best, key=lambda text: (-best[text], text)):
            self._add(text)

    def _add(self, text: str) -> None:
        patterns: tuple[str, ...] = ()
        if is_han(text):
            parts = syllables(text)
            whole = "".join(parts)
            self._spelt.setdefault(whole, []).append(text)
            self.longest_spelling = max(self.longest_spelling, len(whole))
            if len(text) > 1:
                self._initials.setdefault("".join(part[0] for part in parts), []).append(text)
                patterns = _replaced(text)
                for length in range(1, min(len(text), _LONGEST_BEGINNING + 1)):
                    rest = parts[length:]
                    for letters in {"".join(rest), "".join(part[0] for part in rest)}:
                        self._begun.setdefault(text[:length] + letters, []).append(text)
            if len(text) > 2:
                patterns += _dropped(text)
        else:
            patterns = (text, *_replaced(text), *_dropped(text))
        for pattern in patterns:
            self._patterns.setdefault(pattern, []).append(text)

    def __contains__(self, text: str) -> bool:
        return text in self._weights

    def __len__(self) -> int:
        return len(self._weights)

    def texts(self) -> Iterable[str]:
        """All words."""
        return self._weights.keys()

    def spelt(self, letters: str) -> list[str]:
        """Words whose whole pinyin these letters are."""
        return self._spelt.get(letters, [])

    def with_initials(self, letters: str) -> list[str]:
        """Words whose initials these letters are."""
        return self._initials.get(letters, [])

    def cost(self, text: str) -> float:
        """How surprising a word is: the logarithm of one in how many uses of words is its."""
        return math.log(self._total / self._weights[text])

    def begun(self, beginning: str, letters: str) -> list[str]:
        """Words that begin with these Han and go on as the letters spell, whole or by initials."""
        return self._begun.get(beginning + letters, [])

    def one_off(self, text: str) -> list[str]:
        """Words that one wrong, missing, superfluous or (in Latin) swapped letter makes of it."""
        found = dict.fromkeys(
            word
            for pattern in self._patterns_of(text)
            for word in self._patterns.get(pattern, ())
            if word != text
        )
        return sorted(found, key=lambda word: (-self._weights[word], word))

    @staticmethod
    def _patterns_of(text: str) -> Iterator[str]:
        yield from _replaced(text)
        # What lacks a letter is what a word becomes without one.
        yield text
        if text.isascii():
            yield from _dropped(text)


def _replaced(text: str) -> tuple[str, ...]:
    """The text with each of its letters made any letter."""
    return tuple(text[:place] + _ANY + text[place + 1 :] for place in range(len(text)))


def _dropped(text: str) -> tuple[str, ...]:
    """The text without each of its letters."""
    return tuple(dict.fromkeys(text[:place] + text[place + 1 :] for place in range(len(text))))
