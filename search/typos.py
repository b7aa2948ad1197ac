"""Queries as people mistype them, made by rule from real ones, and how many still find the same."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from search.tokens import is_han, normalise, syllables, tokenise_query
from search.understanding.lexicon import Lexicon
from search.understanding.similar_letters import look_alikes

KINDS = ("wrong letter", "missing letter", "pinyin instead", "mixed")
_TOP = 10


@dataclass(frozen=True, slots=True)
class Typo:
    """A real query, and what was typed for it."""

    clean: str
    typed: str
    kind: str


def make_typos(
    queries: Sequence[str], letters: Sequence[str], *, count: int, seed: int
) -> list[Typo]:
    """``count`` typos of random queries, each kind in turn.

    ``letters`` are the Han characters that a wrong one is taken from.
    """
    # The same typos every time, nothing secret.
    chance = random.Random(seed)  # noqa: S311
    homophones: dict[str, list[str]] = {}
    for letter in letters:
        homophones.setdefault(syllables(letter)[0], []).append(letter)
    found: list[Typo] = []
    for text in chance.sample(list(queries), len(queries)):
        if len(found) == count:
            break
        clean = " ".join(normalise(text).split())
        kind = KINDS[len(found) % len(KINDS)]
        typed = _MAKERS[kind](clean, homophones, chance)
        if typed is not None and typed != clean:
            found.append(Typo(clean, typed, kind))
    return found


def _wrong(text: str, homophones: dict[str, list[str]], chance: random.Random) -> str | None:
    places = [place for place, letter in enumerate(text) if is_han(letter)]
    if len(places) < 2:
        return None
    place = chance.choice(places)
    letter = text[place]
    alike = homophones.get(syllables(letter)[0], [])
    others = sorted({*alike, *look_alikes(letter)} - {letter})
    return text[:place] + chance.choice(others) + text[place + 1 :] if others else None


def _missing(text: str, _: dict[str, list[str]], chance: random.Random) -> str | None:
    places = [place for place, letter in enumerate(text) if is_han(letter)]
    if len(places) < 3:
        return None
    place = chance.choice(places)
    return text[:place] + text[place + 1 :]


def _words(text: str) -> list[str]:
    return ["".join(units) for units in tokenise_query(text).segments if len(units) > 1]


def _pinyin(text: str, _: dict[str, list[str]], chance: random.Random) -> str | None:
    words = _words(text)
    if not words:
        return None
    word = chance.choice(words)
    return text.replace(word, "".join(syllables(word)), 1)


def _mixed(text: str, _: dict[str, list[str]], chance: random.Random) -> str | None:
    words = _words(text)
    if not words:
        return None
    word = chance.choice(words)
    cut = chance.randrange(1, len(word))
    parts = syllables(word[cut:])
    rest = "".join(parts) if chance.random() < 0.5 else "".join(part[0] for part in parts)
    return text.replace(word, word[:cut] + rest, 1)


_MAKERS: dict[str, Callable[[str, dict[str, list[str]], random.Random], str | None]] = {
    "wrong letter": _wrong,
    "missing letter": _missing,
    "pinyin instead": _pinyin,
    "mixed": _mixed,
}


def measure_typos(
    typos: Sequence[Typo],
    find: Callable[[str], Sequence[str]],
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Of each kind, how often the clean query's first result is among the first ten.

    ``find`` gives product ids, best first. Clean queries that find nothing are left out.
    """
    hits: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    failed: list[list[str]] = []
    for number, typo in enumerate(typos, 1):
        wanted = find(typo.clean)[:1]
        if wanted:
            hit = wanted[0] in find(typo.typed)[:_TOP]
            hits[typo.kind].append(hit)
            if not hit:
                failed.append([typo.clean, typo.typed])
        if progress is not None:
            progress(number)
    every = [hit for each in hits.values() for hit in each]
    return {
        "typos": len(every),
        "recall_at_10": _share(every),
        "kinds": {
            kind: {"typos": len(each), "recall_at_10": _share(each)} for kind, each in hits.items()
        },
        "failed": failed,
    }


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def letters_of(lexicon: Lexicon) -> list[str]:
    """The Han characters that the mall's titles are written with."""
    return sorted(text for text in lexicon.own_words() if len(text) == 1)
