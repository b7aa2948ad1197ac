"""Suggestions while one types: by characters, pinyin and initials, from a sorted list of keys.

The worker writes the list beside the index (``suggestions.json``) when the index was rebuilt
or has changed; every process reads it when it was replaced. What is suggested is asked of the
index first, so that nothing is offered that would lead to results the person may not see.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
import rjieba

from enterprises.services.eligibility import Viewer
from search import documents
from search.engines.base import AllOf, AnyValue, Clause, EngineUnavailable, NumberField
from search.engines.choice import get_engine
from search.engines.files import replace_file, stamp
from search.goods_filters import Scope, visible_clause
from search.matching import MatchKind, TextPlan, match_clause
from search.suggestion_source import SuggestSource
from search.tokens import is_han, normalise, spellings, syllables, tokenise_query
from search.understanding.everyday import everyday
from search.understanding.lexicon import Lexicon, Word
from shop.rules import GoodsRule
from shop.services.categories import category_tree

MAX_TEXT = 40
SHOWN = 10
# Enough to find ten that lead somewhere; a bound on what one keystroke may cost.
_TRIED = 40
_SCANNED = 400
_ASKED_AT_ONCE = 12
_MAX_WORDS = 25_000
_MIN_WORD_COUNT = 2
_FILE = "suggestions.json"
_LEXICON_SECONDS = 600.0


class Kind(StrEnum):
    """What a suggestion is; the order in which equals are shown."""

    CATEGORY = "category"
    BRAND = "brand"
    QUERY = "query"
    PRODUCT = "product"


_BOOST = {Kind.CATEGORY: 3, Kind.BRAND: 2, Kind.QUERY: 1, Kind.PRODUCT: 0}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to suggest. ``ref`` is its inside id (0 for words), ``weight`` its use."""

    text: str
    kind: Kind
    ref: int
    weight: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggestion as it is shown."""

    text: str
    kind: Kind


class SuggestionList:
    """Entries under all the keys that may be typed for them, sorted for prefix search.

    ``made_of`` names the state of the index that the list goes with.
    """

    def __init__(
        self, entries: Sequence[Entry], keys: Sequence[tuple[str, int]], *, made_of: str = ""
    ) -> None:
        self.made_of = made_of
        self._entries = entries
        self._keys = [key for key, _ in keys]
        self._refs = [ref for _, ref in keys]

    def find(self, typed: str) -> list[Entry]:
        """Entries with a key that begins with what was typed, the most used first."""
        found: dict[int, int] = {}
        start = bisect_left(self._keys, typed)
        for place in range(start, min(start + _SCANNED, len(self._keys))):
            if not self._keys[place].startswith(typed):
                break
            # The shorter the key, the more of it was typed.
            found.setdefault(self._refs[place], len(self._keys[place]))
        for ref in self._mixed(typed):
            found.setdefault(ref, len(typed))
        return [
            self._entries[ref]
            for ref in sorted(
                found,
                key=lambda ref: (
                    found[ref] != len(typed),
                    -_BOOST[self._entries[ref].kind],
                    -self._entries[ref].weight,
                    len(self._entries[ref].text),
                ),
            )
        ]

    def _mixed(self, typed: str) -> Iterator[int]:
        """Characters and then letters: ``阿里b`` is the beginning of 阿里巴巴."""
        split = next((place for place, letter in enumerate(typed) if not is_han(letter)), 0)
        head, tail = typed[:split], typed[split:].replace(" ", "")
        if not head or not tail:
            return
        start = bisect_left(self._keys, head)
        for place in range(start, min(start + _SCANNED, len(self._keys))):
            key = self._keys[place]
            if not key.startswith(head):
                break
            parts = syllables(key[split:])
            if "".join(parts).startswith(tail) or "".join(p[0] for p in parts).startswith(tail):
                yield self._refs[place]

    def lexicon(self) -> Lexicon:
        """The words of titles, the names of brands and categories, and the letters of titles."""
        titles = [entry.text for entry in self._entries if entry.kind is Kind.PRODUCT]
        letters = Counter(letter for title in titles for letter in normalise(title))
        words: list[Word] = []
        most = max((entry.weight for entry in self._entries if entry.kind is Kind.QUERY), default=1)
        for entry in self._entries:
            if entry.kind is not Kind.PRODUCT:
                named = entry.kind in {Kind.BRAND, Kind.CATEGORY}
                words.append(Word(entry.text, entry.weight + (most if named else 0), named))
        words += [Word(letter, count) for letter, count in letters.items() if is_han(letter)]
        return Lexicon(words, everyday(), titles)

    def to_json(self) -> bytes:
        """The file's content."""
        return orjson.dumps(
            {
                "made_of": self.made_of,
                "entries": [[e.text, e.kind.value, e.ref, e.weight] for e in self._entries],
                "keys": list(zip(self._keys, self._refs, strict=True)),
            }
        )

    @classmethod
    def from_json(cls, content: bytes) -> "SuggestionList":
        """Read the file's content."""
        value = orjson.loads(content)
        entries = [
            Entry(text, Kind(kind), ref, weight) for text, kind, ref, weight in value["entries"]
        ]
        keys = [(key, ref) for key, ref in value["keys"]]
        return cls(entries, keys, made_of=value.get("made_of", ""))


def build_list(source: SuggestSource, *, made_of: str = "") -> SuggestionList:
    """Categories, brands, the most sold products and the words of their titles."""
    entries = [
        *(Entry(name, Kind.CATEGORY, ref, 0) for ref, name in source.categories),
        *(Entry(name, Kind.BRAND, ref, 0) for ref, name in source.brands),
        *(Entry(title, Kind.PRODUCT, ref, sold) for ref, title, sold in source.products),
    ]
    known = {normalise(entry.text) for entry in entries}
    entries += [
        Entry(word, Kind.QUERY, 0, count)
        for word, count in _common_words(source.titles)
        if word not in known
    ]
    keys = [(key, ref) for ref, entry in enumerate(entries) for key in _keys(entry)]
    return SuggestionList(entries, sorted(keys), made_of=made_of)


def _common_words(titles: Iterable[str]) -> list[tuple[str, int]]:
    words: Counter[str] = Counter()
    for title in titles:
        words.update({word for word in rjieba.cut(normalise(title)) if len(word) > 1})
    common = words.most_common(_MAX_WORDS)
    return [
        (word, count)
        for word, count in common
        if count >= _MIN_WORD_COUNT and not any(map(str.isdigit, word)) and word.strip()
    ]


def _keys(entry: Entry) -> set[str]:
    """What may be typed: the text itself, and its pinyin and initials (of a title's start)."""
    text = " ".join(normalise(entry.text).split())
    keys = {text}
    keys.update(spellings(text if entry.kind is not Kind.PRODUCT else text[:8]) or ())
    return {key for key in keys if key}


class SuggestionFile:
    """The list on disk, read again when it was replaced."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._list = SuggestionList((), ())
        self._lexicon = Lexicon(())
        self._made_of = self._list
        self._made_at = 0.0

    def current(self) -> SuggestionList:
        """The newest list; an empty one before the first was written."""
        found = stamp(self._path)
        if found is not None and found != self._stamp:
            with self._lock:
                self._list = SuggestionList.from_json(self._path.read_bytes())
                self._stamp = found
        return self._list

    def lexicon(self) -> Lexicon:
        """The words of a list that was the newest some minutes ago at most.

        Making one takes a good part of a second, so a newer one is made beside the searches.
        """
        current = self.current()
        with self._lock:
            if current is not self._made_of:
                if not self._lexicon:
                    self._lexicon = current.lexicon()
                    self._made_of, self._made_at = current, time.monotonic()
                elif time.monotonic() > self._made_at + _LEXICON_SECONDS:
                    self._made_of, self._made_at = current, time.monotonic()
                    threading.Thread(target=self._renew, args=(current,), daemon=True).start()
            return self._lexicon

    def _renew(self, current: SuggestionList) -> None:
        lexicon = current.lexicon()
        with self._lock:
            self._lexicon = lexicon

    def write(self, suggestions: SuggestionList) -> None:
        """Replace the list for all processes."""
        replace_file(self._path, suggestions.to_json())


def suggest(*, viewer: Viewer, text: str, suggestions: SuggestionFile) -> list[Suggestion]:
    """At most ten suggestions for what was typed so far; each finds something to see."""
    typed = " ".join(normalise(text[:MAX_TEXT]).split())
    if not typed:
        return []
    sellers = documents.all_seller_ids() if viewer.programme.exclude.get("merchants") else None
    visible = visible_clause(Scope((viewer.programme,), sellers or frozenset()))
    shown: dict[str, Suggestion] = {}
    tried = suggestions.current().find(typed)[:_TRIED]
    # Most lead somewhere, so that the first few are nearly always enough.
    for start in range(0, len(tried), _ASKED_AT_ONCE):
        entries = tried[start : start + _ASKED_AT_ONCE]
        for entry, leads in zip(entries, _lead_somewhere(viewer, entries, visible), strict=True):
            if leads:
                shown.setdefault(entry.text, Suggestion(entry.text, entry.kind))
        if len(shown) >= SHOWN:
            break
    return list(shown.values())[:SHOWN]


_REF_FIELDS = {
    Kind.CATEGORY: NumberField.CATEGORY,
    Kind.BRAND: NumberField.BRAND,
    Kind.PRODUCT: NumberField.PRODUCT,
}


def _lead_somewhere(viewer: Viewer, entries: Sequence[Entry], visible: Clause) -> Sequence[bool]:
    """Of each entry, whether it leads to something that may be seen."""
    try:
        view = get_engine().view()
        counts = view.counts([AllOf((visible, _target(each))) for each in entries])
        return [count > 0 for count in counts]
    except EngineUnavailable:
        return [_may_lead(viewer.programme, entry) for entry in entries]


def _target(entry: Entry) -> Clause:
    number = _REF_FIELDS.get(entry.kind)
    if number is not None:
        return AnyValue(number, (entry.ref,))
    return match_clause(tokenise_query(entry.text), TextPlan(MatchKind.ALL_WORDS))


def _may_lead(rule: GoodsRule, entry: Entry) -> bool:
    """What can be said without the index: a word tells nothing, the rest must not be out.

    A single product is only offered where no rule hides anything.
    """
    if entry.kind is Kind.PRODUCT:
        return not rule.include and not rule.exclude
    dimension = _RULE_NAMES.get(entry.kind)
    if dimension is None:
        return True
    ids = {entry.ref}
    if entry.kind is Kind.CATEGORY:
        tree = category_tree()
        ids = set(tree.with_ancestors(entry.ref)) if entry.ref in tree.by_id else set()
    wanted, unwanted = rule.include.get(dimension), rule.exclude.get(dimension, frozenset())
    return bool(ids) and not ids & unwanted and (not wanted or bool(ids & wanted))


_RULE_NAMES = {Kind.CATEGORY: "categories", Kind.BRAND: "brands"}
