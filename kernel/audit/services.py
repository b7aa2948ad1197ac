"""Write and verify the audit log: each row's digest covers the row and the digest before it."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import insert, select, update

from kernel import clock
from kernel.audit.models import AuditEntry, AuditHead
from kernel.crypto import derived_key
from kernel.db import db, insert_once

_GENESIS = "0" * 64
_PAGE = 1000
_LOCK_HEAD = select(AuditHead.number, AuditHead.digest).where(AuditHead.id == 1).with_for_update()


def _digest(previous: str, number: int, at: datetime, fields: list[Any]) -> str:
    content = orjson.dumps([previous, number, at.isoformat(), *fields], option=orjson.OPT_SORT_KEYS)
    return hmac.new(derived_key("audit-chain"), content, "sha256").hexdigest()


def _seal(number: int, digest: str) -> str:
    return hmac.new(derived_key("audit-head"), f"{number}:{digest}".encode(), "sha256").hexdigest()


def record(*, actor: str, action: str, subject: str, details: dict[str, Any] | None = None) -> int:
    """Append one row in the current transaction and return its number.

    ``actor`` and ``subject`` are public ids; ``details`` hold no personal data. The head row is
    locked, so rows stand in one order on every database.
    """
    head = db.session.execute(_LOCK_HEAD).one_or_none()
    if head is None:
        # Two may write the first entry at once: one makes the head, and both then wait for it.
        first = {"id": 1, "number": 0, "digest": _GENESIS, "seal": _seal(0, _GENESIS)}
        insert_once(insert(AuditHead), first)
        head = db.session.execute(_LOCK_HEAD).one()
    number, previous = head.number + 1, head.digest
    at, kept = clock.now(), details or {}
    digest = _digest(previous, number, at, [actor, action, subject, kept])
    db.session.execute(
        insert(AuditEntry).values(
            number=number,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            details=kept,
            digest=digest,
        )
    )
    values = {"number": number, "digest": digest, "seal": _seal(number, digest)}
    db.session.execute(update(AuditHead).where(AuditHead.id == 1).values(**values))
    return int(number)


def _rows() -> Iterator[AuditEntry]:
    last = 0
    while True:
        page = db.session.scalars(
            select(AuditEntry)
            .where(AuditEntry.number > last)
            .order_by(AuditEntry.number)
            .limit(_PAGE)
        ).all()
        if not page:
            return
        yield from page
        last = page[-1].number
        db.session.expunge_all()


def verify() -> str | None:
    """None where the log is whole, else a sentence that names the first wrong row."""
    previous, expected = _GENESIS, 1
    for row in _rows():
        if row.number != expected:
            return f"row {expected} was removed or moved (row {row.number} follows)"
        digest = _digest(
            previous, row.number, row.at, [row.actor, row.action, row.subject, row.details]
        )
        if digest != row.digest:
            return f"row {row.number} was changed or moved"
        previous, expected = digest, expected + 1
    head = db.session.execute(select(AuditHead)).scalar_one_or_none()
    if head is None:
        return None if expected == 1 else f"the head is missing; the log ends at row {expected - 1}"
    if head.seal != _seal(head.number, head.digest):
        return "the head was changed"
    if head.number != expected - 1:
        return f"the log was cut off after row {expected - 1}; row {expected} is missing"
    return None if head.digest == previous else f"row {head.number} was changed or moved"
