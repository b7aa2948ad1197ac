"""The servers of ``scripts/stack``, to be killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import make_url

from tests.functional.running import ROOT

SETTINGS = {
    "mariadb": "MALL_DATABASE_URL",
    "elasticsearch": "MALL_SEARCH_URL",
    "redis": "MALL_REDIS_URL",
    "rabbitmq": "MALL_BROKER_URL",
}
_START_SECONDS = 120


def _stack(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "scripts/stack", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )
    if arguments[0] != "status":
        assert done.returncode == 0, done.stderr
    return done.stdout


def servers_to_kill() -> list[str]:
    """Those that the environment names and that are ours to kill; skips loudly without any."""
    named = {name: os.environ.get(setting, "") for name, setting in SETTINGS.items()}
    named = {name: url for name, url in named.items() if ":/" in url and "sqlite" not in url}
    if not named:
        pytest.skip("NOT tested: no server is named (make test-stack names them)")
    running = json.loads(_stack("status", "--json"))
    for name, url in named.items():
        ours = make_url(url).port if running[name]["healthy"] else 0
        assert running[name]["port"] == ours, (
            f"{name} at {url} is no healthy server of scripts/stack: it is not ours to kill"
        )
    return list(named)


def kill_server(name: str) -> None:
    """SIGKILL to all of its processes."""
    _stack("kill", name)


def start_server(name: str) -> None:
    """Returns once it answers."""
    _stack("up", name)
