"""Real processes on a scratch folder: web, worker, sandbox gateway, and command lines."""

from __future__ import annotations

import ctypes
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

_ROOT = Path(__file__).resolve().parents[2]
_HOST = "127.0.0.1"
_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.02
_answers = count(1)


class BenchFailed(RuntimeError):
    """Something that is measured did not work, so there is no figure."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def start(
    arguments: list[str], environment: Mapping[str, str], log: Path, *, answer: Path | None = None
) -> subprocess.Popen[bytes]:
    """``python -m …`` with what it says in ``log``; it ends when this process does.

    With ``answer``, its standard output goes to that file.
    """
    with log.open("ab") as errors, (answer or log).open("wb" if answer else "ab") as output:
        return subprocess.Popen(  # noqa: S603 -- our own modules
            [sys.executable, "-m", *arguments],
            env={**environment, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )


@contextmanager
def running(
    arguments: list[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    is_ready: Callable[[], bool],
) -> Iterator[None]:
    """A process for the length of the block. Raises :class:`BenchFailed` where it won't start."""
    process = start(arguments, environment, log)
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchFailed(f"{' '.join(arguments)}: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(port: int) -> Callable[[], bool]:
    """Whether something accepts connections on a port of this machine."""

    def look() -> bool:
        try:
            socket.create_connection((_HOST, port), timeout=1).close()
        except OSError:
            return False
        return True

    return look


@dataclass(frozen=True, slots=True)
class Ended:
    """A command line that has ended: its JSON, its seconds, its largest resident memory."""

    answer: dict[str, Any]
    seconds: float
    rss_bytes: int


def run_mall(arguments: list[str], environment: Mapping[str, str], log: Path) -> Ended:
    """Run ``mall … --json`` to its end. Raises :class:`BenchFailed` unless it ends with 0."""
    # Several may run at once, each with an answer of its own.
    answer = log.with_name(f"answer-{next(_answers)}.json")
    started = time.perf_counter()
    process = start(["app.cli", *arguments, "--json"], environment, log, answer=answer)
    rss_bytes = 0
    try:
        while process.poll() is None:
            # Not from wait4: that counts the memory that this process had when it forked.
            rss_bytes = max(rss_bytes, _peak_rss(process.pid))
            time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()
    if process.returncode != 0:
        said = answer.read_text()[-2000:] + log.read_text()[-2000:]
        raise BenchFailed(f"mall {' '.join(arguments)}: {said}")
    return Ended(orjson.loads(answer.read_bytes()), seconds, rss_bytes)


def _peak_rss(pid: int) -> int:
    """Bytes of the largest resident memory of a running process; 0 for one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


class Client:
    """One kept connection of one signed-in person, or of a program with a key."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._connection = HTTPConnection(_HOST, port, timeout=60)
        self._headers = dict(headers or {})

    def sign_in(self, login: str, password: str) -> None:
        response = self._send("POST", "/api/v1/auth/login", {"login": login, "password": password})
        cookie = response.headers["Set-Cookie"].split(";")[0]
        self._headers |= {"Cookie": cookie, "X-CSRF-Token": response.body["csrf_token"]}

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._send("GET", f"{path}?{urlencode(query)}", None).body

    def post(self, path: str, content: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        return self._send("POST", path, content, {"Idempotency-Key": key} if key else {}).body

    def post_form(self, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
        return self._send("POST", path, urlencode(fields)).body

    def close(self) -> None:
        self._connection.close()

    def _send(
        self,
        method: str,
        path: str,
        content: dict[str, Any] | str | None,
        headers: Mapping[str, str] | None = None,
    ) -> _Response:
        is_form = isinstance(content, str)
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        body = content.encode() if isinstance(content, str) else orjson.dumps(content)
        self._connection.request(
            method,
            path,
            body=None if content is None else body,
            headers={**self._headers, "Content-Type": kind, **(headers or {})},
        )
        answer = self._connection.getresponse()
        received = answer.read()
        if answer.status >= 300:
            raise BenchFailed(f"{method} {path}: {answer.status} {received[:500].decode()}")
        return _Response(orjson.loads(received), dict(answer.headers))


@dataclass(frozen=True, slots=True)
class _Response:
    body: dict[str, Any]
    headers: dict[str, str]
