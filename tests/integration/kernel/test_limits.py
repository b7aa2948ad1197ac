"""Rate limits: far off for people, there for who hammers, and by their own count without Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.namespace import forget_namespace
from kernel import limits
from kernel import redis_link as redis_module
from kernel.limits import RateLimited, count
from kernel.redis_link import RedisLink
from kernel.settings import get_settings
from tests.integration.kernel.parts import NEEDS_REDIS, NOBODY


@pytest.fixture(autouse=True)
def _counts_from_zero(app: Flask) -> Iterator[None]:
    limits._in_process.cache_clear()
    forget_namespace(get_settings()) if get_settings().redis_url else None
    yield
    limits._in_process.cache_clear()


def _use(times: int, subject: str = "somebody", *, per_minute: int = 3, what: str = "x") -> None:
    for _ in range(times):
        count(what, subject, per_minute=per_minute)


def test_each_subject_has_its_own_count() -> None:
    _use(3)
    with pytest.raises(RateLimited) as refused:
        _use(1)
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 60
    _use(3, "somebody else")
    _use(3, what="y")


def test_zero_is_no_limit() -> None:
    _use(50, per_minute=0)
    _use(3)  # and nothing of it was counted


@NEEDS_REDIS
def test_processes_count_together() -> None:
    _use(2)
    limits._in_redis.cache_clear()  # as another process would begin
    _use(1)
    with pytest.raises(RateLimited):
        _use(1)


def test_without_redis_a_process_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    away = RedisLink(NOBODY)
    monkeypatch.setattr(redis_module, "_link", lambda _url: away)
    monkeypatch.setattr(get_settings(), "redis_url", NOBODY)
    _use(3)
    with pytest.raises(RateLimited) as refused:
        _use(1)
    assert 1 <= (refused.value.retry_after or 0) <= 60


def test_signing_in_is_counted_by_address(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "sign_ins_per_minute", 2)
    wrong = {"login": "nobody@example.com", "password": "guess"}

    def sign_in(address: str) -> int:
        answer = client.post(
            "/api/v1/auth/login", json=wrong, environ_overrides={"REMOTE_ADDR": address}
        )
        if answer.status_code == 429:
            assert answer.mimetype == "application/problem+json"
            assert answer.json is not None
            assert answer.json["code"] == "rate_limited"
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        return answer.status_code

    assert [sign_in("192.0.2.1") for _ in range(4)] == [401, 401, 429, 429]
    assert sign_in("192.0.2.2") == 401
    # A header that anybody may send does not make another address of it.
    answer = client.post(
        "/api/v1/auth/login",
        json=wrong,
        headers={"X-Forwarded-For": "192.0.2.9"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert answer.status_code == 429
