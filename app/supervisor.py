"""Runs web, worker and sandbox gateway as processes of their own, and ends them together.

What web and worker are (one process or several) follows from the settings, in themselves.

A process that dies by itself is started again; one that a fault point ended takes all down, as a
power cut would, so that what a test sees afterwards is a restart.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import requests

from app import migrate
from app.demo import world
from app.factory import create_app
from checkout.services.payments import WEBHOOK_EVENTS
from kernel.db import db
from kernel.faults import FAULT_EXIT
from kernel.processes import die_with_parent
from kernel.settings import Environment, GatewayKind, Settings
from search.engines.base import EngineUnavailable
from search.engines.choice import get_engine
from search.rebuilding import rebuild_now

_READY_SECONDS = 60.0
_WHOLE_SECONDS = 25.0
_STOP_SECONDS = 10.0


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Schema, and in the demo environment the demo world."""
    app = create_app()
    with app.app_context():
        migrate.upgrade()
        if settings.env is Environment.DEMO and not world.is_seeded():
            say("第一次启动：准备演示数据（约一分钟）")
            world.seed(rebuild_index=_rebuild, say=lambda text: say(f"  · {text}"))
        elif not _has_index():
            say("没有可用的搜索索引：从数据库重建")
            _rebuild()
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def _has_index() -> bool:
    """False for an engine that is new to this database, or an index of an older form.

    One that is away says nothing of its index: the mall starts without it.
    """
    try:
        return bool(get_engine().view().generation)
    except EngineUnavailable:
        return True


def _rebuild() -> None:
    rebuild_now(get_engine())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Child:
    """One process: its command, and its log under the data folder."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)


class Supervisor:
    def __init__(self, settings: Settings, *, quiet: bool = False) -> None:
        self._settings = settings
        self._quiet = quiet
        self._stopping = False
        self._origin = f"http://127.0.0.1:{settings.port}"
        self._logs = settings.data_dir / "log"
        self._environment = dict(os.environ)
        self._gateway_url = ""
        self._children = self._plan()

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)  # noqa: T201 -- a command line speaks on standard output

    def _plan(self) -> list[Child]:
        settings = self._settings
        mall = [sys.executable, "-m", "app.cli"]
        children = [
            Child("web", [*mall, "web", "--port", str(settings.port)]),
            Child("worker", [*mall, "worker"]),
        ]
        if settings.gateway is GatewayKind.SANDBOX:
            port = _free_port()
            self._gateway_url = f"http://127.0.0.1:{port}"
            self._environment["MALL_GATEWAY_URL"] = self._gateway_url
            children.insert(
                0,
                Child(
                    "gateway",
                    [
                        sys.executable, "-m", "checkout.gateways.sandbox.server",
                        "--port", str(port),
                        "--db", str(settings.gateway_db),
                        "--webhook-url", f"{self._origin}/api/v1/webhooks/gateway",
                        *(f"--webhook-event={kind}" for kind in WEBHOOK_EVENTS),
                    ],
                ),
            )  # fmt: skip
        return children

    def run(self) -> int:
        """Blocks until stopped. 0 after Ctrl-C, 86 after a fault point, 1 where a process
        cannot be kept alive."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if self._port_taken():
            self._say(f"端口 {self._settings.port} 已被占用：换一个端口，例如 PORT=8001 make up")
            return 1
        prepare(self._settings, self._say)
        self._logs.mkdir(parents=True, exist_ok=True)
        if self._gateway_url:
            # Command lines beside us (the sweep of `mall clock run-due`) ask the same gateway.
            self._settings.gateway_url_file.write_text(self._gateway_url, encoding="utf-8")
        try:
            for child in self._children:
                self._start(child)
            if not self._wait_ready():
                if any(c.process and c.process.poll() == FAULT_EXIT for c in self._children):
                    return FAULT_EXIT
                self._say(f"没有就绪，日志在 {self._logs}")
                return 1
            self._say(f"ready {self._origin}")
            return self._watch()
        finally:
            self._stop_all()
            self._settings.gateway_url_file.unlink(missing_ok=True)

    def _port_taken(self) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self._settings.port))
            except OSError:
                return True
        return False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, child: Child) -> None:
        child.starts.append(time.monotonic())
        with (self._logs / f"{child.name}.log").open("ab") as log:
            child.process = subprocess.Popen(  # noqa: S603 -- our own modules
                child.command,
                env=_with_path(self._environment),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                # A session of its own keeps Ctrl-C for us: we stop them in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def _wait_ready(self) -> bool:
        """All parts answer; after a while it is enough that the mall says which ones do not."""
        started = time.monotonic()
        session = requests.Session()
        session.trust_env = False
        while time.monotonic() - started < _READY_SECONDS and not self._stopping:
            if any(c.process is not None and c.process.poll() is not None for c in self._children):
                return False
            try:
                told = session.get(f"{self._origin}/readyz", timeout=10).json()
            except requests.RequestException:
                told = {}  # not listening yet
            if told.get("status") == "ready":
                return True
            if told.get("status") == "degraded" and time.monotonic() - started > _WHOLE_SECONDS:
                away = [name for name, part in told["parts"].items() if not part["ready"]]
                self._say(f"未就绪、将自动恢复：{', '.join(away)}")
                return True
            time.sleep(0.1)
        return False

    def _watch(self) -> int:
        while not self._stopping:
            time.sleep(0.2)
            for child in self._children:
                code = child.process.poll() if child.process else None
                if code is None:
                    continue
                if code == FAULT_EXIT:
                    self._say(f"{child.name} 在故障点结束")
                    return FAULT_EXIT
                recent = [t for t in child.starts if time.monotonic() - t < 60]
                if len(recent) >= 5:
                    self._say(f"{child.name} 反复退出（{code}），日志在 {self._logs}")
                    return 1
                self._say(f"{child.name} 退出（{code}），重新启动")
                self._start(child)
        return 0

    def _stop_all(self) -> None:
        running = [c.process for c in self._children if c.process and c.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _with_path(environment: Mapping[str, str]) -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    return {**environment, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}
