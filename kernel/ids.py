"""Public identifiers (Domain rule 35): random, prefixed, safe in a URL, made only here."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
LENGTH = 20  # 100 random bits
# Two letters at a time: a feed of a million rows makes millions of ids.
_PAIRS = [first + second for second in ALPHABET for first in ALPHABET]
_SHIFTS = range(0, 5 * LENGTH, 10)

_source: random.Random = secrets.SystemRandom()


@contextmanager
def predictable(seed: int) -> Iterator[None]:
    """The demo world's ids are the same each time it is made; nothing else may call this."""
    global _source
    before, _source = _source, random.Random(seed)  # noqa: S311 -- demo ids are no secret
    try:
        yield
    finally:
        _source = before


def public_id(prefix: str) -> str:
    """A new id such as ``ord_4k2m…``: the prefix and 100 random bits."""
    number = _source.getrandbits(5 * LENGTH)
    return prefix + "_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
