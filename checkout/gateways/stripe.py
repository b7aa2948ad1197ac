"""The gateway that speaks Stripe's API through Stripe's own client.

The sandbox gateway is spoken to by this same code: only the URL and the key differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import stripe

from checkout.gateways.base import (
    BalanceEntry,
    GatewayCharge,
    GatewayError,
    GatewayEvent,
    GatewayRefund,
    GatewayRefused,
    GatewayUnavailable,
    Intent,
    IntentStatus,
    RefundStatus,
    WebhookRefused,
)

T = TypeVar("T")

CURRENCY = "cny"
ORDER_KEY, REFUND_KEY = "order_id", "refund_id"
TOLERANCE_SECONDS = 300
# Together at most four seconds, so that a checkout answers its own client within five.
CONNECT_SECONDS, READ_SECONDS = 1.0, 3.0
PAGE = 100
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class StripeGateway:
    """Stripe, or anything shaped like it, at ``base_url``.

    ``webhook_secrets``: all that are valid now, several while one is being replaced. ``account``:
    the connected account acted for, None for the key's own. ``connect_seconds`` and
    ``read_seconds`` bound one call; it isn't repeated here, since the cashier's steps are.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key: str,
        webhook_secrets: Sequence[str],
        account: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._name = name
        self._livemode = api_key.startswith(("sk_live_", "rk_live_"))
        self._secrets = tuple(webhook_secrets)
        self._account = account
        self._client = stripe.StripeClient(
            api_key,
            stripe_account=account,
            base_addresses={"api": base_url.rstrip("/")},
            max_network_retries=0,
            http_client=stripe.RequestsClient(
                timeout=(connect_seconds, read_seconds), session=_session(base_url)
            ),
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def livemode(self) -> bool:
        return self._livemode

    # --- commands and queries --------------------------------------------------------------------

    def create_intent(
        self, amount_minor: int, order_id: str, idempotency_key: str, description: str
    ) -> Intent:
        made = _call(
            lambda: self._client.v1.payment_intents.create(
                {
                    "amount": amount_minor,
                    "currency": CURRENCY,
                    "description": description,
                    "metadata": {ORDER_KEY: order_id},
                    # Stripe has refused `payment_method_types` since its version 2026-09-30.
                    "allowed_payment_method_types": ["card"],
                },
                {"idempotency_key": idempotency_key},
            )
        )
        return self._intent(made.to_dict())

    def retrieve_intent(self, intent_id: str) -> Intent:
        found = _call(lambda: self._client.v1.payment_intents.retrieve(intent_id))
        return self._intent(found.to_dict())

    def cancel_intent(self, intent_id: str, idempotency_key: str) -> Intent:
        try:
            return self._cancel(intent_id, {"idempotency_key": idempotency_key})
        except GatewayRefused as refusal:
            if refusal.code != "payment_intent_unexpected_state":
                raise
        intent = self.retrieve_intent(intent_id)
        if not intent.status.may_be_cancelled:
            return intent
        # The refusal is an older one, kept under the key from when the payment was processing.
        # Cancelling ends in one state however often it is done, so it may go under a fresh key.
        return self._cancel(intent_id, {})

    def _cancel(self, intent_id: str, options: stripe.RequestOptions) -> Intent:
        canceled = _call(lambda: self._client.v1.payment_intents.cancel(intent_id, {}, options))
        return self._intent(canceled.to_dict())

    def refund(
        self, intent_id: str, amount_minor: int, refund_id: str, idempotency_key: str
    ) -> GatewayRefund:
        made = _call(
            lambda: self._client.v1.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": amount_minor,
                    "metadata": {REFUND_KEY: refund_id},
                },
                {"idempotency_key": idempotency_key},
            )
        )
        return _read(_refund, made.to_dict())

    def retrieve_refund(self, gateway_refund_id: str) -> GatewayRefund:
        found = _call(lambda: self._client.v1.refunds.retrieve(gateway_refund_id))
        return _read(_refund, found.to_dict())

    def list_charges(self, since: datetime, until: datetime) -> Iterator[GatewayCharge]:
        created: Any = _between(since, until)
        first = _call(lambda: self._client.v1.charges.list({"created": created, "limit": PAGE}))
        for item in _pages(first):
            yield _read(_charge, item)

    def list_balance(self, since: datetime, until: datetime) -> Iterator[BalanceEntry]:
        created: Any = _between(since, until)
        first = _call(
            lambda: self._client.v1.balance_transactions.list({"created": created, "limit": PAGE})
        )
        for item in _pages(first):
            yield _read(_balance_entry, item)

    # --- webhooks --------------------------------------------------------------------------------

    def parse_webhook(self, raw_body: bytes, signature_header: str | None) -> GatewayEvent:
        self._verify(raw_body, signature_header)
        try:
            return self._event(json.loads(raw_body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WebhookRefused("payload_invalid", f"not an event: {error!r}") from error

    def _verify(self, raw_body: bytes, header: str | None) -> None:
        if not header:
            raise WebhookRefused("signature_missing", "no Stripe-Signature header")
        if not header.isascii():
            # Stripe's own check fails on these with a TypeError instead of a refusal.
            raise WebhookRefused("signature_invalid", "the signature is not ASCII")
        try:
            body = raw_body.decode()
        except UnicodeDecodeError as error:
            raise WebhookRefused("payload_invalid", "the body is not UTF-8") from error
        # Without the tolerance first: whether a notice is old matters only if it is genuine.
        if not any(_is_signed(body, header, secret) for secret in self._secrets):
            raise WebhookRefused("signature_invalid", "no signature by a current secret")
        if not any(_is_signed(body, header, secret, TOLERANCE_SECONDS) for secret in self._secrets):
            raise WebhookRefused("signature_stale", "signed more than 300 seconds ago")

    def _event(self, body: dict[str, Any]) -> GatewayEvent:
        if body["object"] != "event":
            raise ValueError(f"object is {body['object']!r}")
        livemode, account = body["livemode"], body.get("account")
        if livemode is not self._livemode:
            raise WebhookRefused("wrong_mode", f"livemode is {livemode}")
        if account != self._account:
            raise WebhookRefused("wrong_account", f"account is {account!r}")
        subject = body["data"]["object"]
        kind = subject.get("object")
        return GatewayEvent(
            id=body["id"],
            type=body["type"],
            created_at=_at(body["created"]),
            livemode=livemode,
            account=account,
            intent=_intent(subject, account) if kind == "payment_intent" else None,
            refund=_refund(subject) if kind == "refund" else None,
            charge=_charge(subject) if kind == "charge" else None,
        )

    def _intent(self, body: dict[str, Any]) -> Intent:
        return _read(lambda item: _intent(item, self._account), body)


def _session(base_url: str) -> requests.Session | None:
    """For a gateway on this machine, one that no proxy of the environment gets between."""
    if urlsplit(base_url).hostname not in _LOOPBACK:
        return None
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=32))
    return session


def _call(request: Callable[[], T]) -> T:
    """Make one call, and say in the cashier's words what went wrong."""
    try:
        return request()
    except stripe.APIConnectionError as error:
        raise GatewayUnavailable(f"no answer: {error.user_message}") from error
    except stripe.StripeError as error:
        raise _in_our_words(error) from error


def _in_our_words(error: stripe.StripeError) -> GatewayError:
    # Only a refusal in Stripe's own words is one; a page of some proxy on the way is no answer.
    # Nor does a wrong key (401, 403) say anything about this payment: once it is mended, asking
    # again works. So the order waits, as for a gateway that is down, and nothing is released.
    details = error.error
    kind = getattr(details, "type", None)
    if error.http_status not in (400, 402, 404) or not kind:
        return GatewayUnavailable(f"HTTP {error.http_status}: {error.user_message}")
    return GatewayRefused(
        error.code or kind,
        error.user_message or str(error),
        decline_code=getattr(details, "decline_code", None),
    )


def _read(convert: Callable[[dict[str, Any]], T], body: dict[str, Any]) -> T:
    """Convert an answer; one that isn't what it should be counts as no answer."""
    try:
        return convert(body)
    except (KeyError, TypeError, ValueError) as error:
        raise GatewayUnavailable(f"an answer that can't be read: {error!r}") from error


def _pages(first: Any) -> Iterator[dict[str, Any]]:
    items = iter(first.auto_paging_iter())
    while True:
        item = _call(lambda: next(items, None))
        if item is None:
            return
        yield item.to_dict()


def _between(since: datetime, until: datetime) -> dict[str, int]:
    return {"gte": int(since.timestamp()), "lt": int(until.timestamp())}


def _is_signed(body: str, header: str, secret: str, tolerance: int | None = None) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance)
    except (stripe.SignatureVerificationError, ValueError):
        return False
    return True


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _id(value: Any) -> str | None:
    """The id in a field that may be expanded into its object."""
    found: str | None = value["id"] if isinstance(value, dict) else value
    return found


def _intent(body: dict[str, Any], account: str | None) -> Intent:
    error = body.get("last_payment_error") or {}
    return Intent(
        id=body["id"],
        status=IntentStatus(body["status"]),
        amount_minor=body["amount"],
        amount_received_minor=body["amount_received"],
        currency=body["currency"].upper(),
        order_id=body["metadata"].get(ORDER_KEY),
        client_secret=body.get("client_secret"),
        latest_charge_id=_id(body.get("latest_charge")),
        decline_code=error.get("decline_code") or error.get("code"),
        livemode=body["livemode"],
        account=account,
        created_at=_at(body["created"]),
    )


def _refund(body: dict[str, Any]) -> GatewayRefund:
    return GatewayRefund(
        id=body["id"],
        status=RefundStatus(body["status"]),
        amount_minor=body["amount"],
        currency=body["currency"].upper(),
        intent_id=_id(body.get("payment_intent")),
        charge_id=_id(body.get("charge")),
        refund_id=(body.get("metadata") or {}).get(REFUND_KEY),
        failure_reason=body.get("failure_reason"),
        created_at=_at(body["created"]),
    )


def _charge(body: dict[str, Any]) -> GatewayCharge:
    return GatewayCharge(
        id=body["id"],
        intent_id=_id(body.get("payment_intent")),
        order_id=(body.get("metadata") or {}).get(ORDER_KEY),
        status=body["status"],
        amount_minor=body["amount"],
        captured_minor=body["amount_captured"],
        refunded_minor=body["amount_refunded"],
        currency=body["currency"].upper(),
        created_at=_at(body["created"]),
    )


def _balance_entry(body: dict[str, Any]) -> BalanceEntry:
    return BalanceEntry(
        id=body["id"],
        kind=body["type"],
        source_id=_id(body.get("source")),
        amount_minor=body["amount"],
        fee_minor=body["fee"],
        currency=body["currency"].upper(),
        created_at=_at(body["created"]),
    )
