"""Which characters are easily typed for one another: they sound alike, or look alike."""

from functools import lru_cache
from pathlib import Path

from pypinyin import Style, pinyin

_FILE = Path(__file__).with_name("lookalikes.txt")


def look_alikes(letter: str) -> frozenset[str]:
    """The characters that look like this one."""
    return _look_alikes().get(letter, frozenset())


@lru_cache(maxsize=1)
def _look_alikes() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in _FILE.read_text("utf-8").split():
        for letter in group:
            found.setdefault(letter, set()).update(group)
    return {letter: frozenset(group - {letter}) for letter, group in found.items()}


@lru_cache(maxsize=50_000)
def sounds(letter: str) -> frozenset[str]:
    """All readings of a character without tones, as people who mix up sounds hear them."""
    found = pinyin(letter, style=Style.NORMAL, heteronym=True, errors="ignore")
    return frozenset(_blur(reading) for readings in found for reading in readings)


def _blur(reading: str) -> str:
    """``zhuang`` and ``zuan`` alike: zh, ch, sh and the ng of an ending are often mixed up."""
    if reading[:2] in {"zh", "ch", "sh"}:
        reading = reading[0] + reading[2:]
    return reading.removesuffix("g") if reading.endswith("ng") else reading


@lru_cache(maxsize=100_000)
def mixed_up(left: str, right: str) -> bool:
    """Whether one of two different Han characters is easily typed for the other."""
    return left != right and (right in look_alikes(left) or bool(sounds(left) & sounds(right)))
