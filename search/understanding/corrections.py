"""What may have been meant by a query: the likeliest ways to read it, slips and pinyin included.

A query is read as words of the lexicon, each either as typed or as one may type it: by pinyin or
initials, half in Han and half in letters, with a letter mixed up or left out. Every word costs as
much as it is surprising, every slip something more; the ways that cost least are looked for. Which
of them is right is asked of the index (``search.queries``).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
# A Latin word with letters after it.
_JOINED = 2.0
# Less likely than typed by this much (in powers of e), and nothing is asked about it.
_TOO_UNLIKELY = -8.0
# What goods bear out is taken before what is likelier by no more than this.
_BORNE_OUT = 6.0
_SURE_SPELLING, _SURE_UNSEEN, _SURE_SLIP = 0.0, 1.0, 6.0
_EVIDENT, _NAMED = 4.0, -3.0


class Reason(StrEnum):
    """Why something was replaced."""

    PINYIN = "pinyin"
    INITIALS = "initials"
    MIXED = "mixed"
    LETTER = "letter"
    MISSING = "missing"


_COSTS = {
    Reason.PINYIN: 3.0,
    Reason.INITIALS: 8.0,
    Reason.MIXED: 4.0,
    Reason.LETTER: 6.0,
    Reason.MISSING: 8.0,
}
_SLIPS = {Reason.LETTER, Reason.MISSING}
# A short word is soon another one.
_SHORT_LETTER = 8.0


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


def choose(
    possible: Sequence[Correction], counts: Sequence[int], as_typed: int, pairs: Iterable[str]
) -> str:
    """The text of the correction to take, or nothing.

    ``counts`` say how many goods have all words of each, ``as_typed`` of what was typed; ``pairs``
    are the neighbouring letters of it that some goods have. The likeliest correction that finds
    goods is taken. What finds goods as it was typed is only corrected where it is evidently
    spelling, or a name: the pinyin of goods matched then, and their words say more. Where nothing
    is found with all words, the likeliest correction will do if it is sure by itself, and of common
    words: one of this mall alone would tell of goods that the person may not see.
    """
    if not possible:
        return ""
    best = possible[0]
    for each, count in zip(possible, counts, strict=True):
        if best.gain - each.gain > _BORNE_OUT:
            break
        if count and (not as_typed or each.is_evident):
            return each.text
    if as_typed or not best.is_common or best.gain < _sure(best, pairs):
        return ""
    return best.text


def _sure(correction: Correction, pairs: Iterable[str]) -> float:
    """The gain from which a correction needs no goods to bear it out. A slip of Han may well be
    a name, less so where no goods have these letters together."""
    if correction.is_spelling:
        return _SURE_SPELLING
    return _SURE_UNSEEN if all(pair in correction.text for pair in pairs) else _SURE_SLIP


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
                        _keep(best[edge.end], reading, edge)
    return sorted(best[-1].values())[:kept]


def _may_follow(reason: Reason, before: tuple[Reason, ...]) -> bool:
    """One slip in a query is all that is looked for; letters may be spelling all over it."""
    return not before or (reason not in _SLIPS and _SLIPS.isdisjoint(before))


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
        if start == begin:
            run = text[begin:end]
            cost = lexicon.cost(run)
            yield _Edge(end, run, _LATIN + _LATIN_LETTER * len(run) if cost is None else cost)
            for stop in range(start + 2, end):
                cost = lexicon.cost(text[start:stop])
                if cost is not None:
                    yield _Edge(stop, text[start:stop], cost + _JOINED)
    else:
        yield _Edge(end, text[start:end], 0.0)


def _edges(text: str, start: int, begin: int, end: int, lexicon: Lexicon) -> Iterator[_Edge]:
    yield from _literal(text, start, begin, end, lexicon)
    letter = text[start]
    if is_han(letter):
        yield from _slips_of_han(text, start, end, lexicon)
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
