"""Named points where a test may end the process, as a power cut would."""

from __future__ import annotations

import os
from threading import Lock

from kernel.settings import Environment, get_settings

# What a process ends with at a point.
FAULT_EXIT = 86

# Every point there is; `mall faults` prints this table.
POINTS: dict[str, str] = {
    "order_after_hold": "order, holds and key are committed; the gateway has not been asked",
    "order_after_intent": "the gateway made the intent; it is not committed here",
    "order_before_answer": "all is committed; the answer has not been sent",
    "capture_before_commit": "captured and invoiced inside the transaction, not committed",
    "capture_after_commit": "captured and committed; nobody has been told",
    "refund_after_commit": "refund committed; the gateway has not been asked",
    "feed_import_after_batch": "a batch of feed rows is committed",
    "search_rebuild_after_batch": "a batch of documents is written to the new index",
    "search_rebuild_before_swap": "the new index is whole; the pointer still names the old",
    "outbox_before_done": "a task has run; its row is not marked",
}

_hits: dict[str, int] = {}
_lock = Lock()


def point(name: str) -> None:
    """End the process here when ``MALL_FAULT`` is ``name`` or ``name:count`` (the count-th hit)."""
    if name not in POINTS:
        raise KeyError(name)
    settings = get_settings()
    if not settings.fault or settings.env is Environment.PRODUCTION:
        return
    wanted, _, count = settings.fault.partition(":")
    if wanted != name:
        return
    with _lock:
        _hits[name] = _hits.get(name, 0) + 1
        reached = _hits[name] == int(count or 1)
    if reached:
        os._exit(FAULT_EXIT)
