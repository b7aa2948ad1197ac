"""Every route stands in the policy table, and the table refuses who may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule

from app.policy import POLICY
from kernel.auth.policy import PUBLIC, SIGNED_IN, Access, Actor, Role, TenantKind, authorise
from kernel.auth.services import create_tenant, csrf_token, sign_in
from kernel.db import write_transaction
from kernel.errors import Forbidden, NotSignedIn
from kernel.web import API, COOKIE, init_web
from tests.factories.people import PASSWORD, build_member


def _calls(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and a path of every route."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: _value(rule, name) for name in rule.arguments}
        path = adapter.build(rule.endpoint, values, append_unknown=False)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, path


def _value(rule: Rule, name: str) -> str | int:
    return 1 if isinstance(rule._converters.get(name), IntegerConverter) else "none"


def _actor(*roles: Role) -> Actor:
    return Actor(
        person_id=1,
        person_public_id="usr_1",
        login="a@b",
        name="a",
        membership_id=1,
        membership_public_id="mbr_1",
        tenant_id=1,
        tenant_public_id="ent_1",
        tenant_kind=TenantKind.ENTERPRISE,
        tenant_name="a",
        roles=frozenset(roles),
    )


def test_the_table_and_the_routes_name_the_same_endpoints(app: Flask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints - set(POLICY) == set(), "routes without a policy"
    assert set(POLICY) - endpoints == set(), "policies without a route"


def test_only_these_are_open_to_everybody() -> None:
    public = {name for name, access in POLICY.items() if access.public}
    assert {name for name in public if not name.startswith("pages.")} == {
        "auth.login",
        "webhooks.gateway_event",
        "api-docs.openapi_json",
    }
    assert all(not access.roles for access in POLICY.values() if access.public)


def test_without_a_session_every_closed_call_is_refused(app: Flask, client: FlaskClient) -> None:
    refused = 0
    for endpoint, method, path in _calls(app):
        if POLICY[endpoint].public:
            continue
        answer = client.open(path, method=method, json={} if method != "GET" else None)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "not_signed_in"), path
        refused += 1
    assert refused >= 25


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_refused_what_is_not_its_own(
    app: Flask, client: FlaskClient, role: Role
) -> None:
    with write_transaction():
        tenant = create_tenant(kind=TenantKind.ENTERPRISE, name="甲", prefix="ent")
        actor = build_member(tenant.id, role, login="a@b.example")
    token = sign_in(login=actor.login, password=PASSWORD)
    client.set_cookie(COOKIE, token)
    refused = set()
    for endpoint, method, path in _calls(app):
        if not POLICY[endpoint].roles or role in POLICY[endpoint].roles:
            continue
        answer = client.open(
            path,
            method=method,
            json={} if method != "GET" else None,
            headers={"X-CSRF-Token": csrf_token(token)},
        )
        assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden"), path
        refused.add(endpoint)
    assert refused == {name for name, a in POLICY.items() if a.roles and role not in a.roles}
    assert refused


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_let_to_what_is_its_own(role: Role) -> None:
    for endpoint, access in POLICY.items():
        allowed = access.public or not access.roles or role in access.roles
        if allowed:
            authorise(POLICY, endpoint, _actor(role))
        else:
            with pytest.raises(Forbidden):
                authorise(POLICY, endpoint, _actor(role))


def test_a_route_that_is_not_in_the_table_is_refused_for_all() -> None:
    bare = Flask("bare")
    init_web(bare, {})
    bare.add_url_rule(f"{API}/secret", "secret", lambda: "secret")
    answer = bare.test_client().get(f"{API}/secret")
    assert answer.status_code == 403
    assert b"secret" not in answer.data.replace(b"/secret", b"")
    for actor in (None, _actor(*Role)):
        with pytest.raises(Forbidden, match="没有登记权限"):
            authorise({}, "secret", actor)


def test_access_is_public_signed_in_or_by_role() -> None:
    policy = {"open": PUBLIC, "any": SIGNED_IN, "money": Access.of(Role.HR, Role.FINANCE)}
    authorise(policy, "open", None)
    authorise(policy, "any", _actor())
    authorise(policy, "money", _actor(Role.FINANCE, Role.EMPLOYEE))
    for endpoint in ("any", "money"):
        with pytest.raises(NotSignedIn):
            authorise(policy, endpoint, None)
    with pytest.raises(Forbidden):
        authorise(policy, "money", _actor(Role.EMPLOYEE))
    assert _actor(Role.HR).has(Role.HR, Role.FINANCE)
    assert not _actor().has(Role.HR)
