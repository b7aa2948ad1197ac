"""A mall as its users run it: ``mall up`` on a data folder of its own, and its command line.

It runs on the parts that the environment names (``tests/functional/parts.py``). Seeding costs some
seconds, so on embedded parts a process seeds once and every world is a copy. The demo pictures,
the invoice fonts and the compiled Python are the same each time; they are kept in
``MALL_TEST_CACHE`` (default ``var/test-cache``) from one run to the next.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, TypeVar

import requests

from app.cli import main
from kernel.settings import get_settings
from tests.functional import parts

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("MALL_TEST_CACHE", ROOT / "var" / "test-cache"))
# What the seed makes of files that rarely change; it looks itself whether they are still right.
KEPT = ("media", "fonts")
PORTS = range(18_300, 18_400)
START_SECONDS = 90.0
STOP_SECONDS = 30.0
CLI_SECONDS = 180.0


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a demo mall on ``folder``; no setting of the caller leaks into it."""
    names = {k: v for k, v in os.environ.items() if not k.startswith("MALL_")}
    # Five processes start for every mall: compiling each module five times is most of that.
    names.pop("PYTHONDONTWRITEBYTECODE", None)
    names["PYTHONPYCACHEPREFIX"] = str(CACHE / "pyc")
    own = {"MALL_ENV": "demo", "MALL_DATA_DIR": str(folder)}
    return names | own | parts.settings_of(folder) | settings


@dataclass(frozen=True)
class Ended:
    """What a command line said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object of ``--json``."""
        return json.loads(self.out)


# Loading the product takes two seconds and a command a fraction of one, so command lines are
# forked from a process that has loaded it and done nothing else.
_loaded = multiprocessing.get_context("forkserver")
_loaded.set_forkserver_preload(["app.cli", __name__])
# Starting a process asks after all others, and an exit code is read from its pipe once: a second
# thread that reads it at the same moment finds the pipe's end and would report 255.
_asking = threading.Lock()


def mall_cli(folder: Path, *arguments: str, **settings: str) -> Ended:
    """Run ``mall ARGUMENTS`` on a data folder, in a process of its own, until it ends."""
    with tempfile.TemporaryDirectory(prefix="fuman-said-") as said:
        out, err = Path(said, "out"), Path(said, "err")
        process = _loaded.Process(
            target=_be_mall, args=(arguments, environment(folder, **settings), out, err)
        )
        with _asking:
            process.start()
        wait_for_any([process.sentinel], CLI_SECONDS)
        with _asking:
            code = process.exitcode
            if code is None:
                process.kill()
                process.join()
            process.close()
        ended = Ended(-1 if code is None else code, *(f.read_text("utf-8") for f in (out, err)))
    assert code is not None, f"mall {' '.join(arguments)} did not end: {ended}"
    return ended


def _be_mall(arguments: Sequence[str], names: Mapping[str, str], out: Path, err: Path) -> None:
    """What the console script ``mall`` does, in this process."""
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(names)
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    sys.argv = ["mall", *arguments]
    get_settings.cache_clear()
    main()


@contextmanager
def mall_process(folder: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """``mall ARGUMENTS`` while it runs; killed at the end where it still does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env=environment(folder, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(what: str, look: Callable[[], T | None], *, seconds: float = 20.0) -> T:
    """The first true answer of ``look``; AssertionError with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


def _free_port() -> int:
    # Two test processes at once begin at different places.
    first = os.getpid() % len(PORTS)
    ports: list[int] = [*PORTS[first:], *PORTS[:first]]
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port in {PORTS}")


@dataclass
class Mall:
    """``mall up`` on ``folder``: web, worker and sandbox gateway as processes of their own."""

    folder: Path
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        """Its address, for the auditors' views."""
        return parts.database_of(self.folder)

    def cli(self, *arguments: str, **settings: str) -> Ended:
        return mall_cli(self.folder, *arguments, **settings)

    def begin(self, *, fault: str = "", **settings: str) -> None:
        """Start the processes without waiting for them."""
        assert self.process is None
        with (self.folder / "up.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "up"],
                cwd=ROOT,
                env=environment(
                    self.folder, MALL_PORT=str(self.port), MALL_FAULT=fault, **settings
                ),
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> None:
        def said_ready() -> bool:
            assert self.process is not None
            said = self.said()
            assert self.process.poll() is None, f"mall up ended:\n{said}"
            return f"ready {self.origin}" in said

        wait_for("the ready line of mall up", said_ready, seconds=START_SECONDS)

    def start(self, *, fault: str = "", **settings: str) -> None:
        self.begin(fault=fault, **settings)
        self.wait_ready()

    def stop(self) -> int:
        """Ctrl-C, as a person would; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.wait_end(STOP_SECONDS)

    def wait_end(self, seconds: float = START_SECONDS) -> int:
        """The exit code of a mall that ends by itself, maybe when it has only just started."""
        assert self.process is not None
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process = None
        return code

    def restart(self) -> None:
        assert self.stop() == 0
        self.start()

    def said(self) -> str:
        return (self.folder / "up.log").read_text(encoding="utf-8")

    def pid_of(self, name: str) -> int:
        """The process of ``web``, ``worker`` or ``gateway``."""
        assert self.process is not None
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        marks = {"web": " web ", "worker": " worker ", "gateway": "sandbox.server"}
        for pid in children:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if marks[name] in command:
                return int(pid)
        raise AssertionError(f"no {name} among the processes {children}")

    def kill(self, name: str) -> int:
        """``kill -9`` one process; the supervisor starts it again. Returns its pid."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_ready(self) -> bool:
        """Whether every part of it answers."""
        try:
            with requests.get(f"{self.origin}/readyz", timeout=10) as answer:
                return answer.status_code == 200 and answer.json()["status"] == "ready"
        except requests.RequestException:
            return False


@cache
def seeded_folder() -> Path:
    """A data folder with the demo world, made once in this process. Copy it, never run on it."""
    return _seed(Path(tempfile.mkdtemp(prefix="fuman-seeded-")))


def _seed(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (CACHE / name).is_dir():
            shutil.copytree(CACHE / name, folder / name)
    done = mall_cli(folder, "seed", "--json")
    assert done.code == 0, done.err
    assert done.json["seeded"] is True
    for name in KEPT:
        _keep(folder / name, CACHE / name)
    return folder


def _keep(made: Path, kept: Path) -> None:
    """Put a folder into the cache whole, by a rename: another run may be reading it."""
    if not made.is_dir():
        return
    names = sorted(path.relative_to(made) for path in made.rglob("*"))
    if kept.is_dir() and names == sorted(path.relative_to(kept) for path in kept.rglob("*")):
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{kept.name}-", dir=kept.parent))
    shutil.copytree(made, scratch / kept.name)
    if kept.is_dir():
        kept.rename(scratch / "old")
    (scratch / kept.name).rename(kept)
    shutil.rmtree(scratch)


def forget_seeded() -> None:
    """Remove the seeded folder, if it was made."""
    if seeded_folder.cache_info().currsize:
        shutil.rmtree(seeded_folder(), ignore_errors=True)
        seeded_folder.cache_clear()


def fresh_world(folder: Path) -> Path:
    """A copy of the demo world at ``folder``; pictures and fonts are linked, they never change.

    On servers it is no copy but seeded anew: it has a database and an index there.
    """
    if parts.on_servers():
        parts.make_parts(folder)
        return _seed(folder)
    source = seeded_folder()
    for entry in source.iterdir():
        if entry.name in KEPT:
            (folder / entry.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / entry.name).symlink_to(entry)
        elif entry.is_dir():
            shutil.copytree(entry, folder / entry.name)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(entry, folder / entry.name)
    return folder


@contextmanager
def running_mall(folder: Path, **settings: str) -> Iterator[Mall]:
    """A mall on a fresh world; stopped by Ctrl-C, which must end it cleanly."""
    mall = Mall(fresh_world(folder))
    mall.start(**settings)
    try:
        yield mall
    finally:
        if mall.process is not None:
            assert mall.stop() == 0, mall.said()
