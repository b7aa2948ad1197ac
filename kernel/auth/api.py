"""Sign-in, sign-out, who am I, and acting for another membership."""

from __future__ import annotations

from typing import Any

from flask import Response, g, jsonify

from kernel.auth import services
from kernel.auth.policy import Actor
from kernel.auth.schemas import LoginIn, MeOut, SettingsIn, SettingsOut, SwitchIn
from kernel.db import write_transaction
from kernel.settings import Environment, get_settings
from kernel.web import COOKIE, api_blueprint, current_actor

blueprint = api_blueprint("auth", __name__)


def _me(actor: Actor, token: str) -> dict[str, Any]:
    return {
        "csrf_token": services.csrf_token(token),
        "user": {
            "id": actor.person_public_id,
            "login": actor.login,
            "name": actor.name,
            "roles": sorted(actor.roles),
            "tenant": {
                "kind": actor.tenant_kind,
                "id": actor.tenant_public_id,
                "name": actor.tenant_name,
            },
        },
        "settings": _settings(actor),
        "memberships": [
            {
                "membership_id": m.membership_id,
                "tenant": {"kind": m.tenant_kind, "id": m.tenant_id, "name": m.tenant_name},
                "roles": m.roles,
                "active": m.active,
            }
            for m in services.list_memberships(person_id=actor.person_id)
        ],
    }


def _settings(actor: Actor) -> dict[str, bool]:
    return {"personalisation": services.is_personalised(person_id=actor.person_id)}


@blueprint.route("/auth/login", methods=["POST"])
@blueprint.arguments(LoginIn)
@blueprint.alt_response(200, schema=MeOut)
def login(data: dict[str, str]) -> Response:
    """Sign in; sets the session cookie."""
    token = services.sign_in(login=data["login"], password=data["password"])
    actor = services.find_actor(token)
    if actor is None:
        raise services.WrongCredentials
    response = jsonify(_me(actor, token))
    settings = get_settings()
    response.set_cookie(
        COOKIE,
        token,
        httponly=True,
        samesite="Lax",
        secure=settings.env is Environment.PRODUCTION,
        max_age=settings.session_hours * 3600,
    )
    return response


@blueprint.route("/auth/logout", methods=["POST"])
@blueprint.response(204)
def logout() -> Response:
    """End this session."""
    services.sign_out(g.session_token)
    response = Response(status=204)
    response.delete_cookie(COOKIE)
    return response


@blueprint.route("/me")
@blueprint.response(200, MeOut)
def me() -> dict[str, Any]:
    """Who is signed in; the same body as sign-in, so that a reloaded page has its token."""
    return _me(current_actor(), g.session_token)


@blueprint.route("/me/settings")
@blueprint.response(200, SettingsOut)
def show_settings() -> dict[str, bool]:
    """What the signed-in person has chosen for themselves."""
    return _settings(current_actor())


@blueprint.route("/me/settings", methods=["PUT"])
@blueprint.arguments(SettingsIn)
@blueprint.response(200, SettingsOut)
def change_settings(data: dict[str, bool]) -> dict[str, bool]:
    """Choose: without personalisation, nothing of what was done before is kept or shown."""
    actor = current_actor()
    with write_transaction():
        services.set_personalised(actor=actor, personalised=data["personalisation"])
    return _settings(actor)


@blueprint.route("/auth/switch", methods=["POST"])
@blueprint.arguments(SwitchIn)
@blueprint.response(200, MeOut)
def switch(data: dict[str, str]) -> dict[str, Any]:
    """Act for another of one's memberships."""
    services.switch_membership(
        actor=current_actor(), token=g.session_token, membership_id=data["membership_id"]
    )
    actor = services.find_actor(g.session_token)
    if actor is None:
        raise services.WrongCredentials
    return _me(actor, g.session_token)
