"""The gateway's process: ``python -m checkout.gateways.sandbox.server --port 8001``.

One process serves one file (a lock beside it holds the others off); it ends cleanly on SIGTERM
and SIGINT, and by itself when the process that started it is gone.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from checkout.gateways.sandbox.application import create_gateway
from checkout.gateways.sandbox.config import GatewayConfig
from checkout.gateways.sandbox.faults import Faults
from checkout.gateways.sandbox.gateway import gateway_of
from kernel.settings import Environment, get_settings

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOCK_PATIENCE = 3.0
PARENT_CHECK = 0.5
STOP_CHECK = 0.1
# Far above what a shop's processes ask at once; a fault may hold an answer back for seconds.
THREADS = 16


class RunningGateway:
    """A gateway that listens and sends. ``url`` is where; ``config`` and ``faults`` are live."""

    def __init__(self, config: GatewayConfig, *, host: str = HOST, port: int = 0) -> None:
        self.config = config
        self._lock_file = _locked(config.db_path)
        app = create_gateway(config)
        self._gateway = gateway_of(app)
        listener = socket.create_server((host, port), backlog=128)
        self._sockets: dict[int, Any] = {}
        # Connections are kept: a shop's process asks again and again.
        self._server = create_server(
            app,
            map=self._sockets,
            sockets=[listener],
            threads=THREADS,
            # The shop's web process passes browsers through to us and says where they came from.
            clear_untrusted_proxy_headers=False,
            ident="fuman-sandbox-gateway",
        )
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="gateway-http", daemon=True)
        self.url = f"http://{host}:{listener.getsockname()[1]}"

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=STOP_CHECK, use_poll=True, map=self._sockets, count=1)

    @property
    def faults(self) -> Faults:
        return self._gateway.faults

    def start(self) -> None:
        self._gateway.sender.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, finish the webhook tries under way, close the file."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)
        self._gateway.sender.stop()
        self._gateway.store.close()
        os.close(self._lock_file)


def _locked(db_path: Path) -> int:
    """Hold the lock file of ``db_path``; RuntimeError when another gateway keeps it."""
    db_path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(db_path.with_name(db_path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise RuntimeError(f"another gateway is using {db_path}") from None
            time.sleep(0.05)
        else:
            return handle


@contextmanager
def running_sandbox(
    db_path: Path,
    *,
    api_key: str = "sk_test_sandbox",
    secrets: Sequence[str] = ("whsec_sandbox",),
    webhook_url: str | None = None,
    port: int = 0,
    **options: Any,
) -> Iterator[RunningGateway]:
    """A real gateway in threads of this process, for tests: real HTTP, a real file.

    ``options`` are further fields of :class:`GatewayConfig` (``settle_seconds=0.1`` …). A
    webhook's address may be set later: ``gateway.config.webhook_url = …`` (for events from then).
    """
    config = GatewayConfig(
        db_path=db_path,
        api_key=api_key,
        webhook_secrets=tuple(secrets),
        webhook_url=webhook_url,
        **options,
    )
    gateway = RunningGateway(config, port=port)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def serve(
    port: int,
    db_path: Path,
    webhook_url: str | None,
    api_key: str,
    secrets: Sequence[str],
    *,
    webhook_events: Sequence[str] = (),
    public_url: str | None = None,
    host: str = HOST,
    faults: Sequence[str] = (),
    faults_allowed: bool = True,
    parent: int | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or, where ``parent`` is given, until that process is gone."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    config = GatewayConfig(
        db_path=db_path,
        api_key=api_key,
        webhook_secrets=tuple(secrets),
        webhook_url=webhook_url,
        webhook_events=tuple(webhook_events),
        public_url=public_url,
        faults_allowed=faults_allowed,
    )
    gateway = RunningGateway(config, host=host, port=port)
    for fault in faults:
        gateway.faults.plan_text(fault)
    gateway.start()
    log.info("gateway listening on %s", gateway.url)
    # The parent is watched, not tied by PDEATHSIG: that one fires when the thread that started us
    # ends, which a supervisor's starting thread may well do.
    while not stopping.wait(PARENT_CHECK):
        if parent is not None and os.getppid() != parent:
            log.info("the parent is gone")
            break
    gateway.stop()


def _arguments(argv: Sequence[str] | None) -> Namespace:
    settings = get_settings()
    parser = ArgumentParser(prog="python -m checkout.gateways.sandbox.server", description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, required=True, help="0: any free one")
    parser.add_argument("--db", type=Path, default=settings.gateway_db)
    parser.add_argument("--webhook-url", help="where signed events are posted; none: nowhere")
    parser.add_argument(
        "--webhook-event", action="append", default=[], help="a type to post; none: all types"
    )
    parser.add_argument("--public-url", help="base URL of the pages as browsers reach them")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault_text,
        help="operation:fail|late[:times[:seconds]]",
    )
    parser.add_argument(
        "--stay", action="store_true", help="go on when the starting process is gone"
    )
    return parser.parse_args(argv)


def _fault_text(text: str) -> str:
    try:
        Faults(allowed=True).plan_text(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Key and secrets come from the settings, so they aren't seen in ``ps``."""
    parent = os.getppid()
    arguments = _arguments(argv)
    settings = get_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve(
        arguments.port,
        arguments.db,
        arguments.webhook_url,
        settings.gateway_api_key,
        settings.gateway_webhook_secrets,
        webhook_events=arguments.webhook_event,
        public_url=arguments.public_url,
        host=arguments.host,
        faults=arguments.fault,
        faults_allowed=settings.env is not Environment.PRODUCTION,
        parent=None if arguments.stay else parent,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
