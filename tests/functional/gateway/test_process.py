"""The gateway as a process of its own: it starts, ends, comes back, and dies with its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.functional.gateway.parts import eventually

ROOT = Path(__file__).parents[3]
KEY = "sk_test_process"
BODY = {"amount": "700", "currency": "cny"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(port: int, path: Path, *more: str) -> list[str]:
    module = "checkout.gateways.sandbox.server"
    return [sys.executable, "-m", module, "--port", str(port), "--db", str(path), *more]


def environment() -> dict[str, str]:
    return os.environ | {"MALL_GATEWAY_API_KEY": KEY, "MALL_ENV": "test"}


def alive(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=1).status_code == 200
    except requests.ConnectionError:
        return False


@contextmanager
def process(port: int, path: Path, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command(port, path, *more), cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL
    ) as running:
        try:
            eventually(lambda: alive(url), seconds=20)
            yield running, url
        finally:
            running.kill()


def create(url: str, key: str) -> requests.Response:
    return requests.post(
        f"{url}/v1/payment_intents",
        data=BODY,
        auth=(KEY, ""),
        timeout=5,
        headers={"Idempotency-Key": key},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with process(free_port(), tmp_path / "gateway.db") as (running, url):
        assert create(url, "k").status_code == 200
        running.send_signal(number)
        assert running.wait(10) == 0
        assert not (tmp_path / "gateway.db-wal").exists()


def test_killed_outright_it_comes_back_with_all_it_answered(tmp_path: Path) -> None:
    path, port = tmp_path / "gateway.db", free_port()
    with process(port, path) as (running, url):
        first = create(url, "k")
        running.kill()
        running.wait(10)
    with process(port, path) as (_, url):
        again = create(url, "k")
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"


def test_two_do_not_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    with process(free_port(), path):
        second = subprocess.run(
            command(free_port(), path),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert second.returncode == 1
        assert b"another gateway is using" in second.stderr


def test_it_goes_when_its_parent_is_gone(tmp_path: Path) -> None:
    port = free_port()
    starter = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter, *command(port, tmp_path / "gateway.db")],
        cwd=ROOT,
        env=environment(),
    ) as parent:
        url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: alive(url), seconds=20)
        finally:
            parent.kill()
    eventually(lambda: not alive(url))


def test_a_fault_ordered_at_the_start(tmp_path: Path) -> None:
    order = "payment_intents.create:fail:1"
    with process(free_port(), tmp_path / "gateway.db", "--fault", order) as (_, url):
        assert [create(url, "k").status_code for _ in range(2)] == [500, 200]


def test_wrong_use(tmp_path: Path) -> None:
    wrong = subprocess.run(
        command(1, tmp_path / "gateway.db", "--fault", "nonsense"),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert wrong.returncode == 2
    assert b"nonsense" in wrong.stderr
