"""Starts servers in the background, finds them again, and ends them with all they started.

Each carries a mark in its environment, which its children inherit: what runs under our mark is
ours, whatever a pid file says, and nothing else is ever stopped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from servers.place import Place, StackError

_MARK = "FUMAN_STACK"
_STOP_SECONDS = 40.0


def _mark(place: Place, name: str) -> str:
    return f"{_MARK}={place.root}/{name}"


def running(place: Place, name: str) -> list[int]:
    """Pids of a server and all that it started."""
    wanted = _mark(place, name).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            marked = wanted in (entry / "environ").read_bytes().split(b"\0")
            ended = "\nState:\tZ" in (entry / "status").read_text()
        except OSError:
            continue  # gone meanwhile, or not ours to look at
        if marked and not ended:
            found.append(int(entry.name))
    return sorted(found)


def launch(
    place: Place, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> None:
    """Start a server that outlives us; its output goes to its log."""
    mark, _, value = _mark(place, name).partition("=")
    home = str(place.make(place.folder(name)))
    with place.log(name).open("ab") as log:
        process = subprocess.Popen(
            list(command),
            env={**_clean_environment(), "HOME": home, **(environment or {}), mark: value},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=place.user,
            group=place.user,
            extra_groups=[] if place.user else None,
        )
    place.pid_file(name).write_text(f"{process.pid}\n", encoding="ascii")


def _clean_environment() -> dict[str, str]:
    """The caller's, less what would change a server's mind."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("RABBITMQ_", "ES_", "MYSQL_", "REDIS", "ERL_"))
    }


def wait_for(place: Place, name: str, healthy: Callable[[], bool], *, seconds: float) -> None:
    """Return when ``healthy()`` is true; raise :class:`StackError` with the log's end if not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if healthy():
            return
        if not running(place, name):
            break
        time.sleep(0.1)
    raise StackError(f"{name} did not start; {place.log(name)} ends:\n{_tail(place.log(name))}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


def stop(place: Place, name: str) -> bool:
    """End a server in order, then by force what is left. Whether anything ran."""
    pids = running(place, name)
    if not pids:
        place.pid_file(name).unlink(missing_ok=True)
        return False
    # The first started is the one that ends the others.
    _signal(pids[:1], signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline and _alive(place, name, pids[0]):
        time.sleep(0.1)
    kill(place, name)
    return True


def _alive(place: Place, name: str, pid: int) -> bool:
    return pid in running(place, name)


def kill(place: Place, name: str) -> None:
    """SIGKILL to all of a server's processes at once, as a power cut would."""
    while pids := running(place, name):
        _signal(pids, signal.SIGKILL)
        time.sleep(0.05)
    place.pid_file(name).unlink(missing_ok=True)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # ended by itself
