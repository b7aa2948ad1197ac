"""``/v1``: parse, find out who asks, run one command in one transaction, answer in JSON."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, g, request
from sqlalchemy import Connection
from werkzeug.exceptions import HTTPException

from checkout.gateways.sandbox import commands, records
from checkout.gateways.sandbox.errors import ApiError, invalid, not_found, unauthorized
from checkout.gateways.sandbox.forms import Params, Tree, parse_form
from checkout.gateways.sandbox.gateway import Gateway, gateway_of, public_base
from checkout.gateways.sandbox.idempotency import (
    Answer,
    check_key,
    fingerprint,
    keep_answer,
    stored_answer,
)
from checkout.gateways.sandbox.listings import LISTINGS, page
from checkout.gateways.sandbox.objects import API_VERSION, Dumper, publishable_view
from checkout.gateways.sandbox.store import find
from checkout.gateways.sandbox.work import Work
from kernel.ids import public_id

blueprint = Blueprint("api", __name__, url_prefix="/v1")
log = logging.getLogger(__name__)

Command = Callable[[Work, Params], records.Record]
RETRIEVABLE: dict[str, tuple[str, type[Any]]] = {
    "charges": ("charge", records.Charge),
    "refunds": ("refund", records.Refund),
    "events": ("event", records.Event),
    "payment_methods": ("PaymentMethod", records.PaymentMethod),
    "balance_transactions": ("balance transaction", records.BalanceTransaction),
}


# --- who asks -----------------------------------------------------------------------------------


def sent_key() -> str | None:
    """The API key of the request: Basic's user name, or a Bearer token."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None


def require_secret_key() -> None:
    """401 unless the shop's own key was sent."""
    key = sent_key()
    if key is None:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if not _same(key, gateway_of(current_app).config.api_key):
        raise unauthorized(f"Invalid API Key provided: {key[:7]}***")


def holds_secret_key() -> bool:
    """Whether the shop asks; else it must be a browser: no key, or the publishable one.

    Any other key is 401 in either case.
    """
    key = sent_key()
    config = gateway_of(current_app).config
    if key is None or _same(key, config.publishable_key):
        return False
    require_secret_key()
    return True


def require_client_secret(intent: records.Intent, given: str | None) -> None:
    """A browser must know the secret of the one intent it asks for."""
    if not given or not _same(given, intent.client_secret):
        raise unauthorized(
            "The client_secret provided does not match the client_secret associated with this "
            "PaymentIntent, and no API key was provided."
        )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


# --- how a call runs ----------------------------------------------------------------------------


@blueprint.before_request
def name_request() -> None:
    g.request_id = public_id("req")


def read_params() -> Tree:
    """The form body of a POST, the query of anything else."""
    if request.method != "POST":
        return parse_form(request.query_string.decode("ascii", "replace"))
    body = request.get_data()
    if body and request.mimetype not in ("application/x-www-form-urlencoded", ""):
        raise invalid(
            "Invalid request (check that your POST content type is "
            "application/x-www-form-urlencoded)."
        )
    try:
        return parse_form(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise invalid("Invalid form encoding: not UTF-8") from error


def run(operation: str, command: Command, *, browser: bool = False) -> Response:
    """Run a POST under its Idempotency-Key. The effect, its events and the answer are one commit.

    ``browser``: the command itself has checked a client secret; the answer hides the shop's notes.
    """
    gateway = gateway_of(current_app)
    tree = read_params()
    key = check_key(request.headers.get("Idempotency-Key"))
    print_ = fingerprint(request.method, request.path, tree)
    with gateway.keys.hold(key):
        fault = gateway.faults.take(operation)
        if fault is not None and fault.kind == "fail":
            raise ApiError("A fault was ordered for this call.", status=500, kind="api_error")
        with gateway.store.write() as connection:
            answer = stored_answer(connection, key, print_)
            if answer is None:
                work = Work(connection, gateway.config, public_base(), g.request_id, key)
                answer = _do(work, command, Params(tree), browser=browser)
                keep_answer(connection, key, print_, answer, now=work.now())
    gateway.sender.wake()
    if fault is not None:
        # Late, not in progress: the key is free again, and a second request finds the answer.
        time.sleep(fault.seconds)
    return respond(answer, key=key)


def _do(work: Work, command: Command, params: Params, *, browser: bool) -> Answer:
    expand = params.texts("expand")
    try:
        body = work.dumper.dump(command(work, params))
        body = work.dumper.expand(body, expand)
        status = 200
    except ApiError as error:
        # A refusal that came after validation is an answer like another: it is kept, together
        # with what the command wrote (a declined charge, say). Validation errors undo the work.
        if error.validation or error.status >= 500:
            raise
        body, status = error_body(error, work.connection), error.status
    return Answer(status, to_json(_for_browser(body) if browser else body), g.request_id)


def _for_browser(body: dict[str, Any]) -> dict[str, Any]:
    error = body.get("error")
    if error is None:
        return publishable_view(body)
    if "payment_intent" in error:
        error["payment_intent"] = publishable_view(error["payment_intent"])
    return body


def error_body(error: ApiError, connection: Connection | None = None) -> dict[str, Any]:
    """Stripe's ``{"error": …}``, with the PaymentIntent as it now stands where there is one."""
    members = error.to_dict()
    if error.intent_id and connection is not None:
        intent = find(connection, records.Intent, error.intent_id)
        if intent is not None:
            members["payment_intent"] = Dumper(connection, public_base()).dump(intent)
    return {"error": members}


def to_json(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


def respond(answer: Answer, *, key: str | None = None) -> Response:
    response = Response(answer.body, status=answer.status, mimetype="application/json")
    response.headers["Request-Id"] = answer.request_id
    response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
    response.headers["Cache-Control"] = "no-store"
    if key is not None:
        response.headers["Idempotency-Key"] = key
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def show(body: Any) -> Response:
    return respond(Answer(200, to_json(body), g.request_id))


@blueprint.errorhandler(ApiError)
def on_api_error(error: ApiError) -> Response:
    answer = Answer(error.status, to_json(error_body(error)), g.request_id)
    return respond(answer, key=request.headers.get("Idempotency-Key"))


@blueprint.errorhandler(Exception)
def on_failure(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        refused = ApiError(error.description or "Refused", status=error.code or 400)
        return respond(Answer(refused.status, to_json(error_body(refused)), g.request_id))
    log.error("request %s failed", g.request_id, exc_info=error)
    failed = ApiError("Something went wrong on our side.", status=500, kind="api_error")
    return respond(Answer(500, to_json(error_body(failed)), g.request_id))


# --- payment intents ----------------------------------------------------------------------------


@blueprint.post("/payment_intents")
def create_intent() -> Response:
    require_secret_key()
    return run("payment_intents.create", commands.create_intent)


@blueprint.get("/payment_intents/<intent_id>")
def retrieve_intent(intent_id: str) -> Response:
    by_shop = holds_secret_key()
    params = Params(read_params())
    params.only(("client_secret", "expand"))
    gateway = gateway_of(current_app)
    fault = gateway.faults.take("payment_intents.retrieve")
    if fault is not None:
        if fault.kind == "fail":
            raise ApiError("A fault was ordered for this call.", status=500, kind="api_error")
        time.sleep(fault.seconds)
    with gateway.store.read() as connection:
        intent = commands.intent_of(connection, intent_id)
        if not by_shop:
            require_client_secret(intent, params.text("client_secret"))
        dumper = Dumper(connection, public_base())
        body = dumper.dump(intent)
        if not by_shop:
            return show(publishable_view(body))
        return show(dumper.expand(body, params.texts("expand")))


@blueprint.post("/payment_intents/<intent_id>")
def update_intent(intent_id: str) -> Response:
    require_secret_key()
    return run("payment_intents.update", commands.update_intent(intent_id))


@blueprint.post("/payment_intents/<intent_id>/confirm")
def confirm_intent(intent_id: str) -> Response:
    by_shop = holds_secret_key()
    if not by_shop:
        _check_browser(gateway_of(current_app), intent_id)
    return run("payment_intents.confirm", commands.confirm_intent(intent_id), browser=not by_shop)


def _check_browser(gateway: Gateway, intent_id: str) -> None:
    with gateway.store.read() as connection:
        intent = commands.intent_of(connection, intent_id)
    params = Params(read_params())
    require_client_secret(intent, params.text("client_secret"))
    if "expand" in params:
        raise invalid("expand needs the secret key.", param="expand")


@blueprint.post("/payment_intents/<intent_id>/capture")
def capture_intent(intent_id: str) -> Response:
    require_secret_key()
    return run("payment_intents.capture", commands.capture_intent(intent_id))


@blueprint.post("/payment_intents/<intent_id>/cancel")
def cancel_intent(intent_id: str) -> Response:
    require_secret_key()
    return run("payment_intents.cancel", commands.cancel_intent(intent_id))


# --- the rest -----------------------------------------------------------------------------------


@blueprint.post("/payment_methods")
def create_payment_method() -> Response:
    require_secret_key()
    return run("payment_methods.create", commands.create_payment_method)


@blueprint.post("/refunds")
def create_refund() -> Response:
    require_secret_key()
    return run("refunds.create", commands.create_refund)


@blueprint.post("/refunds/<refund_id>")
def update_refund(refund_id: str) -> Response:
    require_secret_key()
    return run("refunds.update", commands.update_refund(refund_id))


@blueprint.get("/<any(payment_intents, charges, refunds, events, balance_transactions):path>")
def show_list(path: str) -> Response:
    require_secret_key()
    with gateway_of(current_app).store.read() as connection:
        dumper = Dumper(connection, public_base())
        return show(page(LISTINGS[path], Params(read_params()), connection, dumper))


@blueprint.get(
    "/<any(charges, refunds, events, payment_methods, balance_transactions):path>/<object_id>"
)
def retrieve(path: str, object_id: str) -> Response:
    require_secret_key()
    params = Params(read_params())
    params.only(("expand",))
    name, kind = RETRIEVABLE[path]
    with gateway_of(current_app).store.read() as connection:
        record = find(connection, kind, object_id)
        if record is None:
            raise not_found(name, object_id, param="id")
        dumper = Dumper(connection, public_base())
        return show(dumper.expand(dumper.dump(record), params.texts("expand")))


@blueprint.route("/test_helpers/faults", methods=["POST", "DELETE"])
def order_fault() -> Response:
    require_secret_key()
    faults = gateway_of(current_app).faults
    if request.method == "DELETE":
        faults.clear()
        return show({"object": "test_helpers.fault", "deleted": True})
    params = Params(read_params())
    params.only(("operation", "kind", "times", "seconds"))
    kind = params.choice("kind", ("fail", "late"))
    try:
        faults.plan(
            params.need_text("operation"),
            "late" if kind == "late" else "fail",
            times=params.integer("times", least=1, most=1000) or 1,
            seconds=params.integer("seconds", least=0, most=60) or 5,
        )
    except ValueError as error:
        raise invalid(str(error), param="operation") from error
    return show({"object": "test_helpers.fault", "kind": kind or "fail"})


@blueprint.route("/", defaults={"path": ""}, methods=["GET", "POST", "DELETE"])
@blueprint.route("/<path:path>", methods=["GET", "POST", "DELETE"])
def unknown(path: str) -> Response:
    raise ApiError(
        f"Unrecognized request URL ({request.method}: /v1/{path}). If you are trying to list "
        "objects, remove the trailing slash. If you are trying to retrieve an object, make sure "
        "you passed a valid (non-empty) identifier in your code.",
        status=404,
        validation=True,
    )
