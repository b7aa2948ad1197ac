"""The edge of HTTP: blueprints, sign-in of a request, problem+json, commands with a key."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
import structlog
from flask import Flask, Request, Response, current_app, g, request
from flask.json.provider import JSONProvider
from flask_smorest import Blueprint
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from webargs.core import missing
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.exceptions import HTTPException

from kernel import clock, idempotency
from kernel.auth import services as auth
from kernel.auth.policy import Actor, Policy, authorise
from kernel.db import db
from kernel.errors import (
    BodyTooLarge,
    Forbidden,
    InvalidInput,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    NotSignedIn,
    Problem,
    ServiceUnavailable,
    UnsupportedMedia,
)
from kernel.ids import public_id
from kernel.retrying import always, is_lost, with_retries
from kernel.settings import get_settings

log = structlog.get_logger(__name__)

API = "/api/v1"
COOKIE = "mall_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BadCsrfToken(Forbidden):
    code = "bad_csrf_token"
    title = "页面已过期，请刷新后再试"


class OrjsonProvider(JSONProvider):
    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)


class StrictJsonParser(FlaskParser):
    """Reads bodies with orjson, which refuses what the standard reader lets through: halves of
    characters, and nesting deep enough to end the interpreter's stack."""

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json_request(req):
            return missing
        try:
            return orjson.loads(req.get_data(cache=True))
        except orjson.JSONDecodeError:
            raise MalformedBody from None


class RoomBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    ARGUMENTS_PARSER = StrictJsonParser()

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **kw: Any
    ) -> None:
        """Every view of a room is an edge: done again where the database asks for it."""
        super().add_url_rule(rule, endpoint, view_func and _edge(view_func), *args, **kw)


def _edge(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        return with_retries(lambda: view(*args, **kwargs), resumable=_is_resumable)

    return run


def _is_resumable() -> bool:
    """With a key the command finds out how far it came; a query has nothing to do twice."""
    return request.method in _SAFE or bool(g.get("keyed"))


def api_blueprint(name: str, import_name: str, prefix: str = "") -> Blueprint:
    """A blueprint under ``/api/v1`` whose routes appear in the OpenAPI document."""
    return RoomBlueprint(name, import_name, url_prefix=f"{API}{prefix}")


def current_actor() -> Actor:
    """The signed-in actor of this request. Raises :class:`NotSignedIn`."""
    actor: Actor | None = g.get("actor")
    if actor is None:
        raise NotSignedIn
    return actor


def command_scope(payload: Any) -> idempotency.Scope:
    """The idempotency scope of this request. Raises where the header is missing."""
    scope = idempotency.Scope.of(
        actor=current_actor().person_public_id,
        key=request.headers.get("Idempotency-Key"),
        command=f"{request.method} {request.path}",
        payload=payload,
    )
    g.keyed = True
    return scope


def run_command(payload: Any, work: Callable[[], Any], *, status: int = 200) -> Response:
    """Run a one-step command under its key: ``work`` returns the JSON body."""
    outcome = idempotency.begin(
        command_scope(payload), lambda: idempotency.Answer.json(status, work())
    )
    if isinstance(outcome, idempotency.Pending):
        raise idempotency.KeyInProgress(retry_after=1)
    return answer_response(outcome)


def answer_response(answer: idempotency.Answer) -> Response:
    """The stored bytes as they are, so that every retry gets an identical body."""
    return Response(answer.body, status=answer.status, mimetype="application/json")


def problem_response(problem: Problem) -> Response:
    body = problem.to_dict() | {"request_id": g.get("request_id", "")}
    response = Response(
        orjson.dumps(body), status=problem.status, mimetype="application/problem+json"
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


_BY_STATUS: dict[int, type[Problem]] = {
    400: MalformedBody,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: UnsupportedMedia,
    422: InvalidInput,
}


def _flatten(messages: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(messages, dict):
        return [
            entry
            for key, value in messages.items()
            for entry in _flatten(value, path if key == "_schema" else f"{path}.{key}".strip("."))
        ]
    if isinstance(messages, list):
        return [entry for value in messages for entry in _flatten(value, path)]
    return [{"field": path, "message": str(messages)}]


def _http_problem(error: HTTPException) -> Response:
    status = error.code or 500
    data = getattr(error, "data", None) or {}
    messages = data.get("messages") if isinstance(data, dict) else None
    kind = _BY_STATUS.get(status)
    if kind is None:
        return _plain_problem(status, error.description or error.name)
    # By where they were: the body or the query. A field may have such a name, too.
    by_place = messages.values() if isinstance(messages, dict) else ()
    problem = kind(errors=[entry for found in by_place for entry in _flatten(found)])
    response = problem_response(problem)
    valid = getattr(error, "valid_methods", None)
    if status == 405 and valid:
        response.headers["Allow"] = ", ".join(sorted(valid))
    return response


def _plain_problem(status: int, title: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "code": f"http_{status}"}
    return Response(orjson.dumps(body), status=status, mimetype="application/problem+json")


def _sign_in_request() -> None:
    """Find the actor, check the CSRF token and the policy, before any view runs."""
    g.started = time.perf_counter()
    g.request_id = request.headers.get("X-Request-Id", "")[:64] or public_id("req")
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if request.endpoint is None:
        return  # 404 and 405 come from routing
    policy: Policy = current_app.extensions["mall_policy"]
    access = policy.get(request.endpoint)
    token = request.cookies.get(COOKIE, "")
    actor = None
    if token and request.path.startswith(API):
        actor = with_retries(lambda: auth.find_actor(token), resumable=always)
        db.session.rollback()
    g.actor, g.session_token = actor, token
    authorise(policy, request.endpoint, actor)
    csrf_free = access is not None and access.public
    if (
        actor is not None
        and request.method not in _SAFE
        and not csrf_free
        and request.headers.get("X-CSRF-Token", "") != auth.csrf_token(token)
    ):
        raise BadCsrfToken


def _finish_request(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if g.get("actor") is not None and response.status_code < 500:
        # Pages count down by business time, which a demo may have moved.
        response.headers["X-Now"] = clock.rfc3339(clock.now()) or ""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    if request.path.startswith(API):
        response.headers.setdefault("Cache-Control", "no-store")
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 1),
        )
    return response


def init_web(app: Flask, policy: Policy) -> None:
    """Hook sign-in, policy, problem+json and request logs into ``app``."""
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = get_settings().max_body_bytes
    app.extensions["mall_policy"] = policy
    app.before_request(_sign_in_request)
    app.after_request(_finish_request)
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(HTTPException, _http_problem)

    @app.errorhandler(PoolExhausted)
    @app.errorhandler(OperationalError)
    def _database_busy(error: DBAPIError | PoolExhausted) -> Response:
        log.error("database_unavailable", error=str(getattr(error, "orig", error)))
        return problem_response(ServiceUnavailable(retry_after=2))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        if isinstance(error, DBAPIError) and is_lost(error):
            return _database_busy(error)
        log.exception("unexpected", error=type(error).__name__)
        return problem_response(Problem())
