"""One piece of work: a transaction, the time, whose request it is, and the events it causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.config import GatewayConfig
from checkout.gateways.sandbox.objects import Dumper
from checkout.gateways.sandbox.store import add
from kernel.clock import real_now
from kernel.ids import public_id


@dataclass(slots=True)
class Work:
    """What a command needs. Events and their deliveries are rows of the same transaction."""

    connection: Connection
    config: GatewayConfig
    base_url: str = ""
    request_id: str | None = None
    idempotency_key: str | None = None

    @property
    def dumper(self) -> Dumper:
        return Dumper(self.connection, self.base_url)

    def now(self) -> float:
        """Real time, in epoch seconds: a moved business clock moves no gateway."""
        return real_now().timestamp()

    def emit(
        self, kind: str, subject: records.Record, previous: dict[str, Any] | None = None
    ) -> None:
        """Write the event and, where a webhook subscribes to its type, its delivery."""
        now = self.now()
        event = records.Event(
            id=public_id("evt"),
            created=int(now),
            type=kind,
            object=self.dumper.dump(subject),
            previous=previous,
            request_id=self.request_id,
            idempotency_key=self.idempotency_key,
        )
        add(self.connection, event)
        if self.config.webhook_url and kind in (self.config.webhook_events or (kind,)):
            row = {"event_id": event.id, "state": "pending", "tries": 0}
            row |= {"first_at": now, "next_at": now}
            self.connection.execute(insert(records.DELIVERIES), row)
