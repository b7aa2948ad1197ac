"""Faults a test can order: the next calls of an operation fail, or answer late.

``fail``: 500 before anything is done, so the same key may try again and will find nothing.
``late``: the work is done and committed, then the answer is held back for ``seconds``; a client
that gives up earlier has lost the answer to a call that took effect.

Ordered over HTTP with ``POST /v1/test_helpers/faults`` (``operation``, ``kind``, ``times``,
``seconds``), on the command line with ``--fault payment_intents.create:fail:1`` (or
``…:late:1:5``), or in a test with ``sandbox.faults.plan(…)``. Never in production.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Literal

OPERATIONS = frozenset(
    {
        "payment_intents.create",
        "payment_intents.retrieve",
        "payment_intents.confirm",
        "payment_intents.capture",
        "payment_intents.cancel",
        "refunds.create",
    }
)
Kind = Literal["fail", "late"]


@dataclass(slots=True)
class Fault:
    """One order: ``times`` counts down."""

    operation: str
    kind: Kind
    times: int = 1
    seconds: float = 5.0


class Faults:
    """The faults on order in this process."""

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self._planned: list[Fault] = []
        self._lock = Lock()

    def plan(self, operation: str, kind: Kind, *, times: int = 1, seconds: float = 5.0) -> None:
        """Order a fault; ValueError for an unknown operation or in production."""
        if not self.allowed:
            raise ValueError("faults are not for production")
        if operation not in OPERATIONS:
            raise ValueError(f"unknown operation {operation!r}; one of {sorted(OPERATIONS)}")
        with self._lock:
            self._planned.append(Fault(operation, kind, times, seconds))

    def plan_text(self, text: str) -> None:
        """The command line's form: ``operation:kind[:times[:seconds]]``."""
        operation, _, after = text.partition(":")
        kind, *rest = after.split(":")
        if kind not in ("fail", "late") or len(rest) > 2:
            raise ValueError(f"{text!r} is not operation:fail|late[:times[:seconds]]")
        self.plan(
            operation,
            "fail" if kind == "fail" else "late",
            times=int(rest[0]) if rest else 1,
            seconds=float(rest[1]) if len(rest) == 2 else 5.0,
        )

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def take(self, operation: str) -> Fault | None:
        """The next fault on order for ``operation``, counted down; None if there is none."""
        with self._lock:
            for fault in self._planned:
                if fault.operation == operation:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._planned.remove(fault)
                    return fault
        return None
