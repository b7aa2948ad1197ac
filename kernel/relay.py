"""From the outbox to the broker: rows in id order, each group of neighbours as one message.

One relay publishes at a time: it holds an exclusive queue, which goes with its connection, so
one that hangs or was cut off cannot publish out of turn. A row is marked before it is published
(no network call inside a transaction, Domain rule 28); where the broker does not confirm, it is
taken back, and what was sent and is not heard of again is sent once more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

import structlog
from amqp.exceptions import ResourceLocked
from flask import Flask
from kombu import Connection, Producer
from sqlalchemy.exc import DBAPIError

from kernel import broker, outbox
from kernel.db import CommitUnknown, db, read_only, write_transaction
from kernel.delivering import groups
from kernel.settings import get_settings
from kernel.tasks import LANES, celery

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_STANDBY_SECONDS = 1.0
_BATCH = 500
# Messages that may wait in a lane's queue. Few, where waiting rows merge into one call.
READY_AT_MOST = {"money": 64, "index": 2, "feed": 2, "notify": 8}


class Relay:
    """Runs until :meth:`stop`; waits while the broker, the database or another relay says so."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        broker.configure(get_settings())
        down = False
        while not self._stop.is_set():
            try:
                with self._app.app_context(), broker.connected() as link:
                    if self._lead(link):
                        down = False
                        self._serve(link)
            except (*broker.BROKER_ERRORS, DBAPIError, CommitUnknown) as error:
                if not down:
                    log.warning("relay_waits", error=f"{type(error).__name__}: {error}"[:300])
                down = True
            self._stop.wait(_STANDBY_SECONDS)

    def _lead(self, link: Connection) -> bool:
        try:
            # A channel of its own: a refusal closes it.
            link.channel().queue_declare(
                queue=broker.leader_queue(), exclusive=True, auto_delete=True
            )
        except ResourceLocked:
            return False
        return True

    def _serve(self, link: Connection) -> None:
        channel = link.channel()
        broker.declare(channel)
        producer = Producer(channel)
        self._expect_lost(channel)
        looked_at = 0.0
        while not self._stop.is_set():
            if time.monotonic() - looked_at >= _LOOK_SECONDS:
                # Also what keeps the connection alive in both directions.
                looked_at = time.monotonic()
                self._bury_or_retry(channel)
            with read_only():
                waiting = outbox.lanes_with(outbox.PENDING, lanes=LANES)
            if not sum(self._publish(channel, producer, lane) for lane in sorted(waiting)):
                self._stop.wait(_IDLE_SECONDS)

    def _expect_lost(self, channel: Any) -> None:
        """A queue that is empty as we meet it may have been wiped."""
        for lane in LANES:
            if broker.depth(channel, broker.lane_queue(lane).name).ready == 0:
                with write_transaction():
                    outbox.expect_lost(lane=lane)

    def _bury_or_retry(self, channel: Any) -> None:
        with read_only():
            overdue = outbox.lanes_with(outbox.SENT, lanes=LANES)
        for lane in LANES:
            ready = broker.depth(channel, broker.lane_queue(lane).name).ready
            # While messages wait, theirs may be among them: it is not lost, only late.
            if lane in overdue and ready == 0:
                with write_transaction():
                    lost = outbox.lock_due(lane=lane, state=outbox.SENT, limit=_BATCH)
                    outbox.mark_lost(lost)

    def _publish(self, channel: Any, producer: Producer, lane: str) -> int:
        """Send what fits into a lane's queue. Returns the number of messages."""
        queue = broker.lane_queue(lane)
        room = READY_AT_MOST[lane] - broker.depth(channel, queue.name).ready
        if room <= 0:
            return 0
        with write_transaction():
            rows = outbox.lock_due(lane=lane, state=outbox.PENDING, limit=_BATCH)
            made = groups(rows)[:room]
            if made:
                outbox.mark_sent(_flat(made))
        db.session.rollback()
        for number, group in enumerate(made):
            try:
                celery.send_task(
                    broker.DELIVER,
                    args=([row.id for row in group],),
                    producer=producer,
                    queue=queue,
                    retry=False,
                )
            except broker.BROKER_ERRORS:
                with write_transaction():
                    outbox.take_back(_flat(made[number:]))
                raise
        return len(made)


def _flat(made: Iterable[list[outbox.Delivery]]) -> list[outbox.Delivery]:
    return [row for group in made for row in group]
