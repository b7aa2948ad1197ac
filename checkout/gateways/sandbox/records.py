"""The gateway's tables and the records read from them. Amounts are fen, times epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table, Text

from checkout.gateways.sandbox.states import Status

METADATA = MetaData()


def _table(name: str, *columns: Column[Any] | Index) -> Table:
    # ``seq`` gives lists an order that two rows of one second share with nothing else.
    return Table(
        name,
        METADATA,
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("id", String(64), nullable=False, unique=True),
        Column("created", Integer, nullable=False),
        *columns,
        sqlite_autoincrement=True,
    )


PAYMENT_METHODS = _table(
    "payment_methods",
    Column("card", String(19), nullable=False),
    Column("exp_month", Integer, nullable=False),
    Column("exp_year", Integer, nullable=False),
)
INTENTS = _table(
    "payment_intents",
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(32), nullable=False),
    Column("capture_method", String(20), nullable=False),
    Column("client_secret", String(120), nullable=False),
    Column("description", Text),
    Column("receipt_email", String(512)),
    Column("metadata", JSON, nullable=False),
    Column("payment_method", String(64)),
    Column("latest_charge", String(64)),
    Column("amount_received", Integer, nullable=False),
    Column("last_payment_error", JSON),
    Column("return_url", Text),
    Column("hosted", Integer, nullable=False),
    Column("settle_at", Float),
    Column("canceled_at", Integer),
    Column("cancellation_reason", String(40)),
    Index("ix_payment_intents_settle_at", "settle_at"),
)
CHARGES = _table(
    "charges",
    Column("payment_intent", String(64), nullable=False, index=True),
    Column("payment_method", String(64), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(20), nullable=False),
    Column("amount_captured", Integer, nullable=False),
    Column("amount_refunded", Integer, nullable=False),
    Column("captured", Integer, nullable=False),
    Column("authenticated", Integer, nullable=False),
    Column("failure_code", String(60)),
    Column("failure_message", Text),
    Column("decline_code", String(60)),
    Column("balance_transaction", String(64)),
    Column("description", Text),
    Column("metadata", JSON, nullable=False),
)
REFUNDS = _table(
    "refunds",
    Column("charge", String(64), nullable=False, index=True),
    Column("payment_intent", String(64), nullable=False, index=True),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", String(40)),
    Column("metadata", JSON, nullable=False),
    Column("balance_transaction", String(64)),
    Column("failure_balance_transaction", String(64)),
    Column("failure_reason", String(60)),
    Column("settle_at", Float),
    Index("ix_refunds_settle_at", "settle_at"),
)
BALANCE = _table(
    "balance_transactions",
    Column("type", String(30), nullable=False),
    Column("source", String(64), nullable=False, index=True),
    Column("amount", Integer, nullable=False),
    Column("fee", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("description", Text),
)
EVENTS = _table(
    "events",
    Column("type", String(60), nullable=False, index=True),
    Column("object", JSON, nullable=False),
    Column("previous", JSON),
    Column("request_id", String(64)),
    Column("idempotency_key", String(255)),
)
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("event_id", String(64), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("first_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("last_answer", Text),
    Index("ix_deliveries_due", "state", "next_at"),
)
ANSWERS = Table(
    "answers",
    METADATA,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("created", Integer, nullable=False),
)


@dataclass(slots=True)
class PaymentMethod:
    """A card once shown: only the test card's number is kept, for what it does."""

    id: str
    created: int
    card: str
    exp_month: int
    exp_year: int


@dataclass(slots=True)
class Intent:
    """A PaymentIntent. ``hosted``: confirmed on our page, so a refusal leads back there."""

    id: str
    created: int
    amount: int
    currency: str
    client_secret: str
    status: Status = Status.REQUIRES_PAYMENT_METHOD
    capture_method: str = "automatic"
    description: str | None = None
    receipt_email: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    payment_method: str | None = None
    latest_charge: str | None = None
    amount_received: int = 0
    last_payment_error: dict[str, Any] | None = None
    return_url: str | None = None
    hosted: bool = False
    settle_at: float | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None

    def __post_init__(self) -> None:
        self.status = Status(self.status)


@dataclass(slots=True)
class Charge:
    """One attempt on a card: ``status`` is pending, succeeded or failed."""

    id: str
    created: int
    payment_intent: str
    payment_method: str
    amount: int
    currency: str
    status: str
    amount_captured: int = 0
    amount_refunded: int = 0
    captured: bool = False
    authenticated: bool = False
    failure_code: str | None = None
    failure_message: str | None = None
    decline_code: str | None = None
    balance_transaction: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Refund:
    """Money on its way back: ``status`` is pending, succeeded or failed."""

    id: str
    created: int
    charge: str
    payment_intent: str
    amount: int
    currency: str
    status: str
    reason: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    balance_transaction: str | None = None
    failure_balance_transaction: str | None = None
    failure_reason: str | None = None
    settle_at: float | None = None


@dataclass(slots=True)
class BalanceTransaction:
    """One line of the gateway's account of the shop: ``amount`` signed, ``fee`` kept by it."""

    id: str
    created: int
    type: str
    source: str
    amount: int
    fee: int
    currency: str
    description: str | None = None


@dataclass(slots=True)
class Event:
    """What happened, with the object as it stood then."""

    id: str
    created: int
    type: str
    object: dict[str, Any]
    previous: dict[str, Any] | None = None
    request_id: str | None = None
    idempotency_key: str | None = None


Record = PaymentMethod | Intent | Charge | Refund | BalanceTransaction | Event

TABLES: dict[type[Record], Table] = {
    PaymentMethod: PAYMENT_METHODS,
    Intent: INTENTS,
    Charge: CHARGES,
    Refund: REFUNDS,
    BalanceTransaction: BALANCE,
    Event: EVENTS,
}


def columns_of(record: Record) -> dict[str, Any]:
    """The record's columns, ready for an insert or an update."""
    return {part.name: getattr(record, part.name) for part in fields(record)}
