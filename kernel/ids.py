"""Public identifiers (Domain rule 35): random, prefixed, safe in a URL, made only here."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
LENGTH = 20  # 100 random bits


def public_id(prefix: str) -> str:
    """A new id such as ``ord_4k2m…``: the prefix and 100 random bits."""
    number = secrets.randbits(5 * LENGTH)
    return prefix + "_" + "".join(ALPHABET[(number >> 5 * i) & 31] for i in range(LENGTH))
