"""What the gateway's tests share: a client of Stripe's own making, and a receiver of webhooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import requests
import stripe

from checkout.gateways.sandbox.server import RunningGateway

API_KEY = "sk_test_sandbox"
SECRET = "whsec_sandbox"


def client_of(gateway: RunningGateway, key: str = API_KEY) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": gateway.url}, max_network_retries=0)


def post(
    gateway: RunningGateway, path: str, data: dict[str, Any] | None = None, **headers: str
) -> requests.Response:
    """A POST as any program would make it; header names with _ for -."""
    return requests.post(
        gateway.url + path,
        data=data or {},
        headers={
            "Authorization": f"Bearer {API_KEY}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        timeout=10,
        allow_redirects=False,
    )


def get(gateway: RunningGateway, path: str, **params: str) -> requests.Response:
    return requests.get(
        gateway.url + path,
        params=params,
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=10,
        allow_redirects=False,
    )


def eventually(check: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait until ``check`` holds; an assertion fails if it doesn't within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


@dataclass
class Notice:
    """One webhook as it came in."""

    raw: bytes
    signature: str
    at: float

    @property
    def event(self) -> stripe.Event:
        event: stripe.Event = stripe.Webhook.construct_event(self.raw, self.signature, SECRET)
        return event


@dataclass
class Receiver:
    """Answers with the statuses of ``script`` in turn, then 200. ``gate`` holds answers back."""

    url: str = ""
    script: list[int] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    gate: Event = field(default_factory=Event)

    def take(self, notice: Notice) -> int:
        self.notices.append(notice)
        status = self.script.pop(0) if self.script else 200
        self.gate.wait(5)
        return status

    def types(self) -> list[str]:
        return [notice.event.type for notice in self.notices]


@contextmanager
def receiving(*, port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            notice = Notice(raw, self.headers["Stripe-Signature"], time.time())
            self.send_response(receiver.take(notice))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
