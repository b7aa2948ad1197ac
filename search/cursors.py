"""Page cursors: opaque, signed, and only good for the search that made them.

A cursor keeps what the search was taken to mean (Domain rule 30b), so that all pages are over
one match set: of a relevance list also the name of the kept list, of a sorted list the packed
key of the last hit shown.
"""

import hashlib
from dataclasses import dataclass

from kernel import cursors
from kernel.cursors import BadCursor
from kernel.errors import Problem
from search.matching import MatchKind, TextPlan

_PARTS = 10


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
    return cursors.pack(
        [
            cursor.search,
            cursor.epoch,
            cursor.plan.kind.value,
            cursor.plan.spelt,
            cursor.plan.corrected,
            cursor.plan.variants,
            cursor.plan.also,
            cursor.kept,
            cursor.offset,
            cursor.after,
        ]
    )


def decode_cursor(text: str, *, search: str) -> Cursor:
    """The cursor in a string.

    Raises:
        BadCursor: it was not signed by us, or belongs to another search or another person.
    """
    value = cursors.unpack(text)
    # A cursor of another list carries our signature too, and another shape.
    if not isinstance(value, list) or len(value) != _PARTS or value[0] != search:
        raise BadCursor
    of_search, epoch, kind, spelt, corrected, variants, also, kept, offset, after = value
    plan = TextPlan(MatchKind(kind), tuple(spelt), corrected, tuple(variants), tuple(also))
    return Cursor(of_search, epoch, plan, kept, offset, after)
