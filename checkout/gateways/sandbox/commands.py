"""The POSTs of the API: parameters in, one command of ``payments`` or ``refunds``, a record out."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from checkout.gateways.sandbox import methods, payments, records, refunds
from checkout.gateways.sandbox.errors import ApiError, invalid, missing, not_found
from checkout.gateways.sandbox.forms import Params, merge_metadata
from checkout.gateways.sandbox.return_urls import checked_return_url
from checkout.gateways.sandbox.states import Action
from checkout.gateways.sandbox.store import find
from checkout.gateways.sandbox.work import Work

Command = Callable[[Work, Params], records.Record]

CURRENCIES = ("cny",)
MOST_AMOUNT = 99_999_999  # Stripe's eight digits
CARD_PARAMS = ("payment_method", "payment_method_data", "payment_method_types", "return_url")
# Read by Stripe and without a meaning here; a client written for Stripe may well send them.
IGNORED = (
    "allowed_payment_method_types",
    "excluded_payment_method_types",
    "automatic_payment_methods",
    "confirmation_method",
    "customer",
    "error_on_requires_action",
    "expand",
    "off_session",
    "payment_method_options",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
    "use_stripe_sdk",
)
CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CANCEL_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def intent_of(connection: Connection, intent_id: str) -> records.Intent:
    """The intent of that id, or 404."""
    intent = find(connection, records.Intent, intent_id)
    if intent is None:
        raise not_found("payment_intent", intent_id, param="intent")
    return intent


def _amount(params: Params, name: str = "amount") -> int | None:
    return params.integer(name, least=1, most=MOST_AMOUNT)


def create_intent(work: Work, params: Params) -> records.Intent:
    params.only(
        (
            "amount",
            "currency",
            "capture_method",
            "confirm",
            "description",
            "metadata",
            "receipt_email",
            *CARD_PARAMS,
            *IGNORED,
        )
    )
    amount = _amount(params)
    if amount is None:
        raise missing("amount")
    currency = params.need_text("currency").lower()
    if currency not in CURRENCIES:
        raise invalid(
            f"Invalid currency: {currency[:10]}. This sandbox supports: cny", param="currency"
        )
    capture_method = params.choice("capture_method", CAPTURE_METHODS) or "automatic"
    description = params.text("description")
    receipt_email = params.text("receipt_email", longest=512)
    metadata = merge_metadata({}, params.metadata())
    return_url = checked_return_url(work, params.text("return_url"))
    method = methods.chosen_method(work, params)
    intent = payments.create(
        work,
        amount=amount,
        currency=currency,
        capture_method=capture_method,
        description=description or None,
        receipt_email=receipt_email or None,
        metadata=metadata,
        method=method,
    )
    if params.flag("confirm"):
        payments.confirm(work, intent, method=method, return_url=return_url)
    return intent


def update_intent(intent_id: str) -> Command:
    def command(work: Work, params: Params) -> records.Intent:
        params.only(("amount", "description", "metadata", *CARD_PARAMS, *IGNORED))
        intent = intent_of(work.connection, intent_id)
        payments.update(
            work,
            intent,
            amount=_amount(params),
            description=params.text("description"),
            metadata=merge_metadata(intent.metadata, params.metadata()),
            method=methods.chosen_method(work, params),
        )
        return intent

    return command


def confirm_intent(intent_id: str) -> Command:
    def command(work: Work, params: Params) -> records.Intent:
        params.only(("client_secret", "key", "receipt_email", *CARD_PARAMS, *IGNORED))
        return_url = checked_return_url(work, params.text("return_url"))
        intent = intent_of(work.connection, intent_id)
        payments.require(intent, Action.CONFIRM)
        method = methods.chosen_method(work, params)
        payments.confirm(work, intent, method=method, return_url=return_url)
        return intent

    return command


def capture_intent(intent_id: str) -> Command:
    def command(work: Work, params: Params) -> records.Intent:
        params.only(("amount_to_capture", "metadata", "expand"))
        amount = _amount(params, "amount_to_capture")
        intent = intent_of(work.connection, intent_id)
        payments.capture(work, intent, amount=amount)
        return intent

    return command


def cancel_intent(intent_id: str) -> Command:
    def command(work: Work, params: Params) -> records.Intent:
        params.only(("cancellation_reason", "expand"))
        reason = params.choice("cancellation_reason", CANCEL_REASONS)
        intent = intent_of(work.connection, intent_id)
        payments.cancel(work, intent, reason=reason)
        return intent

    return command


def create_payment_method(work: Work, params: Params) -> records.PaymentMethod:
    return methods.create_method(work, params)


def create_refund(work: Work, params: Params) -> records.Refund:
    params.only(("amount", "charge", "payment_intent", "reason", "metadata", "expand"))
    amount = _amount(params)
    reason = params.choice("reason", REFUND_REASONS)
    metadata = merge_metadata({}, params.metadata())
    return refunds.create(
        work, _refundable(work, params), amount=amount, reason=reason, metadata=metadata
    )


def _refundable(work: Work, params: Params) -> records.Charge:
    charge_id, intent_id = params.text("charge"), params.text("payment_intent")
    if not charge_id and not intent_id:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    if not charge_id:
        intent = find(work.connection, records.Intent, intent_id)
        if intent is None:
            raise not_found("payment_intent", intent_id or "", param="payment_intent")
        charge_id = intent.latest_charge if intent.amount_received else None
        if charge_id is None:
            raise ApiError(
                f"This PaymentIntent ({intent.id}) does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
                intent_id=intent.id,
            )
    charge = find(work.connection, records.Charge, charge_id)
    if charge is None:
        raise not_found("charge", charge_id, param="charge")
    return charge


def update_refund(refund_id: str) -> Command:
    def command(work: Work, params: Params) -> records.Refund:
        params.only(("metadata", "expand"))
        refund = find(work.connection, records.Refund, refund_id)
        if refund is None:
            raise not_found("refund", refund_id, param="id")
        refunds.update(work, refund, metadata=merge_metadata(refund.metadata, params.metadata()))
        return refund

    return command
