"""A group of processes: kept alive, ended together, and nothing left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel.faults import FAULT_EXIT

ROOT = Path(__file__).resolve().parents[3]
# A group of two: `steady` waits, `other` does what the test says; each notes its pid.
GROUP = """
import os, signal, sys, time
from pathlib import Path
from kernel.processes import Member, ProcessGroup, when_stopped
folder, code = Path(sys.argv[1]), sys.argv[2]
def note(name):
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\\n")
def steady():
    done = []
    when_stopped(lambda: done.append(1))
    note("steady")
    while not done:
        time.sleep(0.02)
    note("stopped")
    return 0
def other():
    note("other")
    exec(code)
    return 0
members = [Member("steady", steady), Member("other", other)]
sys.exit(ProcessGroup(members, grace_seconds=1, again_seconds=0.05).run())
"""
WAIT = "time.sleep(60)"


@contextmanager
def _group(folder: Path, code: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", GROUP, str(folder), code], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _pids(folder: Path, name: str) -> list[int]:
    file = folder / name
    return [int(line) for line in file.read_text().split()] if file.is_file() else []


def _until(what: str, *conditions: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not all(condition() for condition in conditions if callable(condition)):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_it_stops_all_when_it_is_told(tmp_path: Path) -> None:
    with _group(tmp_path, WAIT) as group:
        _until("both run", lambda: _pids(tmp_path, "steady") and _pids(tmp_path, "other"))
        group.send_signal(signal.SIGTERM)
        assert group.wait(10) == 0
    [steady], [other] = _pids(tmp_path, "steady"), _pids(tmp_path, "other")
    assert _pids(tmp_path, "stopped") == [steady]
    assert not _lives(steady)
    assert not _lives(other)


def test_who_ends_is_started_again(tmp_path: Path) -> None:
    code = f"{WAIT} if len((folder / 'other').read_text().split()) > 2 else os._exit(7)"
    with _group(tmp_path, code) as group:
        _until("a third one", lambda: len(_pids(tmp_path, "other")) == 3)
        assert group.poll() is None
        assert len(_pids(tmp_path, "steady")) == 1
        os.kill(_pids(tmp_path, "steady")[0], signal.SIGKILL)
        _until("another steady one", lambda: len(_pids(tmp_path, "steady")) == 2)


def test_a_fault_point_ends_the_group(tmp_path: Path) -> None:
    with _group(tmp_path, f"time.sleep(0.2); os._exit({FAULT_EXIT})") as group:
        assert group.wait(10) == FAULT_EXIT
    assert not _lives(_pids(tmp_path, "steady")[0])


def test_who_cannot_live_ends_the_group(tmp_path: Path) -> None:
    with _group(tmp_path, "os._exit(1)") as group:
        assert group.wait(30) == 1
    assert len(_pids(tmp_path, "other")) == 10


def test_children_of_a_killed_group_are_gone(tmp_path: Path) -> None:
    with _group(tmp_path, WAIT) as group:
        _until("both run", lambda: _pids(tmp_path, "steady") and _pids(tmp_path, "other"))
        group.send_signal(signal.SIGKILL)
        assert group.wait(10) == -signal.SIGKILL
    for pid in (*_pids(tmp_path, "steady"), *_pids(tmp_path, "other")):
        _until("no child lives", lambda pid=pid: not _lives(pid))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_does_not_stop_is_killed_in_the_end(tmp_path: Path, number: int) -> None:
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); note('deaf'); time.sleep(60)"
    with _group(tmp_path, code) as group:
        _until("it is deaf", lambda: _pids(tmp_path, "deaf"))
        started = time.monotonic()
        group.send_signal(number)
        assert group.wait(10) == 0
        assert 1 <= time.monotonic() - started < 6
    assert not _lives(_pids(tmp_path, "other")[0])
