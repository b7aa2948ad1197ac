"""Page cursors: opaque, signed, and only good for the search that made them.

A cursor keeps what the search was taken to mean (Domain rule 30b), so that all pages are over
one match set: of a relevance list also the name of the kept list, of a sorted list the packed
key of the last hit shown.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

import orjson

from kernel.crypto import derived_key
from kernel.errors import Problem
from search.queries import MatchKind, TextPlan

_SIGNATURE_LENGTH = 16
_MAX_LENGTH = 2_000


class BadCursor(Problem):
    """Not a cursor of ours, or one of another search."""

    code = "bad_cursor"
    status = 400
    title = "翻页标记无效，请重新搜索"


class CursorExpired(Problem):
    """The list that the cursor names is no longer kept."""

    code = "cursor_expired"
    status = 410
    title = "结果已过期，请重新搜索"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list goes on. Exactly one of ``kept`` (with ``offset``) and ``after`` is used.

    ``epoch`` is the version of the programme that the list was made under.
    """

    search: str
    epoch: int
    plan: TextPlan
    kept: str = ""
    offset: int = 0
    after: int = 0


def fingerprint(*parts: object) -> str:
    """A short name of a search: the same parts give the same name."""
    # Whatever came in, even halves of characters, has a representation.
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def encode_cursor(cursor: Cursor) -> str:
    """The cursor as a signed string that can stand in an address."""
    body = orjson.dumps(
        [
            cursor.search,
            cursor.epoch,
            cursor.plan.kind.value,
            cursor.plan.spelt,
            cursor.kept,
            cursor.offset,
            cursor.after,
        ]
    )
    return base64.urlsafe_b64encode(_sign(body) + body).rstrip(b"=").decode("ascii")


def decode_cursor(text: str, *, search: str) -> Cursor:
    """The cursor in a string.

    Raises:
        BadCursor: it was not signed by us, or belongs to another search or another person.
    """
    if len(text) > _MAX_LENGTH:
        raise BadCursor
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    signature, body = raw[:_SIGNATURE_LENGTH], raw[_SIGNATURE_LENGTH:]
    if not hmac.compare_digest(signature, _sign(body)):
        raise BadCursor
    # What carries our signature was written by ``encode_cursor``.
    of_search, epoch, kind, spelt, kept, offset, after = orjson.loads(body)
    if of_search != search:
        raise BadCursor
    plan = TextPlan(MatchKind(kind), tuple(spelt))
    return Cursor(of_search, epoch, plan, kept, offset, after)


def _sign(body: bytes) -> bytes:
    return hmac.digest(derived_key("search-cursor"), body, "sha256")[:_SIGNATURE_LENGTH]
