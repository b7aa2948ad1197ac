"""The edge of HTTP: sessions and CSRF, problem+json, and commands with a key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask, abort, g
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from kernel import clock, idempotency
from kernel.auth import services as auth
from kernel.auth.models import Person
from kernel.auth.policy import PUBLIC, Actor, Role, TenantKind
from kernel.db import db, write_transaction
from kernel.errors import Conflict, NotSignedIn
from kernel.web import (
    API,
    COOKIE,
    api_blueprint,
    command_scope,
    current_actor,
    init_web,
    run_command,
)
from tests.factories.enterprises import build_company, hire
from tests.factories.people import PASSWORD, build_member
from tests.factories.surroundings import PRODUCTION, settings_of

LOGIN = "li.ming@alpha.example"


@pytest.fixture
def employee(app: Flask) -> Actor:
    with write_transaction():
        return hire(build_company().id, login=LOGIN)


def _login(client: FlaskClient, login: str = LOGIN, password: str = PASSWORD) -> TestResponse:
    return client.post(f"{API}/auth/login", json={"login": login, "password": password})


def _without_id(answer: TestResponse) -> dict[str, Any]:
    body = dict(answer.get_json())
    body.pop("request_id")
    return body


def test_signing_in_and_reading_oneself_give_the_same(client: FlaskClient, employee: Actor) -> None:
    answer = _login(client)
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["user"] == {
        "id": employee.person_public_id,
        "login": LOGIN,
        "name": "李明",
        "roles": ["employee"],
        "tenant": {"kind": "enterprise", "id": employee.tenant_public_id, "name": "阿尔法科技"},
    }
    assert body["memberships"] == [
        {
            "membership_id": employee.membership_public_id,
            "tenant": body["user"]["tenant"],
            "roles": ["employee"],
            "active": True,
        }
    ]
    assert client.get(f"{API}/me").get_json() == body


def test_the_cookie_is_out_of_a_scripts_reach(client: FlaskClient, employee: Actor) -> None:
    cookie = _login(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie


def test_in_production_the_cookie_travels_by_https_only(
    client: FlaskClient, app: Flask, employee: Actor
) -> None:
    with settings_of(**PRODUCTION):
        cookie = _login(client).headers["Set-Cookie"]
    assert "Secure" in cookie


def test_a_wrong_name_and_a_wrong_password_look_the_same(
    client: FlaskClient, employee: Actor
) -> None:
    wrong_password = _login(client, password="wrong")
    wrong_name = _login(client, login="nobody@alpha.example")
    assert wrong_password.status_code == wrong_name.status_code == 401
    assert _without_id(wrong_password) == _without_id(wrong_name)
    assert _without_id(wrong_name)["code"] == "wrong_credentials"
    assert "Set-Cookie" not in wrong_password.headers
    assert sorted(wrong_password.headers.keys()) == sorted(wrong_name.headers.keys())


def test_a_locked_name_says_how_long(client: FlaskClient, employee: Actor) -> None:
    for _ in range(auth.FREE_FAILURES):
        assert _login(client, password="wrong").status_code == 401
    answer = _login(client)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_failures")
    assert 25 <= int(answer.headers["Retry-After"]) <= 31


def test_a_change_needs_the_sessions_own_csrf_token(client: FlaskClient, employee: Actor) -> None:
    mine = _login(client).get_json()["csrf_token"]
    other = auth.csrf_token(auth.sign_in(login=LOGIN, password=PASSWORD))
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": other}):
        answer = client.post(f"{API}/auth/logout", headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "bad_csrf_token")
    assert client.get(f"{API}/me").status_code == 200
    answer = client.post(f"{API}/auth/logout", headers={"X-CSRF-Token": mine})
    assert answer.status_code == 204
    assert client.get(f"{API}/me").status_code == 401


def test_a_signed_out_token_is_worth_nothing(client: FlaskClient, employee: Actor) -> None:
    body = _login(client).get_json()
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    client.post(f"{API}/auth/logout", headers={"X-CSRF-Token": body["csrf_token"]})
    client.set_cookie(COOKIE, cookie.value)
    assert client.get(f"{API}/me").get_json()["code"] == "not_signed_in"


def test_switching_acts_for_the_other_membership(client: FlaskClient, employee: Actor) -> None:
    with write_transaction():
        person = db.session.get_one(Person, employee.person_id)
        other = build_member(build_company("贝塔贸易").id, Role.HR, person=person)
    headers = {"X-CSRF-Token": _login(client).get_json()["csrf_token"]}

    def switch(membership_id: str) -> TestResponse:
        return client.post(
            f"{API}/auth/switch", json={"membership_id": membership_id}, headers=headers
        )

    assert switch("mbr_none").status_code == 404
    assert client.get(f"{API}/me").get_json()["user"]["roles"] == ["employee"]
    answer = switch(other.membership_public_id)
    assert answer.get_json()["user"]["tenant"]["name"] == "贝塔贸易"
    assert client.get(f"{API}/me").get_json() == answer.get_json()


@pytest.mark.parametrize(
    ("body", "status", "code", "errors"),
    [
        ({"login": "a"}, 422, "invalid_input", ["password"]),
        ({"login": "", "password": ""}, 422, "invalid_input", ["login", "password"]),
        ({"login": "a", "password": "b", "admin": True}, 422, "invalid_input", ["admin"]),
        ({"login": ["a"], "password": "b"}, 422, "invalid_input", ["login"]),
        (["a"], 422, "invalid_input", [""]),
    ],
)
def test_wrong_input_is_told_field_by_field(
    client: FlaskClient, body: Any, status: int, code: str, errors: list[str]
) -> None:
    answer = client.post(f"{API}/auth/login", json=body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.get_json()["code"] == code
    assert sorted(entry["field"] for entry in answer.get_json()["errors"]) == errors
    assert all(entry["message"] for entry in answer.get_json()["errors"])


@pytest.mark.parametrize(
    "body",
    ['{"login": "a"', "", "nonsense", '{"login": "\\ud800", "password": "b"}', "[" * 5_000, "NaN"],
)
def test_what_is_no_json_is_a_400(client: FlaskClient, body: str) -> None:
    answer = client.post(f"{API}/auth/login", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_json")
    assert "errors" not in answer.get_json()


def test_a_form_is_not_read_as_json(client: FlaskClient, employee: Actor) -> None:
    answer = client.post(f"{API}/auth/login", data={"login": LOGIN, "password": PASSWORD})
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "application/problem+json"
    assert "Set-Cookie" not in answer.headers


def test_who_is_signed_in_is_told_the_business_time(client: FlaskClient, employee: Actor) -> None:
    assert "X-Now" not in client.get(f"{API}/me").headers
    _login(client)
    with clock.frozen(datetime(2027, 1, 1, tzinfo=UTC)):
        assert client.get(f"{API}/me").headers["X-Now"] == "2027-01-01T00:00:00Z"


def test_a_body_that_is_too_large_is_a_413(client: FlaskClient) -> None:
    answer = client.post(f"{API}/auth/login", json={"login": "a" * 1_100_000, "password": "b"})
    assert (answer.status_code, answer.get_json()["code"]) == (413, "body_too_large")


def test_a_wrong_method_says_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete(f"{API}/auth/login")
    assert (answer.status_code, answer.get_json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"].split(", ")
    assert "DELETE" not in answer.headers["Allow"]


def test_an_unknown_address_is_a_404_problem(client: FlaskClient) -> None:
    answer = client.get(f"{API}/nothing/here")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.get_json()["code"] == "not_found"
    assert answer.get_json()["request_id"] == answer.headers["X-Request-Id"]


def test_a_request_id_is_given_back_and_cut(client: FlaskClient) -> None:
    answer = client.get(f"{API}/me", headers={"X-Request-Id": "trace-1" + "x" * 100})
    assert answer.headers["X-Request-Id"] == ("trace-1" + "x" * 100)[:64]
    assert client.get(f"{API}/me").headers["X-Request-Id"].startswith("req_")


def test_answers_are_not_kept_framed_or_guessed(client: FlaskClient) -> None:
    headers = client.get(f"{API}/me").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A small application whose views fail in every way there is."""
    small = Flask("small")

    def database() -> str:
        raise OperationalError("SELECT 1", {}, Exception("database is locked"))

    def bug() -> str:
        raise RuntimeError("a secret that nobody may read")

    def refusal() -> str:
        raise Conflict("已变化", errors=[{"field": "a", "message": "b"}], retry_after=7)

    def teapot() -> str:
        abort(418)

    views = {"database": database, "bug": bug, "refusal": refusal, "teapot": teapot}
    init_web(small, dict.fromkeys(views, PUBLIC))
    small.config["PROPAGATE_EXCEPTIONS"] = False
    for name, view in views.items():
        small.add_url_rule(f"{API}/{name}", name, view)
    return small.test_client()


@pytest.mark.parametrize(
    ("name", "status", "code", "retry_after"),
    [
        ("database", 503, "service_unavailable", "2"),
        ("bug", 500, "internal_error", None),
        ("refusal", 409, "conflict", "7"),
        ("teapot", 418, "http_418", None),
    ],
)
def test_every_failure_is_a_problem(
    breaking: FlaskClient, name: str, status: int, code: str, retry_after: str | None
) -> None:
    answer = breaking.get(f"{API}/{name}")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.get_json()["code"] == code
    assert answer.headers.get("Retry-After") == retry_after
    assert "secret" not in answer.get_data(as_text=True)


def test_a_blueprint_stands_below_the_api() -> None:
    assert api_blueprint("goods", __name__, "/goods").url_prefix == "/api/v1/goods"
    assert api_blueprint("plain", __name__).url_prefix == "/api/v1"


def test_without_a_sign_in_there_is_no_actor(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(NotSignedIn):
        current_actor()


def _request(app: Flask, actor: Actor, key: str | None = "k1", path: str = "/api/v1/pay") -> Any:
    context = app.test_request_context(
        path, method="POST", headers={"Idempotency-Key": key} if key else {}
    )
    context.push()
    g.actor = actor
    return context


def _tenants() -> int:
    found = db.session.scalar(text("SELECT count(*) FROM tenant WHERE kind = 'bank'"))
    db.session.rollback()
    return int(found or 0)


def _effect() -> dict[str, str]:
    tenant = auth.create_tenant(kind=TenantKind.BANK, name="b", prefix="bnk")
    return {"id": tenant.public_id}


def test_a_command_runs_once_for_its_key(app: Flask, employee: Actor) -> None:
    answers = []
    for _ in range(3):
        context = _request(app, employee)
        answers.append(run_command({"a": 1}, _effect, status=201))
        context.pop()
    assert {(answer.status_code, answer.data) for answer in answers} == {(201, answers[0].data)}
    assert answers[0].mimetype == "application/json"
    assert _tenants() == 1


def test_a_command_without_a_key_does_nothing(app: Flask, employee: Actor) -> None:
    context = _request(app, employee, key=None)
    with pytest.raises(idempotency.KeyRequired) as caught:
        run_command({"a": 1}, _effect)
    context.pop()
    assert (caught.value.status, caught.value.code) == (400, "idempotency_key_required")
    assert _tenants() == 0


def test_a_key_belongs_to_its_path_and_body(app: Flask, employee: Actor) -> None:
    context = _request(app, employee)
    run_command({"a": 1}, _effect)
    with pytest.raises(idempotency.KeyReused):
        run_command({"a": 2}, _effect)
    context.pop()
    context = _request(app, employee, path="/api/v1/refund")
    with pytest.raises(idempotency.KeyReused):
        run_command({"a": 1}, _effect)
    context.pop()
    assert _tenants() == 1


def test_a_command_of_many_steps_is_not_for_run_command(app: Flask, employee: Actor) -> None:
    context = _request(app, employee)
    scope = command_scope({"a": 1})
    assert idempotency.begin(scope, lambda: idempotency.Pending("ord_1")) == idempotency.Pending(
        "ord_1"
    )
    idempotency.release(scope)
    with pytest.raises(idempotency.KeyInProgress):
        run_command({"a": 1}, _effect)
    context.pop()
    assert _tenants() == 0
