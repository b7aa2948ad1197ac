"""Traditional characters as simplified ones, letter by letter: no text changes its length."""

from functools import lru_cache

from opencc import OpenCC

_HAN = range(0x3400, 0xA000)


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    convert = OpenCC("t2s").convert
    letters = [chr(code) for code in _HAN]
    # One long text instead of ten thousands of short ones; a line each keeps letters apart.
    simplified = convert("\n".join(letters)).split("\n")
    return {
        ord(letter): simple
        for letter, simple in zip(letters, simplified, strict=True)
        if simple != letter and len(simple) == 1
    }


def simplify(text: str) -> str:
    """The text in simplified characters."""
    return text if text.isascii() else text.translate(_table())
