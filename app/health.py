"""What each part says of itself: `/readyz` and `mall doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import migrate
from kernel import outbox
from kernel.db import db
from kernel.settings import GatewayKind, get_settings
from kernel.worker import WorkerRuns, alone
from search.documents import count_listings
from search.engines.choice import get_engine


def _database() -> dict[str, Any]:
    with db.engines["read"].connect() as connection:
        version = connection.scalar(
            text("SELECT sqlite_version()" if get_settings().is_sqlite else "SELECT VERSION()")
        )
    current = migrate.is_current()
    return {"ready": current, "version": version, "schema_current": current}


def _gateway() -> dict[str, Any]:
    settings = get_settings()
    if settings.gateway is GatewayKind.STRIPE:
        return {"ready": True, "kind": "stripe"}
    answer = requests.get(f"{settings.gateway_url}/healthz", timeout=2)
    return {"ready": answer.ok, "kind": "sandbox"}


def _search() -> dict[str, Any]:
    view = get_engine().view()
    waiting = outbox.backlog().get("index", {})
    db.session.rollback()
    return {
        "ready": bool(view.generation),
        "engine": get_settings().search_url,
        "generation": view.generation,
        "documents": view.size,
        "backlog": waiting,
    }


def index_in_step(*, documents: int) -> dict[str, Any]:
    """Whether the index holds the listings that the database has: it counts them all, so this is
    for `mall doctor`, not for a check every few seconds."""
    listings = count_listings()
    waiting = outbox.backlog().get("index", {})
    db.session.rollback()
    return {"listings": listings, "in_step": listings == documents and not waiting}


def _worker() -> dict[str, Any]:
    """The worker holds the folder's lock for as long as it lives."""
    try:
        with alone(get_settings().data_dir):
            return {"ready": False, "error": "no worker runs"}
    except WorkerRuns:
        return {"ready": True}


_PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "search": _search,
    "worker": _worker,
    "gateway": _gateway,
}


def readiness() -> dict[str, dict[str, Any]]:
    """By part: ``ready``, ``latency_ms`` and what it knows of its version."""
    found: dict[str, dict[str, Any]] = {}
    for name, check in _PARTS.items():
        started = time.perf_counter()
        try:
            part = check()
        except (SQLAlchemyError, requests.RequestException, OSError) as error:
            part = {"ready": False, "error": type(error).__name__}
        part["latency_ms"] = round((time.perf_counter() - started) * 1000, 1)
        found[name] = part
    return found
