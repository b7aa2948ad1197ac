"""Opaque, signed cursors: a page's position that nobody can forge or read meaning into."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

import orjson

from kernel.crypto import derived_key
from kernel.errors import Problem

_SEAL_BYTES = 10


class BadCursor(Problem):
    code = "bad_cursor"
    status = 400
    title = "翻页标记无效，请从第一页开始"


def pack(value: Any) -> str:
    """A URL-safe cursor of a small JSON value."""
    body = orjson.dumps(value)
    seal = hmac.digest(derived_key("cursor"), body, "sha256")[:_SEAL_BYTES]
    return base64.urlsafe_b64encode(seal + body).decode().rstrip("=")


def unpack(cursor: str | None) -> Any:
    """The value; None for no cursor. Raises :class:`BadCursor` for one that we did not make."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):  # letters outside of the alphabet, or not ASCII
        raise BadCursor from None
    seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    expected = hmac.digest(derived_key("cursor"), body, "sha256")[:_SEAL_BYTES]
    if not hmac.compare_digest(seal, expected):
        raise BadCursor
    return orjson.loads(body)
