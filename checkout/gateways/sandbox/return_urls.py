"""Where a browser may be sent after paying: back to the shop, and nowhere else."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit, urlunsplit

from checkout.gateways.sandbox.errors import invalid
from checkout.gateways.sandbox.work import Work

LONGEST = 2000
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_safe_return_url(url: str, *, own_bases: tuple[str, ...]) -> bool:
    """Whether ``url`` is a path of this site, or http(s) to this site or to the same machine.

    ``own_bases`` are URLs whose origin is this site. Refused are other schemes and hosts, names
    before an ``@``, backslashes and blanks, which browsers read in ways of their own.
    """
    if not url or len(url) > LONGEST or _ODD.search(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not parts.scheme and not parts.netloc:
        return url.startswith("/") and not url.startswith("//")
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not parts.hostname:
        return False
    if parts.hostname in _LOOPBACK:
        return True
    return (parts.scheme, parts.hostname, port or _default_port(parts.scheme)) in {
        _origin(base) for base in own_bases
    }


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _default_port(parts.scheme)


def checked_return_url(work: Work, url: str | None) -> str | None:
    """``url`` if it is safe, None if it is absent; else 400 ``url_invalid``."""
    if not url:
        return None
    if not is_safe_return_url(url, own_bases=(work.base_url,)):
        raise invalid(
            "Invalid return_url: it must be http(s) on this site or on this machine.",
            param="return_url",
            code="url_invalid",
        )
    return url


def with_result(url: str, *, intent_id: str, client_secret: str, result: str) -> str:
    """``url`` with what Stripe adds to it: which intent, its secret and how it went."""
    parts = urlsplit(url)
    added = urlencode(
        {
            "payment_intent": intent_id,
            "payment_intent_client_secret": client_secret,
            "redirect_status": result,
        }
    )
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query))
