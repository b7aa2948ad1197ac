"""The web servers: waitress for one process, gunicorn for several (ADR 0008)."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import waitress
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from app.factory import create_app
from kernel.faults import FAULT_EXIT
from kernel.processes import die_with_parent, keep_loaded
from kernel.settings import Settings
from search.indexing import suggestion_file
from search.query_counts import start_writing

_CONNECTIONS = 500
_KEEP_ALIVE_SECONDS = 30
_GRACEFUL_SECONDS = 8


def serve(settings: Settings, *, port: int) -> None:
    """Blocks until stopped."""
    if settings.web_process_count == 1:
        _serve_here(settings, port)
    else:
        suggestion_file().lexicon()
        keep_loaded()
        _Arbiter(_Gunicorn(settings, port)).run()


def _serve_here(settings: Settings, port: int) -> None:
    app = create_app()
    # Made here, not in the middle of somebody's first search.
    suggestion_file().lexicon()
    start_writing(app)
    keep_loaded()
    # The public origin is the Host header's; no proxy is believed unless it is configured.
    waitress.serve(
        app,
        host=settings.bind,
        port=port,
        threads=settings.web_threads,
        connection_limit=_CONNECTIONS,
        max_request_body_size=settings.max_body_bytes * 2,
        ident=None,
        clear_untrusted_proxy_headers=not settings.trusted_proxies,
    )


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Every process makes its own application, so none shares a connection with another."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._port = port
        super().__init__()

    def load_config(self) -> None:
        values: dict[str, Any] = {
            "bind": f"{self._settings.bind}:{self._port}",
            "workers": self._settings.web_process_count,
            "worker_class": "gthread",
            "threads": self._settings.web_threads,
            "worker_connections": _CONNECTIONS,
            "keepalive": _KEEP_ALIVE_SECONDS,
            "graceful_timeout": _GRACEFUL_SECONDS,
            "limit_request_line": 8_190,
            # Werkzeug's ProxyFix is the one place that believes a proxy, and only when told to.
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "loglevel": "warning",
            "post_fork": _after_fork,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app = create_app()
        start_writing(app)
        keep_loaded()
        return app


def _after_fork(_server: object, _worker: object) -> None:
    die_with_parent(signal.SIGKILL)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Ends with a process that a fault point ended: a power cut takes all of them."""

    def reap_workers(self) -> None:
        with suppress(ChildProcessError):
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended and (ended.si_code, ended.si_status) == (os.CLD_EXITED, FAULT_EXIT):
                os.waitpid(ended.si_pid, 0)
                self.WORKERS.pop(ended.si_pid, None)
                raise HaltServer("fault point", FAULT_EXIT)
        super().reap_workers()
