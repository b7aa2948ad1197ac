"""Whether a server answers in its own protocol."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

_SECONDS = 2.0


def port_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS):
            return True
    except OSError:
        return False


def exchange(port: int, sent: bytes, expected: bytes) -> bool:
    """Whether the server answers ``sent`` with something that holds ``expected``."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            connection.settimeout(_SECONDS)
            if sent:
                connection.sendall(sent)
            return expected in connection.recv(4096)
    except OSError:
        return False


def get(url: str, *, bearer: str = "") -> bool:
    """Whether a GET on the loopback is answered with 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url)  # noqa: S310 -- our own server
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
