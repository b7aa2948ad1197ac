"""Where figures were taken, so that they can be compared with nothing else by mistake."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from kombu import Connection
from redis import Redis
from sqlalchemy import NullPool, create_engine, text

from kernel.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("tantivy", "SQLAlchemy", "Flask", "waitress")


def describe(settings: Settings) -> dict[str, Any]:
    """Machine, versions, commit and date; memory in bytes, load of the last minute."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "scratch_file_system": _file_system(Path(tempfile.gettempdir()).resolve()),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **_servers(settings),
        **{name.lower(): importlib.metadata.version(name) for name in _PACKAGES},
    }


def _servers(settings: Settings) -> dict[str, str]:
    """Versions of the servers that the settings name."""
    found = {}
    if not settings.is_sqlite:
        engine = create_engine(settings.database_url, poolclass=NullPool)
        with engine.connect() as connection:
            found["mariadb"] = str(connection.scalar(text("SELECT VERSION()")))
    if settings.search_url.startswith("http"):
        with Elasticsearch(settings.search_url) as client:
            nodes = client.nodes.info(filter_path="nodes.*.version")["nodes"]
        found["elasticsearch"] = next(iter(nodes.values()))["version"]
    if settings.redis_url:
        with Redis.from_url(settings.redis_url) as redis:
            found["redis"] = str(redis.info("server")["redis_version"])
    if settings.broker_url:
        with Connection(settings.broker_url) as broker:
            broker.connect()
            found["rabbitmq"] = str(broker.connection.server_properties["version"])
    return found


def _commit() -> str:
    """The commit, with a ``+`` where the tree differs from it; empty outside a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 -- fixed arguments
        ["git", "-C", str(_ROOT), *arguments],  # noqa: S607 -- whichever git is installed
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def _file_system(path: Path) -> str:
    """The type of the file system that holds ``path``; empty where the system does not say."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    found = {
        fields[1]: fields[2] for line in mounts.read_text().splitlines() if (fields := line.split())
    }
    return next((found[str(p)] for p in (path, *path.parents) if str(p) in found), "")
