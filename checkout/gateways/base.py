"""What the cashier asks of a card gateway (Domain rules 9, 18, 20, 28), whichever it is.

Amounts are fen, times are aware UTC. Every command takes an idempotency key that its caller
derives from the order or the refund, so that a lost answer may be asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class GatewayError(Exception):
    """Anything that went wrong between the cashier and the gateway."""


class GatewayUnavailable(GatewayError):
    """No usable answer: time-out, refused connection, 5xx, too many requests, key in use.

    The command may or may not have taken effect. Ask again later, with the same key.
    """


class GatewayRefused(GatewayError):
    """The gateway understood and said no; asking again changes nothing.

    ``code`` is the gateway's (Stripe's ``code``, else its error type), ``decline_code`` the
    bank's where a card is at fault.
    """

    def __init__(self, code: str, message: str, *, decline_code: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.decline_code = decline_code


class WebhookRefused(GatewayError):
    """A notice that must not be believed; answer 400 and change nothing.

    ``code``: ``signature_missing``, ``signature_invalid``, ``signature_stale``,
    ``payload_invalid``, ``wrong_mode`` or ``wrong_account``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class IntentStatus(StrEnum):
    """Stripe's states of a PaymentIntent."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether the gateway will never change it again."""
        return self in (IntentStatus.SUCCEEDED, IntentStatus.CANCELED)

    @property
    def may_be_cancelled(self) -> bool:
        """Whether cancelling can work; a processing payment must be waited for."""
        return not self.is_final and self is not IntentStatus.PROCESSING


class RefundStatus(StrEnum):
    """Stripe's states of a refund."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Intent:
    """One payment as the gateway sees it.

    ``order_id`` is what this shop wrote into it (None on a stranger's). ``amount_received_minor``
    is what was taken. ``account`` is the connected account it belongs to (None: the key's own).
    ``decline_code`` is why the last attempt failed. ``client_secret`` lets a browser pay it:
    give it to the buyer only.
    """

    id: str
    status: IntentStatus
    amount_minor: int
    amount_received_minor: int
    currency: str
    order_id: str | None
    client_secret: str | None
    latest_charge_id: str | None
    decline_code: str | None
    livemode: bool
    account: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    """One refund; ``refund_id`` is the shop's own name for it."""

    id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    intent_id: str | None
    charge_id: str | None
    refund_id: str | None
    failure_reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GatewayCharge:
    """One attempt that the gateway has on its books, for reconciliation."""

    id: str
    intent_id: str | None
    order_id: str | None
    status: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BalanceEntry:
    """One line of the gateway's account of the shop: ``amount_minor`` signed, before the fee.

    ``source_id`` is the charge (``ch_…``) or refund (``re_…``) it stands for.
    """

    id: str
    kind: str
    source_id: str | None
    amount_minor: int
    fee_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A notice whose signature, mode and account were checked.

    Deduplicate by ``id``; expect any order of arrival, and an ``intent`` older than the truth
    (retrieve it before money moves). At most one of ``intent``, ``refund``, ``charge`` is set.
    """

    id: str
    type: str
    created_at: datetime
    livemode: bool
    account: str | None
    intent: Intent | None
    refund: GatewayRefund | None
    charge: GatewayCharge | None

    @property
    def intent_id(self) -> str | None:
        """The payment that the notice is about, if it names one."""
        if self.intent is not None:
            return self.intent.id
        subject = self.refund or self.charge
        return subject.intent_id if subject is not None else None


class Gateway(Protocol):
    """A card gateway. All calls but ``parse_webhook`` go over the network: never in a transaction.

    All of them raise :class:`GatewayUnavailable` or :class:`GatewayRefused`.
    """

    @property
    def name(self) -> str:
        """For ledger accounts such as ``gateway/{name}/clearing``."""
        ...

    @property
    def livemode(self) -> bool:
        """Whether real money moves; events and intents of the other mode are not ours."""
        ...

    def create_intent(
        self, amount_minor: int, order_id: str, idempotency_key: str, description: str
    ) -> Intent:
        """A payment of CNY for one order; the same key gives the same intent."""
        ...

    def retrieve_intent(self, intent_id: str) -> Intent:
        """The gateway's truth about one payment (refused: ``resource_missing``)."""
        ...

    def cancel_intent(self, intent_id: str, idempotency_key: str) -> Intent:
        """Cancel if that is still possible, and say how the payment stands then.

        Look at the answer's status: ``canceled``; ``succeeded`` where the buyer was faster
        (capture instead); ``processing`` where nobody knows yet (ask again later).
        """
        ...

    def refund(
        self, intent_id: str, amount_minor: int, refund_id: str, idempotency_key: str
    ) -> GatewayRefund:
        """Give back part or all of a payment; more than is left is refused."""
        ...

    def retrieve_refund(self, gateway_refund_id: str) -> GatewayRefund:
        """How a refund stands; a pending one may be asked about again."""
        ...

    def list_charges(self, since: datetime, until: datetime) -> Iterator[GatewayCharge]:
        """Charges made in ``since <= created < until``, newest first, page by page."""
        ...

    def list_balance(self, since: datetime, until: datetime) -> Iterator[BalanceEntry]:
        """Lines of the balance made in ``since <= created < until``, newest first."""
        ...

    def parse_webhook(self, raw_body: bytes, signature_header: str | None) -> GatewayEvent:
        """The event of a notice, or :class:`WebhookRefused`. Pure: no network, real time only."""
        ...
