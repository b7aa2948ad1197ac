"""The records as the JSON objects that Stripe's API answers with, and ``expand``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.cards import BY_NUMBER
from checkout.gateways.sandbox.errors import ApiError, invalid
from checkout.gateways.sandbox.states import Status
from checkout.gateways.sandbox.store import find

API_VERSION = "2026-10-28.endive"
Json = dict[str, Any]


def payment_method_object(method: records.PaymentMethod) -> Json:
    card = BY_NUMBER[method.card]
    return {
        "id": method.id,
        "object": "payment_method",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "card": {
            "brand": card.brand,
            "checks": {"cvc_check": "pass"},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": method.exp_month,
            "exp_year": method.exp_year,
            "funding": "credit",
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": method.created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def intent_object(intent: records.Intent, *, base_url: str) -> Json:
    waits_for_capture = intent.status is Status.REQUIRES_CAPTURE
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount if waits_for_capture else 0,
        "amount_details": {"tip": {}},
        "amount_received": intent.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": None,
        "description": intent.description,
        "last_payment_error": intent.last_payment_error,
        "latest_charge": intent.latest_charge,
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": _next_action(intent, base_url),
        "on_behalf_of": None,
        "payment_method": intent.payment_method,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": intent.receipt_email,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": intent.status.value,
        "transfer_data": None,
        "transfer_group": None,
    }


def _next_action(intent: records.Intent, base_url: str) -> Json | None:
    if intent.status is not Status.REQUIRES_ACTION:
        return None
    page = f"{base_url}/pay/{intent.id}/challenge?client_secret={intent.client_secret}"
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": intent.return_url, "url": page},
    }


def publishable_view(intent: Json) -> Json:
    """What a browser with the client secret may read: not the shop's own notes."""
    hidden = {
        "amount_capturable",
        "amount_received",
        "application",
        "application_fee_amount",
        "latest_charge",
        "metadata",
        "on_behalf_of",
        "transfer_data",
        "transfer_group",
    }
    return {name: value for name, value in intent.items() if name not in hidden}


def charge_object(charge: records.Charge, method: records.PaymentMethod) -> Json:
    card = BY_NUMBER[method.card]
    failed = charge.status == "failed"
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "application": None,
        "application_fee": None,
        "balance_transaction": charge.balance_transaction,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "calculated_statement_descriptor": "FUMAN",
        "captured": bool(charge.captured),
        "created": charge.created,
        "currency": charge.currency,
        "customer": None,
        "description": charge.description,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": charge.failure_code,
        "failure_message": charge.failure_message,
        "fraud_details": {},
        "livemode": False,
        "metadata": charge.metadata,
        "on_behalf_of": None,
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": charge.decline_code,
            "risk_level": "normal",
            "seller_message": "Payment failed." if failed else "Payment complete.",
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": charge.status == "succeeded",
        "payment_intent": charge.payment_intent,
        "payment_method": charge.payment_method,
        "payment_method_details": {
            "card": {
                "brand": card.brand,
                "country": card.country,
                "exp_month": method.exp_month,
                "exp_year": method.exp_year,
                "funding": "credit",
                "last4": card.last4,
                "network": card.brand,
                "three_d_secure": {"result": "authenticated", "version": "2.2.0"}
                if charge.authenticated
                else None,
            },
            "type": "card",
        },
        "receipt_email": None,
        "receipt_url": None,
        "refunded": 0 < charge.amount_captured == charge.amount_refunded,
        "status": charge.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def refund_object(refund: records.Refund) -> Json:
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "failure_balance_transaction": refund.failure_balance_transaction,
        "failure_reason": refund.failure_reason,
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }


def balance_object(line: records.BalanceTransaction) -> Json:
    return {
        "id": line.id,
        "object": "balance_transaction",
        "amount": line.amount,
        "available_on": line.created,
        "created": line.created,
        "currency": line.currency,
        "description": line.description,
        "exchange_rate": None,
        "fee": line.fee,
        "fee_details": [{"amount": line.fee, "currency": line.currency, "type": "stripe_fee"}]
        if line.fee
        else [],
        "net": line.amount - line.fee,
        "reporting_category": line.type,
        "source": line.source,
        "status": "available",
        "type": line.type,
    }


def event_object(event: records.Event, *, pending_webhooks: int) -> Json:
    data: Json = {"object": event.object}
    if event.previous is not None:
        data["previous_attributes"] = event.previous
    return {
        "id": event.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": event.created,
        "data": data,
        "livemode": False,
        "pending_webhooks": pending_webhooks,
        "request": {"id": event.request_id, "idempotency_key": event.idempotency_key},
        "type": event.type,
    }


class Dumper:
    """Turns records into objects within one transaction, looking up what they refer to."""

    def __init__(self, connection: Connection, base_url: str) -> None:
        self._connection = connection
        self._base_url = base_url

    def dump(self, record: records.Record) -> Json:
        match record:
            case records.Intent():
                return intent_object(record, base_url=self._base_url)
            case records.Charge():
                method = find(self._connection, records.PaymentMethod, record.payment_method)
                if method is None:
                    raise LookupError(record.payment_method)
                return charge_object(record, method)
            case records.Refund():
                return refund_object(record)
            case records.PaymentMethod():
                return payment_method_object(record)
            case records.BalanceTransaction():
                return balance_object(record)
            case records.Event():
                table = records.DELIVERIES
                waits = self._connection.execute(
                    select(table.c.event_id).where(
                        table.c.event_id == record.id, table.c.state == "pending"
                    )
                ).first()
                return event_object(record, pending_webhooks=0 if waits is None else 1)

    def expand(self, body: Json, paths: list[str]) -> Json:
        """Replace ids by their objects along ``paths``, such as ``latest_charge``."""
        for path in paths:
            parts = path.split(".")
            if len(parts) > 4:
                raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
            self._expand(body, parts, path)
        return body

    def _expand(self, body: Json, parts: list[str], path: str) -> None:
        name, rest = parts[0], parts[1:]
        if name == "data" and body.get("object") == "list" and rest:
            for item in body["data"]:
                self._expand(item, rest, path)
            return
        if name not in EXPANDABLE or name not in body:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        value = body[name]
        if isinstance(value, str):
            value = body[name] = self._by_id(value)
        if rest and isinstance(value, dict):
            self._expand(value, rest, path)

    def _by_id(self, object_id: str) -> Json:
        for prefix, look_up in _BY_PREFIX.items():
            if object_id.startswith(prefix):
                record = look_up(self._connection, object_id)
                if record is not None:
                    return self.dump(record)
        raise ApiError(f"No such object: '{object_id}'", status=404, code="resource_missing")


EXPANDABLE = frozenset(
    {
        "latest_charge",
        "payment_intent",
        "charge",
        "payment_method",
        "balance_transaction",
        "failure_balance_transaction",
        "source",
    }
)
_BY_PREFIX: dict[str, Callable[[Connection, str], records.Record | None]] = {
    "pi_": lambda connection, key: find(connection, records.Intent, key),
    "ch_": lambda connection, key: find(connection, records.Charge, key),
    "re_": lambda connection, key: find(connection, records.Refund, key),
    "pm_": lambda connection, key: find(connection, records.PaymentMethod, key),
    "txn_": lambda connection, key: find(connection, records.BalanceTransaction, key),
}
