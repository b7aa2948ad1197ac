"""Idempotency keys (Domain rule 28).

The key's row is written in the transaction of the command's first step, so that a crash cannot
leave an effect without its key. A second request with the same key waits for the first one, up
to five seconds, and gets its stored answer. Refusals (4xx) roll back and are not stored: nothing
happened, so the same key may be tried again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
from sqlalchemy import (
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, BigId, LongText, UtcDateTime, db, run, write_transaction
from kernel.errors import Problem
from kernel.mariadb import LOCK_WAIT_TIMEOUT, error_code
from kernel.retrying import always, with_retries

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.03
# Longer than the gateway's time-out, shorter than the wait: whoever retries after a crash takes
# over inside one request. Two runners at once are harmless, every step is idempotent itself.
LEASE = timedelta(seconds=4.5)
KEPT = timedelta(hours=48)

STARTED, COMPLETED = "started", "completed"


class IdempotencyKey(Base):
    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("actor", "key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    actor: Mapped[str] = mapped_column(String(40), nullable=False)
    key: Mapped[str] = mapped_column(String(255), nullable=False)
    input_hash: Mapped[str] = mapped_column(String(64), nullable=False)
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    # What the first step made, so that a retry resumes at the step it reached.
    reference: Mapped[str | None] = mapped_column(String(64))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column()
    body: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)


# Statements of every command are made once: building one costs more than running it.
_KEYS = cast("Table", IdempotencyKey.__table__)
_THIS = (_KEYS.c.actor == bindparam("the_actor")) & (_KEYS.c.key == bindparam("the_key"))
_FIND = select(IdempotencyKey).where(_THIS)
_FIND_LOCKED = _FIND.with_for_update()
_INSERT = insert(_KEYS)
_REMEMBER = (
    update(_KEYS)
    .where(_THIS)
    .values(reference=bindparam("new_reference"), leased_until=bindparam("new_lease"))
)
_COMPLETE = (
    update(_KEYS)
    .where(_THIS)
    .values(
        state=COMPLETED,
        status=bindparam("new_status"),
        body=bindparam("new_body"),
        leased_until=None,
    )
)
_RELEASE = update(_KEYS).where(_THIS).values(leased_until=None)


class KeyRequired(Problem):
    code = "idempotency_key_required"
    status = 400
    title = "请求头缺少 Idempotency-Key"


class KeyReused(Problem):
    code = "idempotency_key_reused"
    status = 422
    title = "同一个 Idempotency-Key 用在了不同的请求上"


class KeyInProgress(Problem):
    code = "idempotency_key_in_progress"
    status = 409
    title = "同一请求仍在处理中，请稍后再试"


@dataclass(frozen=True)
class Scope:
    """Who sent which key with which input."""

    actor: str
    key: str
    input_hash: str

    @classmethod
    def of(cls, *, actor: str, key: str | None, command: str, payload: Any) -> Scope:
        """``command`` is the method and path; the payload is hashed in canonical form.

        Raises :class:`KeyRequired` without a key of 1 to 255 printable characters.
        """
        if not key or len(key) > 255 or not key.isprintable():
            raise KeyRequired
        canonical = orjson.dumps([command, payload], option=orjson.OPT_SORT_KEYS)
        return cls(actor, key, hashlib.sha256(canonical).hexdigest())


@dataclass(frozen=True)
class Answer:
    """A finished answer: HTTP status and the exact bytes of its JSON body."""

    status: int
    body: bytes

    @classmethod
    def json(cls, status: int, value: Any) -> Answer:
        return cls(status, orjson.dumps(value))


@dataclass(frozen=True)
class Pending:
    """The first step is committed; ``reference`` names what the next steps go on with."""

    reference: str


def begin(scope: Scope, first_step: Callable[[], Answer | Pending]) -> Answer | Pending:
    """Run ``first_step`` once for this key, in one transaction with the key's row.

    Returns its answer, the stored answer of an earlier request, or :class:`Pending` where the
    caller must do (or resume) the next steps and call :func:`complete`.
    Raises :class:`KeyReused`, :class:`KeyInProgress`, and whatever the first step raises.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with write_transaction():
                claimed = _claim(scope)
                if claimed is None:
                    outcome = first_step()
                    _record(scope, outcome)
                    return outcome
        except IntegrityError:
            # Another connection inserted the same key first; look again, unless it is not that.
            if _find(scope) is None:
                raise
            db.session.rollback()
            continue
        if not isinstance(claimed, _InProgress):
            return claimed
        if time.monotonic() >= deadline:
            raise KeyInProgress(retry_after=2)
        time.sleep(_POLL_SECONDS)


def _find_locked(scope: Scope) -> IdempotencyKey | None:
    """Where the database locks rows, a second request waits here for the first one's commit."""
    return db.session.scalar(_FIND_LOCKED, _place(scope))


class _InProgress:
    """Somebody else holds the lease."""


def _find(scope: Scope) -> IdempotencyKey | None:
    return db.session.scalar(_FIND, _place(scope))


def _claim(scope: Scope) -> Answer | Pending | _InProgress | None:
    try:
        row = _find_locked(scope)
        if row is None:
            _insert(scope)
            return None
    except OperationalError as error:
        if error_code(error.orig) == LOCK_WAIT_TIMEOUT:
            raise KeyInProgress(retry_after=2) from error
        raise
    if row.input_hash != scope.input_hash:
        raise KeyReused
    if row.state == COMPLETED:
        return Answer(row.status or 200, (row.body or "").encode())
    if row.leased_until is not None and row.leased_until > clock.real_now():
        return _InProgress()
    row.leased_until = clock.real_now() + LEASE
    return Pending(row.reference or "")


def _insert(scope: Scope) -> None:
    row = {
        "actor": scope.actor,
        "key": scope.key,
        "input_hash": scope.input_hash,
        "state": STARTED,
        "created_at": clock.real_now(),
    }
    run(_INSERT, [row])


def _place(scope: Scope) -> dict[str, Any]:
    return {"the_actor": scope.actor, "the_key": scope.key}


def _record(scope: Scope, outcome: Answer | Pending) -> None:
    if isinstance(outcome, Answer):
        complete(scope, outcome)
        return
    values = {"new_reference": outcome.reference, "new_lease": clock.real_now() + LEASE}
    run(_REMEMBER, [_place(scope) | values])


def complete(scope: Scope, answer: Answer) -> None:
    """Store the answer, in the transaction of the command's last step."""
    values = {"new_status": answer.status, "new_body": answer.body.decode()}
    run(_COMPLETE, [_place(scope) | values])


def finish(scope: Scope, answer: Answer | Callable[[], Answer]) -> Answer:
    """Store the answer of a command whose last step was committed elsewhere, and return it.

    A last step that is given instead runs in the same transaction. Where two retries ran the last
    steps at once, both get the answer that was stored first.
    """

    def last_step() -> Answer:
        with write_transaction():
            row = _find_locked(scope)
            if row is not None and row.state == COMPLETED:
                return Answer(row.status or 200, (row.body or "").encode())
            done = answer if isinstance(answer, Answer) else answer()
            complete(scope, done)
        return done

    # Here and not by the view: a view that began again would wait for its own lease.
    return with_retries(last_step, resumable=always)


def release(scope: Scope) -> None:
    """A later step failed for now: let the next retry resume at once. Opens its own transaction."""
    with write_transaction():
        run(_RELEASE, [_place(scope)])


def purge(*, limit: int = 5000) -> int:
    """Forget answers older than :data:`KEPT`."""
    ids = db.session.scalars(
        select(IdempotencyKey.id)
        .where(IdempotencyKey.created_at < clock.real_now() - KEPT)
        .limit(limit)
    ).all()
    if ids:
        run(delete(IdempotencyKey).where(IdempotencyKey.id.in_(ids)))
    return len(ids)
