"""What may have been meant by a query that finds nothing as it stands.

Every correction replaces one stretch of the query by words of the lexicon: pinyin or initials by
the word, a word with one letter off by the word. Which of them is right is asked of the index:
the first that finds goods with all of its words.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from search.tokens import HAN, is_han, syllables
from search.understanding.lexicon import Lexicon
from search.understanding.similar_letters import differing, mixed_up

MOST = 8
_RUNS = re.compile(rf"[{HAN}]+|[a-z]+")
_MAX_RUN = 24
_WINDOWS = range(2, 6)
_INITIALS = range(2, 6)
_OF_EACH = 3


class Reason(StrEnum):
    """Why something was replaced."""

    PINYIN = "pinyin"
    INITIALS = "initials"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Correction:
    """The whole query as it may have been meant; ``cost`` orders corrections, least first."""

    text: str
    reason: Reason
    cost: float


def corrections(text: str, lexicon: Lexicon) -> list[Correction]:
    """At most ``MOST`` corrections of a normalised query, the likeliest first."""
    best: dict[str, Correction] = {}
    for match in _RUNS.finditer(text):
        run = match.group()[:_MAX_RUN]
        for start, end, word, reason, cost in _replacements(run, lexicon):
            at, to = match.start() + start, match.start() + end
            corrected = f"{text[:at]}{word}{text[to:]}"
            known = best.get(corrected)
            if corrected != text and (known is None or cost < known.cost):
                best[corrected] = Correction(corrected, reason, cost)
    return sorted(best.values(), key=lambda each: (each.cost, each.text))[:MOST]


_Replacement = tuple[int, int, str, Reason, float]


def _replacements(run: str, lexicon: Lexicon) -> Iterator[_Replacement]:
    if not is_han(run):
        yield from _of_letters(run, lexicon)
        return
    unknown = _unknown_places(run, lexicon)
    for length in _WINDOWS:
        for start in range(len(run) - length + 1):
            window = run[start : start + length]
            if window in lexicon or unknown.isdisjoint(range(start, start + length)):
                continue
            plausible = (word for word in lexicon.one_off(window) if _is_slip(window, word))
            for word, _ in zip(plausible, range(_OF_EACH), strict=False):
                # What explains more of the query is likelier than a frequent word.
                cost = lexicon.cost(word) - 4.0 * len(word)
                yield start, start + length, word, Reason.LETTER, cost


def _unknown_places(run: str, lexicon: Lexicon) -> set[int]:
    """Places that no word of the lexicon covers."""
    unknown = set(range(len(run)))
    for length in _WINDOWS:
        for start in range(len(run) - length + 1):
            if run[start : start + length] in lexicon:
                unknown.difference_update(range(start, start + length))
    return unknown


def _is_slip(typed: str, word: str) -> bool:
    """Whether a word of Han is easily typed like this: a letter mixed up, or one left out."""
    if len(word) != len(typed):
        return len(word) > 2
    return len(word) > 3 or all(mixed_up(left, right) for left, right in differing(typed, word))


def _of_letters(run: str, lexicon: Lexicon) -> Iterator[_Replacement]:
    if run in lexicon or len(run) < 2:
        return
    whole = 0, len(run)
    for words in spell_out(run, lexicon):
        cost = sum(map(lexicon.cost, words)) - 2.0 * len(run)
        yield *whole, "".join(words), Reason.PINYIN, cost
    if len(run) in _INITIALS:
        for word in lexicon.with_initials(run)[:_OF_EACH]:
            yield *whole, word, Reason.INITIALS, lexicon.cost(word) - len(run)
    for word in lexicon.one_off(run)[:_OF_EACH]:
        if not is_han(word):
            yield *whole, word, Reason.LETTER, lexicon.cost(word) - 2.0 * len(run)


def spell_out(letters: str, lexicon: Lexicon) -> list[tuple[str, ...]]:
    """The likeliest words that the letters are the pinyin of; no list where they are none.

    The least surprising way over all ways to cut the letters into words of the lexicon; a second
    one where the last word has a homophone.
    """
    best: list[tuple[float, tuple[str, ...]] | None] = [None] * (len(letters) + 1)
    best[0] = (0.0, ())
    for end in range(1, len(letters) + 1):
        for start in range(max(end - lexicon.longest_spelling, 0), end):
            before = best[start]
            if before is None:
                continue
            for word in lexicon.spelt(letters[start:end])[:1]:
                cost = before[0] + lexicon.cost(word)
                known = best[end]
                if known is None or cost < known[0]:
                    best[end] = cost, (*before[1], word)
    found = best[-1]
    if found is None:
        return []
    words = found[1]
    return [words, *(_other_homophones(words, lexicon))]


def _other_homophones(words: tuple[str, ...], lexicon: Lexicon) -> Iterable[tuple[str, ...]]:
    alike = lexicon.spelt("".join(syllables(words[-1])))
    return [(*words[:-1], word) for word in alike if word != words[-1]][: _OF_EACH - 1]
