"""Words of everyday Chinese and how often they are used, beside those of the mall's own titles.

Without them every word that no title has would look like a typo of one that some title has. General
words come from wordfreq's list; those of shopping from ``vocabulary.txt``, which is our own, since
lists made from news and subtitles know few things that are bought.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wordfreq import available_languages, read_cBpack

from search.tokens import is_han
from search.understanding.letter_pairs import LetterPairs
from search.understanding.word_index import WordIndex

_FILE = Path(__file__).with_name("vocabulary.txt")
# Longer ones are phrases, and words used less than once in some ten million are hardly typed.
_LONGEST = 4
_RAREST_CENTIBELS = 703
# Of all uses of words in queries: in general words, and in words of shopping.
_GENERAL, _SHOPPING = 0.25, 0.2


@dataclass(frozen=True, slots=True)
class Everyday:
    """Shares of all uses of words; ``shopping`` are words of things to buy."""

    shares: Mapping[str, float]
    shopping: frozenset[str]
    index: WordIndex
    pairs: LetterPairs


NO_WORDS = Everyday({}, frozenset(), WordIndex(()), LetterPairs(()))


@lru_cache(maxsize=1)
def everyday() -> Everyday:
    """Read once; takes a few seconds."""
    shopping = shopping_words()
    general = _general_words()
    total = sum(general.values())
    shares = {word: _GENERAL * share / total for word, share in general.items()}
    for word in shopping:
        shares[word] = shares.get(word, 0.0) + _SHOPPING / len(shopping)
    bought = frozenset(shopping)
    return Everyday(shares, bought, WordIndex(shares, meant=bought), LetterPairs(shares))


def shopping_words() -> list[str]:
    """The words of ``vocabulary.txt``: a heading begins with #."""
    lines = _FILE.read_text("utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def _general_words() -> dict[str, float]:
    """The list holds, at each place n, the words used once in ten to the power of n/100."""
    buckets = read_cBpack(available_languages("large")["zh"])[:_RAREST_CENTIBELS]
    return {
        word: 10.0 ** (-place / 100)
        for place, words in enumerate(buckets)
        if place
        for word in words
        if is_han(word) and len(word) <= _LONGEST
    }
