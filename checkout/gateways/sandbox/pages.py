"""The hosted pages: card form, 3-D Secure challenge, and where a person goes from there.

A form is trusted by the intent's client secret alone: there is no cookie, so another site has
nothing to ride on. All links are relative, so the pages work below any prefix.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
)
from werkzeug.wrappers import Response as BaseResponse

from checkout.gateways.sandbox import payments, records
from checkout.gateways.sandbox.cards import BY_NUMBER
from checkout.gateways.sandbox.errors import ApiError
from checkout.gateways.sandbox.forms import Params, parse_form
from checkout.gateways.sandbox.gateway import gateway_of, own_origin, public_base
from checkout.gateways.sandbox.methods import create_method
from checkout.gateways.sandbox.return_urls import is_safe_return_url, with_result
from checkout.gateways.sandbox.states import Action, Status
from checkout.gateways.sandbox.store import find
from checkout.gateways.sandbox.wording import LANGUAGES, OFFERED, WORDS, decline_words
from checkout.gateways.sandbox.work import Work
from kernel.clock import real_now
from kernel.money import format_yuan

blueprint = Blueprint("pages", __name__, template_folder="templates")

_EXPIRY = re.compile(r"^\s*([0-9]{1,2})\s*/?\s*([0-9]{2}|[0-9]{4})\s*$")
FIELD_OF_PARAM = {"number": "number", "exp_month": "expiry", "exp_year": "expiry", "cvc": "cvc"}
PAID = (Status.SUCCEEDED, Status.REQUIRES_CAPTURE)
EXPIRY_YEARS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Visit:
    """What the query or the form says, checked: an unsafe return URL counts as none."""

    intent_id: str
    client_secret: str
    return_url: str | None
    language: str

    def query(self, **changes: str) -> str:
        members = {"client_secret": self.client_secret, "return_url": self.return_url or ""}
        members |= {"lang": self.language} | changes
        return urlencode({name: value for name, value in members.items() if value})


def _visit(intent_id: str) -> Visit:
    values = request.form if request.method == "POST" else request.args
    return_url = values.get("return_url", "")
    bases = (public_base(), own_origin())
    language = values.get("lang", LANGUAGES[0])
    return Visit(
        intent_id=intent_id,
        client_secret=values.get("client_secret", ""),
        return_url=return_url if is_safe_return_url(return_url, own_bases=bases) else None,
        language=language if language in LANGUAGES else LANGUAGES[0],
    )


def _known(intent: records.Intent | None, visit: Visit) -> bool:
    return intent is not None and hmac.compare_digest(
        visit.client_secret.encode(), intent.client_secret.encode()
    )


def _read(visit: Visit) -> records.Intent | None:
    with gateway_of(current_app).store.read() as connection:
        intent = find(connection, records.Intent, visit.intent_id)
    return intent if _known(intent, visit) else None


# --- the card form ------------------------------------------------------------------------------


@blueprint.get("/pay/<intent_id>")
def card_page(intent_id: str) -> BaseResponse:
    visit = _visit(intent_id)
    intent = _read(visit)
    if intent is None:
        return _notice(visit, "wrong_link", status=404)
    if intent.status is Status.REQUIRES_ACTION:
        return redirect(f"{intent.id}/challenge?{visit.query()}", 303)
    if intent.status in PAID and visit.return_url:
        return redirect(_back(intent, visit.return_url), 303)
    if intent.status in PAID:
        return _notice(visit, "paid", intent=intent)
    if intent.status is Status.CANCELED:
        return _notice(visit, "canceled", intent=intent)
    if intent.status is Status.PROCESSING:
        return _notice(visit, "waiting", intent=intent)
    return _form(visit, intent)


@blueprint.post("/pay/<intent_id>")
def pay(intent_id: str) -> BaseResponse:
    visit = _visit(intent_id)
    refused: ApiError | None = None
    gateway = gateway_of(current_app)
    with gateway.store.write() as connection:
        intent = find(connection, records.Intent, intent_id)
        if intent is None or not _known(intent, visit):
            return _notice(visit, "wrong_link", status=404)
        work = Work(connection, gateway.config, public_base())
        try:
            payments.require(intent, Action.CONFIRM)
            method = create_method(work, _card_params())
            payments.confirm(work, intent, method=method, return_url=visit.return_url, hosted=True)
        except ApiError as error:
            refused = error
    gateway.sender.wake()
    if refused is not None and refused.intent_id is None:
        return _form(visit, intent, refused=refused)
    # A decline is written on the intent, and a second tap finds it moved on: the page shows both.
    if intent.status is Status.REQUIRES_ACTION:
        return redirect(f"{intent.id}/challenge?{visit.query()}", 303)
    return redirect(f"{intent.id}?{visit.query()}", 303)


def _card_params() -> Params:
    """The fields as ``payment_method_data``; without a number, the test card that was tapped."""
    number = request.form.get("number", "").strip()
    tapped = request.form.get("test_card", "")
    if not number and tapped:
        number, expiry, cvc = tapped, _sample_expiry(), "123"
    else:
        expiry, cvc = request.form.get("expiry", ""), request.form.get("cvc", "").strip()
    found = _EXPIRY.match(expiry)
    # An expiry that can't be read is given as month 0, which the card check refuses by field.
    month, year = (found[1], found[2]) if found else ("0", "0")
    fields = {
        "type": "card",
        "card[number]": number or "-",
        "card[exp_month]": month,
        "card[exp_year]": year,
        "card[cvc]": cvc or "-",
    }
    return Params(parse_form(urlencode(fields)))


def _sample_expiry() -> str:
    return f"12 / {(real_now().year + EXPIRY_YEARS_AHEAD) % 100:02d}"


def _form(visit: Visit, intent: records.Intent, *, refused: ApiError | None = None) -> BaseResponse:
    words = WORDS[visit.language]
    field = FIELD_OF_PARAM.get(refused.param or "") if refused else None
    offered = [
        {"number": number, "last4": number[-4:], "label": words[f"card_{number[-4:]}"]}
        for number in OFFERED
    ]
    untried = refused is None and intent.last_payment_error is None
    return _page(
        "pay.html",
        visit,
        intent=intent,
        offered=offered,
        chosen=OFFERED[0] if untried else None,
        sample_expiry=_sample_expiry(),
        decline=_decline(visit, intent, refused),
        bad_field=field if refused and not refused.decline_code else None,
        status=422 if refused else 200,
    )


def _decline(
    visit: Visit, intent: records.Intent, refused: ApiError | None
) -> dict[str, str] | None:
    """The refusal to show above the form: what happened, to which card, and what to do."""
    if refused is not None:
        code, last4 = refused.decline_code, ""
        if code is None:
            return None
    elif intent.last_payment_error is not None:
        error = intent.last_payment_error
        code = error.get("decline_code") or error["code"]
        last4 = error["payment_method"]["card"]["last4"]
    else:
        return None
    what, then = decline_words(visit.language, code)
    return {"what": what, "then": then, "last4": last4}


# --- the 3-D Secure challenge -------------------------------------------------------------------


@blueprint.get("/pay/<intent_id>/challenge")
def challenge_page(intent_id: str) -> BaseResponse:
    visit = _visit(intent_id)
    intent = _read(visit)
    if intent is None:
        return _notice(visit, "wrong_link", status=404)
    if intent.status is not Status.REQUIRES_ACTION:
        return _after_challenge(visit, intent)
    with gateway_of(current_app).store.read() as connection:
        method = find(connection, records.PaymentMethod, intent.payment_method)
    last4 = BY_NUMBER[method.card].last4 if method else ""
    return _page("challenge.html", visit, intent=intent, last4=last4)


@blueprint.post("/pay/<intent_id>/challenge")
def answer_challenge(intent_id: str) -> BaseResponse:
    visit = _visit(intent_id)
    approved = request.form.get("outcome") == "approve"
    gateway = gateway_of(current_app)
    with gateway.store.write() as connection:
        intent = find(connection, records.Intent, intent_id)
        if intent is None or not _known(intent, visit):
            return _notice(visit, "wrong_link", status=404)
        # A second tap finds the challenge answered and goes where the first one went.
        if intent.status is Status.REQUIRES_ACTION:
            work = Work(connection, gateway.config, public_base())
            payments.authenticate(work, intent, approved=approved)
    gateway.sender.wake()
    return _after_challenge(visit, intent)


def _after_challenge(visit: Visit, intent: records.Intent) -> BaseResponse:
    """A shop that confirmed by itself gets its person back whatever came; ours go to our page."""
    if intent.return_url and not intent.hosted:
        return redirect(_back(intent, intent.return_url), 303)
    return_url = visit.return_url or intent.return_url or ""
    return redirect(f"../{intent.id}?{visit.query(return_url=return_url)}", 303)


def _back(intent: records.Intent, url: str) -> str:
    if intent.status in PAID:
        result = "succeeded"
    else:
        result = "processing" if intent.status is Status.PROCESSING else "failed"
    return with_result(url, intent_id=intent.id, client_secret=intent.client_secret, result=result)


# --- rendering ----------------------------------------------------------------------------------


def _notice(
    visit: Visit, key: str, *, intent: records.Intent | None = None, status: int = 200
) -> BaseResponse:
    return _page("notice.html", visit, intent=intent, key=key, status=status)


def _page(template: str, visit: Visit, *, status: int = 200, **members: Any) -> Response:
    nonce = secrets.token_urlsafe(12)
    other = LANGUAGES[1 - LANGUAGES.index(visit.language)]
    html = render_template(
        template,
        visit=visit,
        words=WORDS[visit.language],
        nonce=nonce,
        shop=gateway_of(current_app).config.shop_name,
        yuan=format_yuan,
        other_language_query=visit.query(lang=other),
        **members,
    )
    response = make_response(html, status)
    # A form's redirect is held to form-action too, so the shop's origin stands there by name.
    back = f" {_origin(visit.return_url)}" if visit.return_url else ""
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        f"img-src data:; form-action 'self'{back}; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"
