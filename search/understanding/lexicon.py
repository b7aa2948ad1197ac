"""The words that queries are made of, how much each is used, and which may be meant by another.

Made from the words of the mall's own titles, its brands and categories, and of everyday words.
Only what is bought is ever guessed to be meant by a slip of Han; other words are known so that they
are left alone.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from search.tokens import is_han, normalise
from search.understanding.everyday import NO_WORDS, Everyday
from search.understanding.letter_pairs import LetterPairs
from search.understanding.similar_letters import mixed_up
from search.understanding.word_index import WordIndex

_MAX_LENGTH = 16
_LATIN = re.compile(r"[a-z]{2,}")
# Of all uses of words in queries, in those of the mall's own titles.
_OWN = 0.55


@dataclass(frozen=True, slots=True)
class Word:
    """A word and how much it is used: in how many titles it stands, or more for a name.

    A brand or a category ``is_name``: who types its pinyin or initials alone means it.
    """

    text: str
    weight: int
    is_name: bool = False


# A word after what it costs, so that a list of them is in the order of use.
Priced = tuple[float, str]


class Lexicon:
    """Words by what may be typed for them. Lookups give words with their costs, the most used
    word first."""

    def __init__(
        self, words: Iterable[Word], everyday: Everyday = NO_WORDS, titles: Iterable[str] = ()
    ) -> None:
        own: dict[str, int] = {}
        names: set[str] = set()
        for word in words:
            text = normalise(word.text).strip()
            if len(text) <= _MAX_LENGTH and (is_han(text) or _LATIN.fullmatch(text)):
                own[text] = max(own.get(text, 1), word.weight)
                if word.is_name:
                    names.add(text)
        self._names = frozenset(names)
        total = sum(own.values()) or 1
        self._own = {text: _OWN * weight / total for text, weight in own.items()}
        self._everyday = everyday
        self._indexes = (WordIndex(self._own), everyday.index)
        self._pairs = (LetterPairs((*self._own, *map(normalise, titles))), everyday.pairs)
        self.longest_spelling = max(index.longest_spelling for index in self._indexes)

    def __contains__(self, text: str) -> bool:
        return text in self._own or text in self._everyday.shares

    def __len__(self) -> int:
        return len(self._own)

    def own_words(self) -> Iterable[str]:
        """The words of the mall itself."""
        return self._own.keys()

    def cost(self, text: str) -> float | None:
        """How surprising a word is: the logarithm of one in how many uses of words is its."""
        share = self._own.get(text, 0.0) + self._everyday.shares.get(text, 0.0)
        return -math.log(share) if share else None

    def is_name(self, text: str) -> bool:
        """Whether it is the name of a brand or a category."""
        return text in self._names

    def is_common(self, text: str) -> bool:
        """Whether a word is everybody's, and tells nothing of what the mall has."""
        return text in self._everyday.shares

    def _is_bought(self, text: str) -> bool:
        return text in self._own or text in self._everyday.shopping

    def spelt(self, letters: str) -> list[Priced]:
        """Words whose whole pinyin these letters are."""
        return self._ordered(word for index in self._indexes for word in index.spelt(letters))

    def with_initials(self, letters: str) -> list[Priced]:
        """Words whose initials these letters are; only such as are bought."""
        return self._bought(
            word for index in self._indexes for word in index.with_initials(letters)
        )

    def begun(self, beginning: str, letters: str) -> list[Priced]:
        """Words that begin with these Han and go on as the letters spell, whole or by initials."""
        return self._ordered(
            word for index in self._indexes for word in index.begun(beginning, letters)
        )

    def mistyped(self, text: str) -> list[Priced]:
        """Words to buy of the same length with one letter that sounds or looks like another."""
        return self._bought(
            word
            for index in self._indexes
            for word in index.one_other(text)
            if any(mixed_up(*letters) for letters in zip(text, word, strict=True))
        )

    def stand_together(self, left: str, right: str) -> bool:
        """Whether two letters of Han stand side by side in some title or word."""
        return any(pairs.together(left, right) for pairs in self._pairs)

    def alike(self, letter: str) -> set[str]:
        """The letters of Han that are easily typed for one."""
        return {other for pairs in self._pairs for other in pairs.alike(letter)}

    def lacking(self, text: str) -> list[Priced]:
        """Words to buy of which one letter is missing in the text."""
        return self._bought(word for index in self._indexes for word in index.lacking(text))

    def latin_near(self, text: str) -> list[Priced]:
        """Latin words of the mall that a slip or two make of the text."""
        return self._ordered(self._indexes[0].latin_near(text))

    def _bought(self, words: Iterable[str]) -> list[Priced]:
        return self._ordered(word for word in words if self._is_bought(word))

    def _ordered(self, words: Iterable[str]) -> list[Priced]:
        priced = ((self.cost(word), word) for word in set(words))
        return sorted((cost, word) for cost, word in priced if cost is not None)
