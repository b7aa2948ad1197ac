"""What can be done to a PaymentIntent. Each command moves it by the table in ``states``."""

from __future__ import annotations

import secrets
from typing import Any

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.balance import book_charge
from checkout.gateways.sandbox.cards import BY_NUMBER, Card, Decline
from checkout.gateways.sandbox.errors import ApiError, card_error, invalid
from checkout.gateways.sandbox.objects import payment_method_object
from checkout.gateways.sandbox.states import Action, Status, is_allowed, move
from checkout.gateways.sandbox.store import add, find, save
from checkout.gateways.sandbox.work import Work
from kernel.ids import public_id

AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or "
    "a new PaymentMethod to attempt to fulfill this PaymentIntent again."
)


def create(
    work: Work,
    *,
    amount: int,
    currency: str,
    capture_method: str,
    description: str | None,
    receipt_email: str | None,
    metadata: dict[str, str],
    method: records.PaymentMethod | None,
) -> records.Intent:
    """A new intent of ``amount`` fen, waiting for a card or, if it has one, for confirmation."""
    intent_id = public_id("pi")
    intent = records.Intent(
        id=intent_id,
        created=int(work.now()),
        amount=amount,
        currency=currency,
        client_secret=f"{intent_id}_secret_{secrets.token_urlsafe(18)}",
        status=Status.REQUIRES_CONFIRMATION if method else Status.REQUIRES_PAYMENT_METHOD,
        capture_method=capture_method,
        description=description,
        receipt_email=receipt_email,
        metadata=metadata,
        payment_method=method.id if method else None,
    )
    add(work.connection, intent)
    work.emit("payment_intent.created", intent)
    return intent


def require(intent: records.Intent, action: Action) -> None:
    """Raise Stripe's ``payment_intent_unexpected_state`` where the table has no such move."""
    if is_allowed(intent.status, action):
        return
    if action is Action.CONFIRM and intent.status is Status.SUCCEEDED:
        message = (
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed."
        )
    else:
        message = (
            f"You cannot {action} this PaymentIntent because it has a status of {intent.status}."
        )
    raise ApiError(message, code="payment_intent_unexpected_state", intent_id=intent.id)


def update(
    work: Work,
    intent: records.Intent,
    *,
    amount: int | None,
    description: str | None,
    metadata: dict[str, str],
    method: records.PaymentMethod | None,
) -> None:
    """Notes may change at any time, the amount and the card only before the money moves."""
    if amount is not None or method is not None:
        require(intent, Action.UPDATE)
        if method is not None:
            intent.payment_method = method.id
        # A step-up was for the old amount and card, so an intent that waits for one starts again.
        target = (
            Status.REQUIRES_CONFIRMATION
            if intent.payment_method
            else Status.REQUIRES_PAYMENT_METHOD
        )
        intent.status = move(intent.status, Action.UPDATE, target)
        intent.amount = intent.amount if amount is None else amount
    intent.description = description if description is not None else intent.description
    intent.metadata = metadata
    save(work.connection, intent)


def confirm(
    work: Work,
    intent: records.Intent,
    *,
    method: records.PaymentMethod | None,
    return_url: str | None,
    hosted: bool = False,
) -> None:
    """Try the card. A decline is raised as 402 *after* it has been written: keep the transaction.

    ``method`` None takes the intent's own.
    """
    require(intent, Action.CONFIRM)
    method = method or find(work.connection, records.PaymentMethod, intent.payment_method)
    if method is None:
        raise ApiError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method.",
            code="payment_intent_unexpected_state",
            intent_id=intent.id,
        )
    intent.payment_method = method.id
    intent.return_url = return_url
    intent.hosted = hosted
    intent.last_payment_error = None
    if BY_NUMBER[method.card].challenge:
        intent.status = move(intent.status, Action.CONFIRM, Status.REQUIRES_ACTION)
        save(work.connection, intent)
        work.emit("payment_intent.requires_action", intent)
    else:
        _attempt(work, intent, method, Action.CONFIRM)
    raise_decline(intent)


def raise_decline(intent: records.Intent) -> None:
    """Raise the intent's last payment error, if the last attempt ended in one, as Stripe's 402."""
    error = intent.last_payment_error
    if error is None or intent.status is not Status.REQUIRES_PAYMENT_METHOD:
        return
    raise card_error(
        error["message"],
        code=error["code"],
        decline_code=error.get("decline_code"),
        charge=error.get("charge"),
        intent_id=intent.id,
    )


def authenticate(work: Work, intent: records.Intent, *, approved: bool) -> None:
    """The person's answer on the 3-D Secure page; a card that declines afterwards still does."""
    require(intent, Action.AUTHENTICATE)
    method = _method_of(work, intent)
    if approved:
        _attempt(work, intent, method, Action.AUTHENTICATE)
        return
    intent.status = move(intent.status, Action.AUTHENTICATE, Status.REQUIRES_PAYMENT_METHOD)
    _refuse(
        work,
        intent,
        method,
        {
            "code": "payment_intent_authentication_failure",
            "message": AUTHENTICATION_FAILED,
            "type": "invalid_request_error",
        },
    )


def settle(work: Work, intent: records.Intent) -> None:
    """The card network's answer to an attempt that was processing."""
    require(intent, Action.SETTLE)
    charge = _charge_of(work, intent)
    _finish(work, intent, charge, _method_of(work, intent), Action.SETTLE)


def capture(work: Work, intent: records.Intent, *, amount: int | None) -> None:
    """Take an authorised charge, wholly or in part; the rest goes free."""
    require(intent, Action.CAPTURE)
    amount = intent.amount if amount is None else amount
    if amount > intent.amount:
        raise invalid(
            "The amount to capture is greater than the amount you can capture for this "
            "PaymentIntent.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    charge = _charge_of(work, intent)
    intent.status = move(intent.status, Action.CAPTURE, Status.SUCCEEDED)
    _take(work, intent, charge, amount)
    work.emit("charge.captured", charge)
    work.emit("payment_intent.succeeded", intent)


def cancel(work: Work, intent: records.Intent, *, reason: str | None) -> None:
    """End an intent that nobody has paid; an authorised charge is let go."""
    require(intent, Action.CANCEL)
    authorised = intent.status is Status.REQUIRES_CAPTURE
    intent.status = move(intent.status, Action.CANCEL, Status.CANCELED)
    intent.canceled_at = int(work.now())
    intent.cancellation_reason = reason
    save(work.connection, intent)
    if authorised:
        charge = _charge_of(work, intent)
        charge.amount_refunded = charge.amount
        save(work.connection, charge)
        work.emit("charge.refunded", charge)
    work.emit("payment_intent.canceled", intent)


def _attempt(
    work: Work, intent: records.Intent, method: records.PaymentMethod, action: Action
) -> None:
    card = BY_NUMBER[method.card]
    charge = records.Charge(
        id=public_id("ch"),
        created=int(work.now()),
        payment_intent=intent.id,
        payment_method=method.id,
        amount=intent.amount,
        currency=intent.currency,
        status="pending",
        authenticated=action is Action.AUTHENTICATE,
        description=intent.description,
        metadata=intent.metadata,
    )
    add(work.connection, charge)
    intent.latest_charge = charge.id
    if card.slow:
        intent.status = move(intent.status, action, Status.PROCESSING)
        intent.settle_at = work.now() + work.config.settle_seconds
        save(work.connection, intent)
        work.emit("charge.pending", charge)
        work.emit("payment_intent.processing", intent)
        return
    _finish(work, intent, charge, method, action)


def _finish(
    work: Work,
    intent: records.Intent,
    charge: records.Charge,
    method: records.PaymentMethod,
    action: Action,
) -> None:
    card: Card = BY_NUMBER[method.card]
    intent.settle_at = None
    if card.decline is not None:
        intent.status = move(intent.status, action, Status.REQUIRES_PAYMENT_METHOD)
        _decline(work, intent, charge, method, card.decline)
        return
    charge.status = "succeeded"
    if intent.capture_method == "manual":
        intent.status = move(intent.status, action, Status.REQUIRES_CAPTURE)
        save(work.connection, charge)
        save(work.connection, intent)
        work.emit("charge.succeeded", charge)
        work.emit("payment_intent.amount_capturable_updated", intent)
        return
    intent.status = move(intent.status, action, Status.SUCCEEDED)
    _take(work, intent, charge, intent.amount)
    work.emit("charge.succeeded", charge)
    work.emit("payment_intent.succeeded", intent)


def _take(work: Work, intent: records.Intent, charge: records.Charge, amount: int) -> None:
    charge.captured = True
    charge.amount_captured = amount
    charge.balance_transaction = book_charge(work, charge)
    intent.amount_received = amount
    save(work.connection, charge)
    save(work.connection, intent)


def _decline(
    work: Work,
    intent: records.Intent,
    charge: records.Charge,
    method: records.PaymentMethod,
    decline: Decline,
) -> None:
    charge.status = "failed"
    charge.failure_code = decline.code
    charge.failure_message = decline.message
    charge.decline_code = decline.decline_code
    save(work.connection, charge)
    work.emit("charge.failed", charge)
    _refuse(
        work,
        intent,
        method,
        {
            "charge": charge.id,
            "code": decline.code,
            "decline_code": decline.decline_code,
            "message": decline.message,
            "type": "card_error",
        },
    )


def _refuse(
    work: Work, intent: records.Intent, method: records.PaymentMethod, error: dict[str, Any]
) -> None:
    # A card that was refused is let go, so that a later confirm can't take it by accident.
    intent.payment_method = None
    intent.settle_at = None
    intent.last_payment_error = {**error, "payment_method": payment_method_object(method)}
    save(work.connection, intent)
    work.emit("payment_intent.payment_failed", intent)


def _method_of(work: Work, intent: records.Intent) -> records.PaymentMethod:
    method = find(work.connection, records.PaymentMethod, intent.payment_method)
    if method is None:
        raise LookupError(f"{intent.id} has no payment method")
    return method


def _charge_of(work: Work, intent: records.Intent) -> records.Charge:
    charge = find(work.connection, records.Charge, intent.latest_charge)
    if charge is None:
        raise LookupError(f"{intent.id} has no charge")
    return charge
