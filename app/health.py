"""What each part says of itself: `/readyz` and `mall doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import elasticsearch
import requests
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import migrate
from kernel import broker, outbox
from kernel.db import db
from kernel.errors import Problem
from kernel.redis_link import RedisAway, redis_link
from kernel.settings import GatewayKind, get_settings
from kernel.tasks import PartUnavailable
from kernel.worker import WorkerRuns, alone
from search.documents import count_listings
from search.engines.choice import get_engine

log = structlog.get_logger(__name__)


def _database() -> dict[str, Any]:
    with db.engines["read"].connect() as connection:
        told = connection.scalar(
            text("SELECT sqlite_version()" if get_settings().is_sqlite else "SELECT VERSION()")
        )
    current = migrate.is_current()
    return {"ready": current, "version": told, "schema_current": current}


def _gateway() -> dict[str, Any]:
    settings = get_settings()
    if settings.gateway is GatewayKind.STRIPE:
        return {"ready": True, "kind": "stripe"}
    answer = requests.get(f"{settings.gateway_url}/healthz", timeout=2)
    return {"ready": answer.ok, "kind": "sandbox"}


def _search() -> dict[str, Any]:
    engine = get_engine()
    view = engine.view()
    waiting = outbox.backlog().get("index", {})
    db.session.rollback()
    return {
        "ready": bool(view.generation),
        "engine": get_settings().search_url,
        "version": _search_version(),
        "generation": view.generation,
        "rebuilding": engine.rebuild_state() is not None,
        "documents": view.size,
        "backlog": waiting,
    }


def _search_version() -> str:
    url = get_settings().search_url
    if not url.startswith("http"):
        return f"tantivy {version('tantivy')}"
    # Not every build answers at its root, but each knows its nodes.
    answer = requests.get(
        f"{url.rstrip('/')}/_nodes/_local",
        params={"filter_path": "nodes.*.version"},
        timeout=2,
    )
    nodes = answer.json().get("nodes", {})
    return "elasticsearch " + ", ".join(sorted({node["version"] for node in nodes.values()}))


def index_in_step(*, documents: int) -> dict[str, Any]:
    """Whether the index holds the listings that the database has: it counts them all, so this is
    for `mall doctor`, not for a check every few seconds."""
    listings = count_listings()
    waiting = outbox.backlog().get("index", {})
    db.session.rollback()
    return {"listings": listings, "in_step": listings == documents and not waiting}


def _cache() -> dict[str, Any]:
    link = redis_link()
    if link is None:
        return {"ready": True, "kind": "in process"}
    return {"ready": True, "kind": "redis", "version": link.version()}


def _broker() -> dict[str, Any]:
    if not get_settings().broker_url:
        return {"ready": True, "kind": "outbox"}
    seen = broker.overview()
    return {
        "ready": True,
        "kind": "rabbitmq",
        "version": seen.version,
        "waiting": seen.waiting,
        "dead": seen.dead,
    }


def _worker() -> dict[str, Any]:
    """A broker knows who listens; a local worker holds the folder's lock while it lives."""
    if get_settings().broker_url:
        consumers = broker.overview().consumers
        return {"ready": all(consumers.values()), "consumers": consumers}
    try:
        with alone(get_settings().data_dir):
            return {"ready": False, "error": "no worker runs"}
    except WorkerRuns:
        return {"ready": True}


_PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "search": _search,
    "cache": _cache,
    "broker": _broker,
    "worker": _worker,
    "gateway": _gateway,
}
# What a part that is away looks like from here.
_AWAY = (
    SQLAlchemyError,
    requests.RequestException,
    OSError,
    RedisAway,
    *broker.BROKER_ERRORS,
    elasticsearch.ApiError,
    elasticsearch.TransportError,
    PartUnavailable,
    Problem,
)
# Without it nothing can be answered. Without any other part the mall goes on with less.
_NEEDED = frozenset({"database"})


def readiness(*names: str) -> dict[str, dict[str, Any]]:
    """By part: ``ready``, ``latency_ms`` and what it knows of its version; all, or those named.

    A part that is away and that the mall can go on without is ``degraded``.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names or _PARTS:
        check = _PARTS[name]
        started = time.perf_counter()
        try:
            part = check()
        except _AWAY as error:
            db.session.rollback()
            log.warning("part_not_ready", part=name, error=f"{type(error).__name__}: {error}"[:300])
            part = {"ready": False, "error": type(error).__name__}
        if not part["ready"] and name not in _NEEDED:
            part["degraded"] = True
        part["latency_ms"] = round((time.perf_counter() - started) * 1000, 1)
        found[name] = part
    return found


def overall(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """``ready``, ``degraded`` where a part is away that we can go on without, ``not ready``."""
    if not all(parts[name]["ready"] for name in _NEEDED):
        return "not ready"
    return "ready" if all(part["ready"] for part in parts.values()) else "degraded"
