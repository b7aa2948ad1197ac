"""Turns text into tokens, once, for every engine.

No engine analyses Chinese itself: an index holds whitespace-separated tokens that are made
here, and a query is cut by the same functions, so that rankings stay alike on all engines.

A text is cut into *units* (each Han character alone, every run of Latin letters and digits
whole), *grams* (two neighbouring units joined), *words* (by a dictionary) and *pinyin* (of
words: whole, initials, and the affixes that make mixed spellings such as ``阿里bb`` findable).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import rjieba
from pypinyin import Style, lazy_pinyin

from search.understanding.measures import write_measures
from search.understanding.script import simplify

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
# A decimal number stays in one piece with its unit ("4.99kg"); any other run of letters and
# digits is whole; a Han character stands alone. Everything else separates.
_UNIT = re.compile(rf"[{HAN}]|[0-9]+\.[0-9]+[a-z]*|[^\W_{HAN}]+")
_HAN_ONLY = re.compile(rf"[{HAN}]+")
_HAN_RUN_OR_UNIT = re.compile(rf"[{HAN}]+|[0-9]+\.[0-9]+[a-z]*|[^\W_{HAN}]+")
_LETTERS = re.compile(r"[a-z]{1,40}")
_PARTS = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)?")

MAX_UNITS_OF_TEXT = 512
# One real query in a thousand has more.
MAX_UNITS_OF_QUERY = 24
MAX_UNIT_LENGTH = 48
SUFFIX_MARK = "~"
_NOUN_ENDINGS = frozenset("子头儿")
_AFFIX_WORD_LENGTHS = range(3, 9)
_MAX_AFFIX_SYLLABLES = 8


@dataclass(frozen=True, slots=True)
class TokenFields:
    """The token strings of one document: whitespace-separated, one string a field.

    ``title`` and ``extra`` are the units alone, as the second stage of ranking reads them;
    ``chars`` are both, with the parts of mixed runs.
    """

    title: str
    extra: str
    chars: str
    grams: str
    words: str
    pinyin: str


@dataclass(frozen=True, slots=True)
class LatinRun:
    """A run of letters in a query, and whether it touches Han characters (mixed spelling)."""

    text: str
    after_han: bool
    before_han: bool


@dataclass(frozen=True, slots=True)
class QueryTokens:
    """A query cut into distinct tokens, each in the order of its first appearance.

    ``segments`` are the words that a strict match asks for, each as its units: a dictionary
    word of several characters, a single character, or a Latin run. ``light`` are the units
    that only fill a word out (头 of 枕头, 子 of 杯子): they say nothing by themselves.
    """

    text: str
    units: tuple[str, ...]
    grams: tuple[str, ...]
    words: tuple[str, ...]
    segments: tuple[tuple[str, ...], ...]
    latin: tuple[LatinRun, ...]
    light: frozenset[str]


def normalise(text: str) -> str:
    """Half width (NFKC), lower case, simplified characters, sizes written alike; control and
    format characters become spaces."""
    folded = write_measures(simplify(unicodedata.normalize("NFKC", text).lower()))
    if folded.isprintable():
        return folded
    return "".join(char if char.isprintable() else " " for char in folded)


@lru_cache(maxsize=50_000)
def _normalise_name(name: str) -> str:
    """As :func:`normalise`: thousands of products share a brand or a category."""
    return normalise(name)


def cut_units(normalised: str) -> list[str]:
    """Han characters one by one, other runs whole, at most ``MAX_UNITS_OF_TEXT`` of them."""
    return _UNIT.findall(normalised)[:MAX_UNITS_OF_TEXT]


def join_grams(units: Sequence[str]) -> list[str]:
    """Each pair of neighbouring units as one token."""
    return [left + right for left, right in pairwise(units)]


def is_han(token: str) -> bool:
    """Whether the token is made of Han characters only."""
    return _HAN_ONLY.fullmatch(token) is not None


def latin_parts(unit: str) -> list[str]:
    """The letters and the numbers of a mixed run apart: ``k203x`` is ``k``, ``203``, ``x``."""
    parts: list[str] = _PARTS.findall(unit)
    return parts if len(parts) > 1 else []


def syllables(word: str) -> list[str]:
    """The pinyin of a word without tones, one syllable a character; polyphones by the word."""
    return [part for part in lazy_pinyin(word, style=Style.NORMAL, errors="ignore") if part]


@lru_cache(maxsize=50_000)
def spellings(word: str) -> tuple[str, str] | None:
    """``("alibaba", "albb")`` for 阿里巴巴; nothing for a word of fewer than two syllables."""
    parts = syllables(word)
    if len(parts) < 2:
        return None
    return "".join(parts), "".join(part[0] for part in parts)


def pinyin_tokens(word: str, *, affixes: bool) -> list[str]:
    """Tokens by which a word is found from the keyboard.

    The whole pinyin and the initials; with ``affixes`` also ``~bb`` and ``~baba`` (what may
    follow 阿里) and ``al~`` and ``ali~`` (what may stand before 巴巴).
    """
    parts = syllables(word)
    if len(parts) < 2:
        return []
    initials = [part[0] for part in parts]
    tokens = ["".join(parts), "".join(initials)]
    if affixes and len(parts) <= _MAX_AFFIX_SYLLABLES:
        for cut in range(1, len(parts)):
            tokens.append(SUFFIX_MARK + "".join(parts[cut:]))
            tokens.append(SUFFIX_MARK + "".join(initials[cut:]))
            tokens.append("".join(parts[:cut]) + SUFFIX_MARK)
            tokens.append("".join(initials[:cut]) + SUFFIX_MARK)
    return list(dict.fromkeys(tokens))


class _PinyinCache(dict[str, str]):
    """Pinyin tokens by word, filled as words are met.

    Titles draw on one vocabulary, so a lookup nearly always hits; when a strange feed fills
    the cache it starts anew instead of growing without bound.
    """

    max_words = 400_000

    def __init__(self, *, always_affixes: bool) -> None:
        super().__init__()
        self._always_affixes = always_affixes

    def __missing__(self, word: str) -> str:
        if len(self) >= self.max_words:
            self.clear()
        joined = ""
        if len(word) > 1 and not word.isascii():
            affixes = self._always_affixes or len(word) in _AFFIX_WORD_LENGTHS
            joined = " ".join(pinyin_tokens(word[:16], affixes=affixes))
        self[word] = joined
        return joined


_title_pinyin = _PinyinCache(always_affixes=False)
_name_pinyin = _PinyinCache(always_affixes=True)


def tokenise(title: str, extra: str = "", *, names: Iterable[str] = ()) -> TokenFields:
    """The token strings of a document.

    Args:
        title: the product's title.
        extra: further text that is searched: brand, category, keywords, specifications.
        names: brand and category names; they get pinyin as a whole, even where the
            dictionary would cut them.
    """
    main, more = normalise(title), normalise(extra)
    title_units, extra_units = cut_units(main), cut_units(more)
    units = title_units + extra_units
    parts = [part for unit in units if len(unit) > 1 for part in latin_parts(unit)]
    words = [
        word for word in rjieba.cut_for_search(f"{main} {more}" if more else main) if len(word) > 1
    ]
    whole = [name for name in map(_normalise_name, names) if name]
    pinyin = {_title_pinyin[word] for word in words}
    pinyin.update(_name_pinyin[name] for name in whole)
    pinyin.discard("")
    return TokenFields(
        title=" ".join(title_units),
        extra=" ".join(extra_units),
        chars=" ".join(units + parts),
        # No pair across the border: the end of a title and its brand are not a phrase.
        grams=" ".join(join_grams(title_units) + join_grams(extra_units)),
        words=" ".join(words + whole),
        pinyin=" ".join(pinyin),
    )


@lru_cache(maxsize=4_096)
def tokenise_query(text: str) -> QueryTokens:
    """A query cut the way documents are; its length is bounded here, whatever came in."""
    normalised = " ".join(normalise(text).split())
    units = [unit[:MAX_UNIT_LENGTH] for unit in _UNIT.findall(normalised)][:MAX_UNITS_OF_QUERY]
    segments = _segments(normalised)
    words = [word for word in rjieba.cut(normalised) if len(word) > 1 and _UNIT.search(word)]
    return QueryTokens(
        text=normalised,
        units=tuple(dict.fromkeys(units)),
        grams=tuple(dict.fromkeys(join_grams(units))),
        words=tuple(dict.fromkeys(words))[:MAX_UNITS_OF_QUERY],
        segments=segments,
        latin=_latin_runs(normalised),
        light=_light_units(segments),
    )


def with_parts(query: QueryTokens) -> QueryTokens:
    """The query with the parts of its mixed runs as further units, single letters left out."""
    parts = (part for unit in query.units for part in latin_parts(unit) if len(part) > 1)
    return replace(query, units=tuple(dict.fromkeys((*query.units, *parts))))


def _segments(normalised: str) -> tuple[tuple[str, ...], ...]:
    found: dict[tuple[str, ...], None] = {}
    for run in _HAN_RUN_OR_UNIT.findall(normalised):
        if is_han(run):
            for word in rjieba.cut(run):
                found[tuple(word)] = None
        else:
            found[(run[:MAX_UNIT_LENGTH],)] = None
    return tuple(found)[:MAX_UNITS_OF_QUERY]


def _light_units(segments: Sequence[tuple[str, ...]]) -> frozenset[str]:
    """Noun endings of two-character words, unless they also stand in another word."""
    endings = {word[1] for word in segments if len(word) == 2 and word[1] in _NOUN_ENDINGS}
    heavy = {
        unit
        for word in segments
        for unit in (word[:1] if len(word) == 2 and word[1] in _NOUN_ENDINGS else word)
    }
    return frozenset(endings - heavy)


def _latin_runs(normalised: str) -> tuple[LatinRun, ...]:
    runs: dict[LatinRun, None] = {}
    for match in _UNIT.finditer(normalised):
        if _LETTERS.fullmatch(match.group()):
            before = normalised[match.start() - 1 : match.start()] if match.start() else ""
            after = normalised[match.end() : match.end() + 1]
            runs[LatinRun(match.group(), is_han(before), is_han(after))] = None
    return tuple(runs)[:MAX_UNITS_OF_QUERY]
