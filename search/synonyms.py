"""Synonyms and brand aliases, kept by the platform's operators and in use within seconds.

The index knows nothing of them: they widen a query when it is asked, so that no change of them
needs a rebuild.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select

from kernel import clock
from kernel.audit import services as audit_log
from kernel.auth.policy import Actor
from kernel.db import db
from kernel.errors import InvalidInput, NotFound, Problem
from kernel.ids import public_id
from kernel.remembered import Remembered
from search.models import SearchSynonym
from search.remembering import forget_after_commit
from search.tokens import cut_units, normalise

MAX_SYNONYMS = 2_000
MAX_WORDS = 20
MAX_WORD = 32
_SECONDS = 5.0


class SynonymKind(StrEnum):
    """Members of a group stand for each other; an alias stands for its words, not they for it."""

    GROUP = "group"
    ALIAS = "alias"


class TooManySynonyms(Problem):
    """Every search process holds all of them, so there is an end to their number."""

    code = "too_many_synonyms"
    status = 409
    title = "同义词太多，请先删除不用的"


@dataclass(frozen=True, slots=True)
class Synonyms:
    """All synonyms that are switched on."""

    _alternatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def alternatives(self, word: str) -> tuple[str, ...]:
        """What else ``word`` may stand for, without itself, oldest entry first; often nothing.

        The word and the answer are in the form of :func:`normal_word`. Not transitive: where a
        group joins A and B and another B and C, A does not stand for C.
        """
        return self._alternatives.get(word, ())


@dataclass(frozen=True, slots=True)
class SynonymView:
    """An entry as operators see it; ``changed_by`` is a person's public id."""

    public_id: str
    kind: SynonymKind
    word: str
    words: tuple[str, ...]
    active: bool
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SynonymInput:
    """An entry as it is asked for; the words in any writing."""

    kind: SynonymKind
    word: str
    words: Sequence[str]
    active: bool = True


def normal_word(text: str) -> str:
    """A word as queries are normalised, with single spaces."""
    return " ".join(normalise(text).split())


# --- in searches ---------------------------------------------------------------------------


_ALL = "all"
_remembered: Remembered[str, Synonyms] = Remembered(_SECONDS, most=1)


def current_synonyms() -> Synonyms:
    """The synonyms of some seconds ago at most; of now, where this process changed them."""
    return _remembered.find((_ALL,), lambda _: {_ALL: _read()})[_ALL]


def _read() -> Synonyms:
    rows = db.session.execute(
        select(SearchSynonym.kind, SearchSynonym.word, SearchSynonym.words)
        .where(SearchSynonym.active.is_(True))
        .order_by(SearchSynonym.id)
        .limit(MAX_SYNONYMS)
    )
    return build_synonyms((SynonymKind(kind), word, words) for kind, word, words in rows)


def build_synonyms(entries: Iterable[tuple[SynonymKind, str, Sequence[str]]]) -> Synonyms:
    """Synonyms of entries of (kind, alias or "", normalised words)."""
    found: dict[str, dict[str, None]] = {}
    for kind, alias, words in entries:
        for word in (alias,) if kind is SynonymKind.ALIAS else words:
            others = found.setdefault(word, {})
            others.update((other, None) for other in words if other != word)
    return Synonyms({word: tuple(others) for word, others in found.items()})


# --- for operators -------------------------------------------------------------------------


def list_synonyms(*, word: str, before: int | None, limit: int) -> list[tuple[int, SynonymView]]:
    """Entries with their inside ids, newest first; with ``word`` only those in which it stands."""
    statement = select(SearchSynonym).order_by(SearchSynonym.id.desc())
    if before is not None:
        statement = statement.where(SearchSynonym.id < before)
    wanted = normal_word(word)
    if not wanted:
        return [(row.id, _view(row)) for row in db.session.scalars(statement.limit(limit))]
    # A word stands in a JSON text; there are no more than MAX_SYNONYMS rows to look through.
    rows = db.session.scalars(statement.limit(MAX_SYNONYMS))
    fitting = (row for row in rows if any(wanted in each for each in (row.word, *row.words)))
    return [(row.id, _view(row)) for row, _ in zip(fitting, range(limit), strict=False)]


def add_synonym(*, actor: Actor, data: SynonymInput) -> SynonymView:
    """Add an entry.

    Raises:
        InvalidInput: a word says nothing, or there are too few.
        TooManySynonyms: there is no room for one more.
    """
    word, words = _checked(data)
    if (db.session.scalar(select(func.count()).select_from(SearchSynonym)) or 0) >= MAX_SYNONYMS:
        raise TooManySynonyms
    row = SearchSynonym(public_id=public_id("syn"))
    db.session.add(row)
    return _write(row, actor, data, word, words, action="search.synonym_added")


def change_synonym(*, actor: Actor, synonym_id: str, data: SynonymInput) -> SynonymView:
    """Replace an entry, or switch it on or off.

    Raises:
        InvalidInput: a word says nothing, or there are too few.
        NotFound: there is no such entry.
    """
    word, words = _checked(data)
    return _write(_find(synonym_id), actor, data, word, words, action="search.synonym_changed")


def delete_synonym(*, actor: Actor, synonym_id: str) -> None:
    """Delete an entry. Raises :class:`NotFound`."""
    row = _find(synonym_id)
    audit_log.record(
        actor=actor.person_public_id,
        action="search.synonym_deleted",
        subject=row.public_id,
        details={"kind": row.kind, "word": row.word, "words": row.words},
    )
    db.session.delete(row)
    forget_after_commit(_remembered)


def _write(
    row: SearchSynonym,
    actor: Actor,
    data: SynonymInput,
    word: str,
    words: list[str],
    *,
    action: str,
) -> SynonymView:
    row.kind, row.word, row.words, row.active = data.kind.value, word, words, data.active
    row.changed_by, row.changed_at = actor.person_public_id, clock.now()
    db.session.flush()
    audit_log.record(
        actor=actor.person_public_id,
        action=action,
        subject=row.public_id,
        details={"kind": row.kind, "word": word, "words": words, "active": data.active},
    )
    forget_after_commit(_remembered)
    return _view(row)


def _find(synonym_id: str) -> SearchSynonym:
    row = db.session.scalar(
        select(SearchSynonym).where(SearchSynonym.public_id == synonym_id).with_for_update()
    )
    if row is None:
        raise NotFound("没有这条同义词")
    return row


def _view(row: SearchSynonym) -> SynonymView:
    return SynonymView(
        public_id=row.public_id,
        kind=SynonymKind(row.kind),
        word=row.word,
        words=tuple(row.words),
        active=row.active,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )


def _checked(data: SynonymInput) -> tuple[str, list[str]]:
    """The normalised alias (or nothing) and the distinct normalised words."""
    is_alias = data.kind is SynonymKind.ALIAS
    word = normal_word(data.word) if is_alias else ""
    words = list(dict.fromkeys(map(normal_word, data.words)))
    errors = [
        {"field": f"words.{place}", "message": "每个词要有文字或数字，最多 32 个字"}
        for place, each in enumerate(data.words)
        if not _says_something(normal_word(each))
    ]
    if is_alias and not _says_something(word):
        errors.append({"field": "word", "message": "别名要有文字或数字，最多 32 个字"})
    if is_alias and word in words:
        errors.append({"field": "words", "message": "别名不能指向自己"})
    if len(words) < (1 if is_alias else 2):
        errors.append({"field": "words", "message": "同义词至少要有两个不同的词"})
    if errors:
        raise InvalidInput("同义词有误", errors=errors)
    return word, words


def _says_something(word: str) -> bool:
    return len(word) <= MAX_WORD and bool(cut_units(word))
