"""Payment methods: a test card by its token or by number, expiry and security code."""

from __future__ import annotations

import re

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.cards import (
    BY_NUMBER,
    BY_TOKEN,
    NOT_A_TEST_CARD,
    Card,
    passes_luhn,
)
from checkout.gateways.sandbox.errors import card_error, invalid, missing
from checkout.gateways.sandbox.forms import Params
from checkout.gateways.sandbox.store import add, find
from checkout.gateways.sandbox.work import Work
from kernel.clock import real_now
from kernel.ids import public_id

_CVC = re.compile(r"^[0-9]{3,4}$")
# Stripe's own tokens expire a year ahead; so do ours, and nobody has to renew them.
YEARS_AHEAD = 1


def chosen_method(work: Work, params: Params) -> records.PaymentMethod | None:
    """The payment method that ``payment_method`` or ``payment_method_data`` names, if either.

    Raises 402 for a bad number, expiry or code, before anything is written.
    """
    token = params.text("payment_method")
    if token:
        return _by_token(work, token)
    data = params.child("payment_method_data")
    return None if data is None else create_method(work, data)


def _by_token(work: Work, token: str) -> records.PaymentMethod:
    card = BY_TOKEN.get(token)
    if card is not None:
        return _keep(work, card, month=12, year=real_now().year + YEARS_AHEAD)
    method = find(work.connection, records.PaymentMethod, token)
    if method is None:
        raise invalid(
            f"No such PaymentMethod: '{token}'", param="payment_method", code="resource_missing"
        )
    return method


def create_method(work: Work, params: Params) -> records.PaymentMethod:
    """A payment method from ``type=card`` and ``card[number|exp_month|exp_year|cvc]``."""
    params.only(("type", "card", "billing_details", "metadata", "allow_redisplay", "expand"))
    params.choice("type", ("card",))
    details = params.child("card")
    if details is None:
        raise missing("card")
    details.only(("number", "exp_month", "exp_year", "cvc", "token"))
    token = details.text("token")
    if token:
        return _by_token(work, "pm_card_" + token.removeprefix("tok_"))
    now = real_now()
    month = _whole(details, "exp_month", default=12)
    year = _whole(details, "exp_year", default=now.year + YEARS_AHEAD)
    card = read_card(
        number=details.need_text("number"),
        month=month,
        year=year + 2000 if year < 100 else year,
        cvc=details.text("cvc"),
    )
    return _keep(work, card, month=month, year=year + 2000 if year < 100 else year)


def _whole(details: Params, name: str, *, default: int) -> int:
    value = details.integer(name, least=0, most=9999)
    return default if value is None else value


def read_card(*, number: str, month: int, year: int, cvc: str | None) -> Card:
    """The test card of these details, or Stripe's 402 for what is wrong with them."""
    digits = re.sub(r"[\s-]", "", number)
    if not digits.isascii() or not digits.isdigit() or not 12 <= len(digits) <= 19:
        raise card_error(
            "The card number is not a valid credit card number.",
            code="invalid_number",
            param="number",
        )
    if not passes_luhn(digits):
        raise card_error("Your card number is incorrect.", code="incorrect_number", param="number")
    if not 1 <= month <= 12:
        raise card_error(
            "Your card's expiration month is invalid.",
            code="invalid_expiry_month",
            param="exp_month",
        )
    now = real_now()
    if (year, month) < (now.year, now.month) or year > now.year + 50:
        raise card_error(
            "Your card's expiration year is invalid.", code="invalid_expiry_year", param="exp_year"
        )
    if cvc is not None and not _CVC.match(cvc):
        raise card_error("Your card's security code is invalid.", code="invalid_cvc", param="cvc")
    card = BY_NUMBER.get(digits)
    if card is None:
        raise card_error(
            NOT_A_TEST_CARD.message,
            code=NOT_A_TEST_CARD.code,
            decline_code=NOT_A_TEST_CARD.decline_code,
            param="number",
        )
    return card


def _keep(work: Work, card: Card, *, month: int, year: int) -> records.PaymentMethod:
    method = records.PaymentMethod(
        id=public_id("pm"),
        created=int(work.now()),
        card=card.number,
        exp_month=month,
        exp_year=year,
    )
    add(work.connection, method)
    return method
