"""What may have been meant by a query: the likeliest ways to read it, slips and pinyin included.

A query is read as words of the lexicon, each either as typed or as one may type it: by pinyin or
initials, half in Han and half in letters, with a letter mixed up or left out. Every word costs as
much as it is surprising, every slip something more; the ways that cost least are looked for. Which
of them is right is asked of the index (``search.queries``).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from search.tokens import HAN, is_han
from search.understanding.lexicon import Lexicon, Priced

# Readings kept at each place, and so of the whole.
MOST = 4
_MAX_TEXT = 40
_RUNS = re.compile(rf"[{HAN}]+|[a-z]+|[^a-z{HAN}]+")
_LONGEST_WORD = 8
_WINDOWS = range(2, 5)
_INITIALS = range(2, 7)
# Words tried for each stretch and slip.
_OF_EACH = 3
# What nobody knows: a letter of Han (of a name, often), a Latin word with each of its letters.
_UNKNOWN = 15.0
_LATIN, _LATIN_LETTER = 8.0, 2.5
# A Latin word with letters before or after it, and letters of Han that nobody has side by side.
_JOINED = _APART = 2.0
# Less likely than typed by this much (in powers of e), and nothing is asked about it.
_TOO_UNLIKELY = -8.0
# What goods bear out is taken before what is likelier by no more than this; a slip of Han is often
# a name, and has to be likelier than the text itself.
_BORNE_OUT, _SLIP_BORNE_OUT = 6.0, 2.0
_SURE_SPELLING, _SURE_SLIP = 0.0, 6.0
_EVIDENT, _NAMED = 4.0, -3.0
# Worth a look beside what was taken, and how many of such.
_CONCEIVABLE = -5.0
_MOST_OTHERS = 3


class Reason(StrEnum):
    """Why something was replaced."""

    PINYIN = "pinyin"
    INITIALS = "initials"
    MIXED = "mixed"
    LETTER = "letter"
    MISSING = "missing"
    ALONE = "alone"


_COSTS = {
    Reason.PINYIN: 3.0,
    Reason.INITIALS: 8.0,
    Reason.MIXED: 4.0,
    Reason.LETTER: 6.0,
    Reason.MISSING: 8.0,
    Reason.ALONE: 7.0,
}
_SLIPS = {Reason.LETTER, Reason.MISSING, Reason.ALONE}
# A short word is soon another one; what is left of a word of two says more.
_SHORT_LETTER, _REST_OF_WORD = 8.0, 6.0


@dataclass(frozen=True, slots=True)
class Correction:
    """The whole query as it may have been meant.

    ``gain`` is how much likelier that is than the query as typed, as a power of e; ``is_common``
    whether the words put in are everybody's, and not such as only this mall's goods have;
    ``is_name`` whether all of it is the name of a brand or a category.
    """

    text: str
    reasons: tuple[Reason, ...]
    gain: float
    is_common: bool
    is_name: bool = False

    @property
    def is_reading(self) -> bool:
        """Whether letters were read as Han, and nothing was taken for a slip."""
        return _SLIPS.isdisjoint(self.reasons)

    @property
    def is_sure(self) -> bool:
        """Whether it needs no goods to bear it out. A letter alone is too often one of a name."""
        if self.is_spelling:
            return self.gain >= _SURE_SPELLING
        return Reason.ALONE not in self.reasons and self.gain >= _SURE_SLIP

    @property
    def is_evident(self) -> bool:
        """Whether hardly anything else can be meant, even where goods have what was typed."""
        if self.is_name and self.is_reading and self.gain >= _NAMED:
            return True
        return self.is_spelling and self.gain >= _EVIDENT

    @property
    def is_spelling(self) -> bool:
        """Whether that was more than initials: people hardly type such by chance."""
        return self.is_reading and Reason.INITIALS not in self.reasons


class _Edge(NamedTuple):
    """A stretch of the text up to ``end`` read as ``text``."""

    end: int
    text: str
    cost: float
    reason: Reason | None = None


class _Reading(NamedTuple):
    """What the text up to some place was read as; ``words`` were put in for ``reasons``."""

    cost: float
    text: str
    reasons: tuple[Reason, ...] = ()
    words: tuple[str, ...] = ()

    def longer(self, edge: _Edge) -> "_Reading":
        cost, text = self.cost + edge.cost, self.text + edge.text
        if edge.reason is None:
            return _Reading(cost, text, self.reasons, self.words)
        return _Reading(cost, text, (*self.reasons, edge.reason), (*self.words, edge.text))


_Edges = Callable[[str, int, int, int, Lexicon], Iterator[_Edge]]


def corrections(text: str, lexicon: Lexicon) -> list[Correction]:
    """At most ``MOST`` corrections of a normalised query, the likeliest first."""
    if not lexicon or len(text) > _MAX_TEXT:
        return []
    as_typed = _cheapest(text, lexicon, _literal, kept=1)[0].cost
    readings = _cheapest(text, lexicon, _edges, kept=MOST)
    return [
        Correction(
            text=reading.text,
            reasons=reading.reasons,
            gain=round(as_typed - reading.cost, 3),
            is_common=all(map(lexicon.is_common, reading.words)),
            is_name=reading.words == (reading.text,) and lexicon.is_name(reading.text),
        )
        for reading in readings
        if reading.text != text and as_typed - reading.cost > _TOO_UNLIKELY
    ]


def choose(possible: Sequence[Correction], counts: Sequence[int], as_typed: int) -> str:
    """The text of the correction to take, or nothing.

    ``counts`` say how many goods have all words of each, ``as_typed`` of what was typed. The
    likeliest correction that finds goods is taken. What finds goods as it was typed is only
    corrected where it is evidently spelling, or a name: the pinyin of goods matched then, and their
    words say more. Where nothing is found with all words, the likeliest correction will do if it is
    sure by itself, and of common words: one of this mall alone would tell of goods that the person
    may not see.
    """
    if not possible:
        return ""
    best = possible[0]
    for each, count in zip(possible, counts, strict=True):
        if best.gain - each.gain > _BORNE_OUT:
            break
        if not each.is_reading and each.gain < _SLIP_BORNE_OUT:
            continue
        if count and (not as_typed or each.is_evident):
            return each.text
    if as_typed or not best.is_common or not best.is_sure:
        return ""
    return best.text


def other_readings(typed: str, possible: Sequence[Correction], taken: str) -> list[str]:
    """What else may be meant where no goods have all words of what was taken (nothing: the text as
    typed): the text itself first, then the likeliest corrections."""
    texts = [typed, *(each.text for each in possible if each.gain >= _CONCEIVABLE)]
    return [text for text in texts if text != (taken or typed)][:_MOST_OTHERS]


def _cheapest(text: str, lexicon: Lexicon, edges: _Edges, *, kept: int) -> list[_Reading]:
    """The readings of the whole text that cost least, each text once."""
    runs = [match.span() for match in _RUNS.finditer(text)]
    best: list[dict[str, _Reading]] = [{} for _ in range(len(text) + 1)]
    best[0][""] = _Reading(0.0, "")
    for begin, end in runs:
        for start in range(begin, end):
            before = sorted(best[start].values())[:kept]
            if not before:
                continue
            for edge in edges(text, start, begin, end, lexicon):
                for reading in before:
                    if edge.reason is None or _may_follow(edge.reason, reading.reasons):
                        apart = _apart(reading.text[-1:], edge.text[0], lexicon)
                        _keep(best[edge.end], reading, edge._replace(cost=edge.cost + apart))
    return sorted(best[-1].values())[:kept]


def _may_follow(reason: Reason, before: tuple[Reason, ...]) -> bool:
    """One slip in a query is all that is looked for; letters may be spelling all over it."""
    return not before or (reason not in _SLIPS and _SLIPS.isdisjoint(before))


def _apart(left: str, right: str, lexicon: Lexicon) -> float:
    """What it costs that two letters stand side by side; nothing unless both are of Han."""
    if not is_han(left) or not is_han(right) or lexicon.stand_together(left, right):
        return 0.0
    return _APART


def _keep(known: dict[str, _Reading], reading: _Reading, edge: _Edge) -> None:
    longer = reading.longer(edge)
    found = known.get(longer.text)
    if found is None or longer < found:
        known[longer.text] = longer


def _literal(text: str, start: int, begin: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    """The stretches from ``start`` as they were typed; its run goes from ``begin`` to ``end``."""
    letter = text[start]
    if is_han(letter):
        for stop in range(start + 1, min(end, start + _LONGEST_WORD) + 1):
            cost = lexicon.cost(text[start:stop])
            if cost is not None:
                yield _Edge(stop, text[start:stop], cost)
            elif stop == start + 1:
                yield _Edge(stop, letter, _UNKNOWN)
    elif letter.isascii() and letter.isalpha():
        yield from _latin(text, start, begin, end, lexicon)
    else:
        yield _Edge(end, text[start:end], 0.0)


def _latin(text: str, start: int, begin: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    """A Latin word: a whole run, or the beginning or the end of one: victory in victoryjiaojia."""

    def word(stop: int, dearer: float) -> _Edge:
        found = text[start:stop]
        cost = lexicon.cost(found)
        if cost is None:
            cost = _LATIN + _LATIN_LETTER * len(found)
        return _Edge(stop, found, cost + dearer)

    yield word(end, 0.0 if start == begin else _JOINED)
    if start == begin:
        yield from (word(stop, _JOINED) for stop in range(start + 2, end))


def _edges(text: str, start: int, begin: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    yield from _literal(text, start, begin, end, lexicon)
    letter = text[start]
    if is_han(letter):
        yield from _slips_of_han(text, start, end, lexicon)
        yield from _slips_of_one(text, start, end, lexicon)
        yield from _half_words(text, start, end, lexicon)
    elif letter.isascii() and letter.isalpha():
        yield from _spelt(text, start, end, lexicon)
        if start == begin:
            yield from _whole_runs(text[begin:end], end, lexicon)


def _words_as(
    words: Sequence[Priced], end: int, reason: Reason, slip: float | None = None
) -> Iterator[_Edge]:
    """The likeliest of the words in the place of what was typed up to ``end``."""
    dearer = _COSTS[reason] if slip is None else slip
    return (_Edge(end, word, cost + dearer, reason) for cost, word in words[:_OF_EACH])


def _slips_of_han(text: str, start: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    for length in _WINDOWS:
        stop = start + length
        if stop > end:
            return
        typed = text[start:stop]
        if typed in lexicon:
            continue
        slip = _SHORT_LETTER if length == _WINDOWS.start else None
        yield from _words_as(lexicon.mistyped(typed), stop, Reason.LETTER, slip)
        yield from _words_as(lexicon.lacking(typed), stop, Reason.MISSING)


def _slips_of_one(text: str, start: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    """A letter that stands beside neither neighbour anywhere: typed for another, or the rest of a
    word of two."""
    letter, left, right = text[start], text[start - 1 : start], text[start + 1 : end][:1]
    left = left if is_han(left) else ""
    if lexicon.stand_together(left, letter) or lexicon.stand_together(letter, right):
        return
    others = [
        (lexicon.cost(other) or _UNKNOWN, other)
        for other in lexicon.alike(letter)
        if lexicon.stand_together(left, other) or lexicon.stand_together(other, right)
    ]
    for words, slip in ((others, None), (lexicon.lacking(letter), _REST_OF_WORD)):
        fitting = sorted(
            words,
            key=lambda priced: (
                priced[0]
                + _apart(left, priced[1][0], lexicon)
                + _apart(priced[1][-1], right, lexicon),
                priced[1],
            ),
        )
        yield from _words_as(fitting, start + 1, Reason.ALONE, slip)


def _half_words(text: str, start: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    """A word that begins with the last Han of a run and goes on in letters: 保温bei, 保wb."""
    if end - start >= _LONGEST_WORD or end == len(text):
        return
    letters = _RUNS.match(text, end)
    if letters is None or not letters.group().isascii() or not letters.group().isalpha():
        return
    for stop in range(end + 1, min(letters.end(), end + lexicon.longest_spelling) + 1):
        words = lexicon.begun(text[start:end], text[end:stop])
        yield from _words_as(words, stop, Reason.MIXED)


def _spelt(text: str, start: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    for stop in range(start + 1, min(end, start + lexicon.longest_spelling) + 1):
        words = lexicon.spelt(text[start:stop])
        yield from _words_as(words, stop, Reason.PINYIN)


def _whole_runs(run: str, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    if len(run) in _INITIALS:
        yield from _words_as(lexicon.with_initials(run), end, Reason.INITIALS)
    yield from _words_as(lexicon.latin_near(run), end, Reason.LETTER)
