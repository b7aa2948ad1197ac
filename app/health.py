"""What each part says of itself: `/readyz` and `mall doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import migrate
from kernel.db import db
from kernel.settings import GatewayKind, get_settings


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


_PARTS: dict[str, Callable[[], dict[str, Any]]] = {"database": _database, "gateway": _gateway}


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
