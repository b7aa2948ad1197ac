"""The thread that does what comes due: webhooks, and payments and refunds that were processing.

Deliveries are rows, so they survive a restart. Each try is signed anew with every current secret
and goes over real HTTP; a try that isn't answered 2xx is repeated after 1, 2, 4 … seconds up to
``retry_cap_seconds``, for ``give_up_seconds`` in all. A few workers send, so that a slow receiver
delays only its own events, and no request ever waits for one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread

import requests
from sqlalchemy import Row, Table, func, select, update

from checkout.gateways.sandbox import payments, records, refunds
from checkout.gateways.sandbox.config import GatewayConfig
from checkout.gateways.sandbox.idempotency import forget_answers
from checkout.gateways.sandbox.objects import event_object
from checkout.gateways.sandbox.store import Store, find
from checkout.gateways.sandbox.work import Work
from kernel.clock import real_now

log = logging.getLogger(__name__)

WORKERS = 4
TIMEOUT = (2.0, 10.0)
LONGEST_SLEEP = 30.0
HOUR = 3600.0


def sign(body: bytes, secrets: Sequence[str], *, at: int) -> str:
    """Stripe's ``Stripe-Signature``: the time, and a ``v1`` for each secret over ``t.body``."""
    signed = b"%d." % at + body
    marks = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def retry_delay(tries: int, *, base: float, cap: float) -> float:
    """Seconds to wait after the ``tries``-th failure: base, twice that, … at most ``cap``."""
    return float(min(base * 2 ** min(tries - 1, 30), cap))


class Sender:
    """One for a gateway. ``wake`` after a commit; ``stop`` waits for the tries under way."""

    def __init__(self, store: Store, config: GatewayConfig) -> None:
        self._store = store
        self._config = config
        self._woken = Event()
        self._stopping = Event()
        self._busy: set[str] = set()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._next_cleaning = 0.0

    def start(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="webhook")
        self._thread = Thread(target=self._run, name="gateway-sender", daemon=True)
        self._hurry()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def wake(self) -> None:
        self._woken.set()

    def _hurry(self) -> None:
        # The receiver was probably started together with us: don't sit out an old delay.
        now = self._now()
        with self._store.write() as connection:
            table = records.DELIVERIES
            connection.execute(
                update(table)
                .where(table.c.state == "pending", table.c.next_at > now)
                .values(next_at=now)
            )

    def _now(self) -> float:
        return real_now().timestamp()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._settle_due()
                self._clean()
                self._dispatch_due()
                pause = self._pause()
            except Exception:
                # The thread must outlive a full disk or a locked file; it tries again in a second.
                log.exception("the sender failed; it goes on")
                pause = 1.0
            self._woken.wait(pause)
            self._woken.clear()

    # --- payments and refunds ------------------------------------------------------------------

    def _settle_due(self) -> None:
        for intent_id in self._due(records.INTENTS):
            with self._store.write() as connection:
                intent = find(connection, records.Intent, intent_id)
                if intent is not None and intent.settle_at is not None:
                    payments.settle(Work(connection, self._config), intent)
        for refund_id in self._due(records.REFUNDS):
            with self._store.write() as connection:
                refund = find(connection, records.Refund, refund_id)
                if refund is not None and refund.settle_at is not None:
                    refunds.settle(Work(connection, self._config), refund)

    def _due(self, table: Table) -> list[str]:
        with self._store.read() as connection:
            return list(
                connection.scalars(
                    select(table.c.id).where(table.c.settle_at <= self._now()).limit(100)
                )
            )

    def _clean(self) -> None:
        now = self._now()
        if now >= self._next_cleaning:
            self._next_cleaning = now + HOUR
            with self._store.write() as connection:
                forget_answers(connection, before=now - self._config.keep_answers_seconds)

    def _pause(self) -> float:
        """Seconds until something comes due; a finished try and a new event wake us earlier."""
        deliveries = records.DELIVERIES
        with self._lock:
            busy = list(self._busy)
        with self._store.read() as connection:
            times = [
                connection.scalar(select(func.min(records.INTENTS.c.settle_at))),
                connection.scalar(select(func.min(records.REFUNDS.c.settle_at))),
            ]
            if len(busy) < WORKERS and self._config.webhook_url:
                times.append(
                    connection.scalar(
                        select(func.min(deliveries.c.next_at)).where(
                            deliveries.c.state == "pending", deliveries.c.event_id.not_in(busy)
                        )
                    )
                )
        soonest = min((at for at in times if at is not None), default=None)
        if soonest is None:
            return LONGEST_SLEEP
        return float(min(max(soonest - self._now(), 0.0), LONGEST_SLEEP))

    # --- webhooks ------------------------------------------------------------------------------

    def _dispatch_due(self) -> None:
        if self._pool is None or not self._config.webhook_url:
            return
        with self._lock:
            busy = list(self._busy)
        table = records.DELIVERIES
        with self._store.read() as connection:
            due = list(
                connection.scalars(
                    select(table.c.event_id)
                    .where(
                        table.c.state == "pending",
                        table.c.next_at <= self._now(),
                        table.c.event_id.not_in(busy),
                    )
                    .order_by(table.c.next_at)
                    .limit(max(WORKERS - len(busy), 0))
                )
            )
        with self._lock:
            self._busy.update(due)
        for event_id in due:
            self._pool.submit(self._deliver, event_id)

    def _deliver(self, event_id: str) -> None:
        try:
            with self._store.read() as connection:
                event = find(connection, records.Event, event_id)
            if event is not None:
                self._note(event_id, self._post(event))
        except Exception:
            log.exception("delivery of %s failed", event_id)
        finally:
            with self._lock:
                self._busy.discard(event_id)
            self._woken.set()

    def _post(self, event: records.Event) -> str | None:
        """Send once. None when the receiver took it, else what it said instead."""
        body = json.dumps(event_object(event, pending_webhooks=1), ensure_ascii=False, indent=2)
        raw = body.encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(raw, self._config.webhook_secrets, at=int(self._now())),
            "User-Agent": "Stripe/1.0 (sandbox)",
        }
        url = self._config.webhook_url or ""
        with requests.Session() as session:
            # A proxy from the environment has no business between two processes of one machine.
            session.trust_env = False
            try:
                answer = session.post(
                    url, data=raw, headers=headers, timeout=TIMEOUT, allow_redirects=False
                )
            except requests.RequestException as error:
                return type(error).__name__
        return None if 200 <= answer.status_code < 300 else f"HTTP {answer.status_code}"

    def _note(self, event_id: str, problem: str | None) -> None:
        table = records.DELIVERIES
        with self._store.write() as connection:
            row = connection.execute(select(table).where(table.c.event_id == event_id)).one()
            values = self._after_try(row, problem)
            connection.execute(update(table).where(table.c.event_id == event_id).values(values))

    def _after_try(self, row: Row[tuple[object, ...]], problem: str | None) -> dict[str, object]:
        tries = row.tries + 1
        if problem is None:
            return {"state": "delivered", "tries": tries, "last_answer": None}
        now = self._now()
        config = self._config
        gave_up = now - row.first_at >= config.give_up_seconds
        log.info("webhook %s: try %d: %s", row.event_id, tries, problem)
        delay = retry_delay(tries, base=config.retry_base_seconds, cap=config.retry_cap_seconds)
        return {
            "state": "failed" if gave_up else "pending",
            "tries": tries,
            "last_answer": problem,
            "next_at": now + delay,
        }
