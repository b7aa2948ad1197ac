"""Which calls are counted, and against whom."""

from __future__ import annotations

from flask import Flask, g, request

from kernel.auth.policy import Actor
from kernel.limits import count
from kernel.settings import get_settings

# A click goes with its search and is no command of the person's.
_SEARCHES = frozenset({"search.search_goods", "search.suggest_text", "search.count_result_click"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def _count_request() -> None:
    """After sign-in has told who asks. Raises :class:`kernel.limits.RateLimited`."""
    settings = get_settings()
    endpoint = request.endpoint or ""
    actor: Actor | None = g.get("actor")
    if endpoint == "auth.login":
        count("sign-in", request.remote_addr or "", per_minute=settings.sign_ins_per_minute)
    elif actor is None:
        return
    elif endpoint in _SEARCHES:
        count("search", actor.membership_public_id, per_minute=settings.searches_per_minute)
    elif request.method not in _SAFE:
        count("command", actor.membership_public_id, per_minute=settings.commands_per_minute)


def init_limits(app: Flask) -> None:
    app.before_request(_count_request)
