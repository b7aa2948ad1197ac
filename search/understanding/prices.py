"""Prices in words: ``100元以内的保温杯`` asks for 保温杯 up to 100 yuan."""

import re
from dataclasses import dataclass

_NUMBER = r"(?:[¥￥]\s*)?([0-9]{1,6}(?:\.[0-9]{1,2})?)"
_YUAN = r"(?:元|块钱|块)"
_BETWEEN = re.compile(
    rf"{_NUMBER}\s*{_YUAN}?\s*(?:-|~|到|至)\s*{_NUMBER}\s*{_YUAN}(?:之间|左右|的)*"
)
_MOST = re.compile(
    rf"(?:不超过|不到|低于)\s*{_NUMBER}\s*{_YUAN}(?:的)?|{_NUMBER}\s*{_YUAN}?(?:以内|以下|之内)(?:的)?"
)
_LEAST = re.compile(
    rf"(?:不低于|高于|超过)\s*{_NUMBER}\s*{_YUAN}(?:的)?|{_NUMBER}\s*{_YUAN}(?:以上|起)(?:的)?"
)


@dataclass(frozen=True, slots=True)
class PriceWords:
    """The words about a price, its bounds in fen (inclusive), and the query without them."""

    words: str
    low: int | None
    high: int | None
    rest: str


def price_words(text: str) -> PriceWords | None:
    """The first words about a price in a normalised query, unless nothing else is asked for."""
    for pattern, bounds in ((_BETWEEN, _both), (_MOST, _at_most), (_LEAST, _at_least)):
        match = pattern.search(text)
        if match is None:
            continue
        rest = " ".join(f"{text[: match.start()]} {text[match.end() :]}".split())
        low, high = bounds(match)
        if rest and (low is None or high is None or low <= high):
            return PriceWords(match.group().strip().rstrip("的"), low, high, rest)
    return None


def _fen(yuan: str) -> int:
    whole, _, part = yuan.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") if part else 0)


def _both(match: re.Match[str]) -> tuple[int | None, int | None]:
    return _fen(match.group(1)), _fen(match.group(2))


def _at_most(match: re.Match[str]) -> tuple[int | None, int | None]:
    return None, _fen(match.group(1) or match.group(2))


def _at_least(match: re.Match[str]) -> tuple[int | None, int | None]:
    return _fen(match.group(1) or match.group(2)), None
