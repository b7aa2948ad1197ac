"""Idempotency-Key as Stripe does it: the answer is a row of the transaction that did the work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, delete, insert, select

from checkout.gateways.sandbox.errors import ApiError, invalid
from checkout.gateways.sandbox.forms import Tree
from checkout.gateways.sandbox.records import ANSWERS

LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to give, or one given before (``replayed``)."""

    status: int
    body: str
    request_id: str
    replayed: bool = False


class KeysInUse:
    """Keys whose request is being worked on now.

    They live in memory: an answer and its effect are one commit, so a process that dies leaves
    neither, and its keys are free again.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def hold(self, key: str | None) -> Iterator[None]:
        """Refuse a second request with a key in use (409), as Stripe does."""
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise ApiError(
                    "There is currently another in-progress request using this Idempotent Key "
                    "(that probably means you submitted twice, and the other request is still "
                    f"going through): {key}",
                    status=409,
                    code="idempotency_key_in_use",
                    validation=True,
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def check_key(key: str | None) -> str | None:
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise invalid(f"Idempotency-Key must have 1 to {LONGEST_KEY} characters.")
    return key


def fingerprint(method: str, path: str, tree: Tree) -> str:
    """What must be the same for a key to be the same request."""
    text = json.dumps([method, path, tree], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stored_answer(connection: Connection, key: str | None, print_: str) -> Answer | None:
    """The answer kept under ``key``; 400 ``idempotency_error`` if it was for another request."""
    if key is None:
        return None
    row = connection.execute(select(ANSWERS).where(ANSWERS.c.key == key)).first()
    if row is None:
        return None
    if row.fingerprint != print_:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request.",
            kind="idempotency_error",
            validation=True,
        )
    return Answer(row.status, row.body, row.request_id, replayed=True)


def keep_answer(
    connection: Connection, key: str | None, print_: str, answer: Answer, *, now: float
) -> None:
    if key is None:
        return
    row = {
        "key": key,
        "fingerprint": print_,
        "status": answer.status,
        "body": answer.body,
        "request_id": answer.request_id,
        "created": int(now),
    }
    connection.execute(insert(ANSWERS), row)


def forget_answers(connection: Connection, *, before: float) -> None:
    """Drop answers older than ``before`` (epoch seconds); Stripe keeps them at least a day."""
    connection.execute(delete(ANSWERS).where(ANSWERS.c.created < int(before)))
