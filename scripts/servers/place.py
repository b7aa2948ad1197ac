"""Where the servers keep their data, which ports they take, and whose processes they are."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers.versions import PARTS, PORT_BASE

PROJECT = Path(__file__).resolve().parent.parent.parent
USER = "fuman"


class StackError(Exception):
    """What went wrong and what to do about it, for people."""


@dataclass(frozen=True)
class Place:
    """One private stack: its folder, its ports, and the account that its servers run as.

    ``user`` is None where the caller's own account runs them: only root changes accounts, and
    must (Elasticsearch refuses root).
    """

    root: Path
    port_base: int
    user: str | None

    def port(self, name: str) -> int:
        return self.port_base + PARTS[name].port_offset

    def folder(self, name: str) -> Path:
        return self.root / name

    def log(self, name: str) -> Path:
        return self.root / "log" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.root / "run" / f"{name}.pid"

    def make(self, path: Path) -> Path:
        """Make a folder that the servers' account may write."""
        path.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            shutil.chown(path, self.user, self.user)
        return path

    def write(self, path: Path, text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        if self.user is not None:
            shutil.chown(path, self.user, self.user)
        return path


def find_place() -> Place:
    """The place that ``STACK_DIR`` and ``STACK_PORT_BASE`` name; by default ``var/stack``."""
    wanted = Path(os.environ.get("STACK_DIR", PROJECT / "var" / "stack")).absolute()
    try:
        base = int(os.environ.get("STACK_PORT_BASE", PORT_BASE))
    except ValueError:
        raise StackError("STACK_PORT_BASE is a number, for example 18500") from None
    user = _account() if os.geteuid() == 0 else None
    wanted.mkdir(parents=True, exist_ok=True)
    place = Place(_reachable(wanted, user), base, user)
    for folder in (place.root, place.root / "log", place.root / "run"):
        place.make(folder)
    return place


def _account() -> str:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", USER]
        if subprocess.run(command, check=False).returncode:
            raise StackError(
                f"servers do not run as root: make an account with `{' '.join(command)}`"
            ) from None
    return USER


def _reachable(wanted: Path, user: str | None) -> Path:
    """``wanted``, or a folder beside the system's other data where the account can't get there
    (a checkout in a home folder that is closed to others)."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in wanted.parents):
        return wanted
    if "STACK_DIR" in os.environ:
        raise StackError(f"the account {user} can't reach {wanted}: choose another STACK_DIR")
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"fuman-stack-{name}"  # noqa: S108 -- named by the checkout
