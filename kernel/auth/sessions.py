"""Sessions in Redis for at most a minute (Domain rule 36); the database is the truth.

What is revoked is barred for as long as anything of before could be kept: who read the database
an instant earlier cannot put it back. Bar first, then change the database. Without Redis each
look-up asks the database; nothing is kept in a process, which would not hear of another's.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kernel import clock
from kernel.auth.policy import Actor
from kernel.redis_link import RedisAway, key, redis_link

KEPT_SECONDS = 60
_BARRED = b"-"


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    actor: Actor
    # Seconds since 1970, checked beside Redis' own clock.
    until: float


def find(token_hash: str) -> Actor | None:
    """Whom a session stood for less than a minute ago; None means: ask the database."""
    link = redis_link()
    if link is None:
        return None
    try:
        kept = link.ask(lambda r: r.get(key("session", token_hash)))
    except RedisAway:
        return None
    if not isinstance(kept, bytes) or kept == _BARRED:
        return None
    entry = msgspec.msgpack.decode(kept, type=_Kept)
    return entry.actor if clock.real_now().timestamp() < entry.until else None


def keep(token_hash: str, actor: Actor, *, expires_at: float) -> None:
    """Remember what the database said, unless the session was barred meanwhile.

    ``expires_at`` in seconds since 1970: nothing outlives its session.
    """
    link = redis_link()
    if link is None:
        return
    now = clock.real_now().timestamp()
    until = min(now + KEPT_SECONDS, expires_at)
    millis = int((until - now) * 1_000)
    if millis <= 0:
        return
    packed = msgspec.msgpack.encode(_Kept(actor, until))
    try:
        link.ask(lambda r: r.set(key("session", token_hash), packed, px=millis, nx=True))
    except RedisAway:
        return


def bar(token_hashes: Iterable[str]) -> None:
    """Nothing may be kept of these sessions for a minute. Never inside a transaction."""
    link = redis_link()
    if link is None:
        return
    for token_hash in token_hashes:
        name = key("session", token_hash)
        try:
            link.ask(lambda r, name=name: r.set(name, _BARRED, ex=KEPT_SECONDS))  # type: ignore[misc]
        except RedisAway:
            return
