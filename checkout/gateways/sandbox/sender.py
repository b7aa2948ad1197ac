"""The thread that does what comes due: webhooks, and payments and refunds that were processing.

Deliveries are rows, so they survive a restart; a try whose result was not yet written when the
process died is made again, so a notice comes at least once. Each try is signed anew with every
current secret and goes over real HTTP; one that isn't answered 2xx is repeated after 1, 2, 4 …
seconds up to ``retry_cap_seconds``, for ``give_up_seconds`` in all. A few workers send, so that a
slow receiver delays only its own events, and no request ever waits for one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Lock, Thread, local

import requests
from sqlalchemy import Connection, Table, bindparam, select, update

from checkout.gateways.sandbox import payments, records, refunds
from checkout.gateways.sandbox.config import GatewayConfig
from checkout.gateways.sandbox.idempotency import forget_answers
from checkout.gateways.sandbox.objects import event_object
from checkout.gateways.sandbox.store import Store, find, load
from checkout.gateways.sandbox.work import Work
from kernel.clock import real_now

log = logging.getLogger(__name__)

WORKERS = 4
TIMEOUT = (2.0, 10.0)
LONGEST_SLEEP = 30.0
# Results of tries are gathered this long, so that many share one commit.
GATHER = 0.05
HOUR = 3600.0


def sign(body: bytes, secrets: Sequence[str], *, at: int) -> str:
    """Stripe's ``Stripe-Signature``: the time, and a ``v1`` for each secret over ``t.body``."""
    signed = b"%d." % at + body
    marks = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def retry_delay(tries: int, *, base: float, cap: float) -> float:
    """Seconds to wait after the ``tries``-th failure: base, twice that, … at most ``cap``."""
    return float(min(base * 2 ** min(tries - 1, 30), cap))


@dataclass(frozen=True, slots=True)
class Task:
    """One delivery that is due, with its event."""

    event: records.Event
    tries: int
    first_at: float
    next_at: float


@dataclass(frozen=True, slots=True)
class Result:
    """How a try went: ``problem`` None means that the receiver took it."""

    task: Task
    problem: str | None


_DELIVERIES = records.DELIVERIES
_NEXT_DELIVERIES = (
    select(records.EVENTS, _DELIVERIES.c.tries, _DELIVERIES.c.first_at, _DELIVERIES.c.next_at)
    .join(_DELIVERIES, _DELIVERIES.c.event_id == records.EVENTS.c.id)
    .where(_DELIVERIES.c.state == "pending")
    .order_by(_DELIVERIES.c.next_at)
    # Those under way still stand first in line, so look behind them.
    .limit(2 * WORKERS + 1)
)
_NOTE_RESULT = update(_DELIVERIES).where(_DELIVERIES.c.event_id == bindparam("wanted"))


class Sender:
    """One for a gateway. ``wake`` after a commit; ``stop`` waits for the tries under way."""

    def __init__(self, store: Store, config: GatewayConfig) -> None:
        self._store = store
        self._config = config
        self._woken = Event()
        self._stopping = Event()
        self._lock = Lock()
        self._busy: set[str] = set()
        self._results: list[Result] = []
        self._backlog = False
        self._local = local()
        self._sessions: list[requests.Session] = []
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
            self._write_results()
        for session in self._sessions:
            session.close()

    def wake(self) -> None:
        self._woken.set()

    def _hurry(self) -> None:
        # The receiver was probably started together with us: don't sit out an old delay.
        now = self._now()
        with self._store.write() as connection:
            connection.execute(
                update(_DELIVERIES)
                .where(_DELIVERIES.c.state == "pending", _DELIVERIES.c.next_at > now)
                .values(next_at=now)
            )

    def _now(self) -> float:
        return real_now().timestamp()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._write_results()
                self._clean()
                pause = self._do_what_is_due()
            except Exception:
                # The thread must outlive a full disk or a locked file; it tries again in a second.
                log.exception("the sender failed; it goes on")
                pause = 1.0
            self._woken.wait(pause)
            self._woken.clear()

    def _do_what_is_due(self) -> float:
        """Settle and send what is due; seconds until there may be more."""
        with self._store.read() as connection:
            intents = _settling(connection, records.INTENTS)
            refunds_ = _settling(connection, records.REFUNDS)
            rows = connection.execute(_NEXT_DELIVERIES).mappings().all()
        now = self._now()
        for intent_id in [key for key, at in intents if at <= now]:
            self._settle_intent(intent_id)
        for refund_id in [key for key, at in refunds_ if at <= now]:
            self._settle_refund(refund_id)
        tasks = [
            Task(load(records.Event, row), row["tries"], row["first_at"], row["next_at"])
            for row in rows
        ]
        times = [at for _, at in intents + refunds_] + self._send_due(tasks, now)
        soonest = min(times, default=now + LONGEST_SLEEP)
        return min(max(soonest - self._now(), 0.0), LONGEST_SLEEP)

    # --- payments and refunds ------------------------------------------------------------------

    def _settle_intent(self, intent_id: str) -> None:
        with self._store.write() as connection:
            intent = find(connection, records.Intent, intent_id)
            if intent is not None and intent.settle_at is not None:
                payments.settle(Work(connection, self._config), intent)

    def _settle_refund(self, refund_id: str) -> None:
        with self._store.write() as connection:
            refund = find(connection, records.Refund, refund_id)
            if refund is not None and refund.settle_at is not None:
                refunds.settle(Work(connection, self._config), refund)

    def _clean(self) -> None:
        now = self._now()
        if now >= self._next_cleaning:
            self._next_cleaning = now + HOUR
            with self._store.write() as connection:
                forget_answers(connection, before=now - self._config.keep_answers_seconds)

    # --- webhooks ------------------------------------------------------------------------------

    def _send_due(self, tasks: list[Task], now: float) -> list[float]:
        """Hand what is due to free workers; the times at which to look again."""
        if self._pool is None or not self._config.webhook_url:
            return []
        with self._lock:
            waiting = [task for task in tasks if task.event.id not in self._busy]
            due = [task for task in waiting if task.next_at <= now]
            free = WORKERS - len(self._busy)
            taken = due[:free]
            self._busy.update(task.event.id for task in taken)
            # With more than the workers can take, the first to finish asks for the next at once.
            self._backlog = len(due) > free
            under_way = bool(self._busy)
        for task in taken:
            self._pool.submit(self._deliver, task)
        later = [task.next_at for task in waiting if task.next_at > now]
        return [*later, now + GATHER] if under_way else later

    def _deliver(self, task: Task) -> None:
        problem: str | None = "not sent"
        try:
            problem = self._post(task.event)
        except Exception as error:
            log.exception("delivery of %s failed", task.event.id)
            problem = type(error).__name__
        finally:
            with self._lock:
                self._results.append(Result(task, problem))
                backlog = self._backlog
            if backlog:
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
        try:
            answer = self._session().post(
                self._config.webhook_url or "",
                data=raw,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return type(error).__name__
        return None if 200 <= answer.status_code < 300 else f"HTTP {answer.status_code}"

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # A proxy from the environment has no business between two processes of one machine.
            session.trust_env = False
            with self._lock:
                self._sessions.append(session)
        return session

    def _write_results(self) -> None:
        with self._lock:
            results = list(self._results)
        if not results:
            return
        with self._store.write() as connection:
            connection.execute(_NOTE_RESULT, [self._after_try(result) for result in results])
        # Only now are they forgotten here: a commit that failed is made again with the next.
        with self._lock:
            del self._results[: len(results)]
            self._busy.difference_update(result.task.event.id for result in results)

    def _after_try(self, result: Result) -> dict[str, object]:
        task, problem, config = result.task, result.problem, self._config
        tries = task.tries + 1
        now = self._now()
        state, next_at = "delivered", task.next_at
        if problem is not None:
            log.info("webhook %s: try %d: %s", task.event.id, tries, problem)
            gave_up = now - task.first_at >= config.give_up_seconds
            state = "failed" if gave_up else "pending"
            next_at = now + retry_delay(
                tries, base=config.retry_base_seconds, cap=config.retry_cap_seconds
            )
        return {
            "wanted": task.event.id,
            "state": state,
            "tries": tries,
            "next_at": next_at,
            "last_answer": problem,
        }


def _settling(connection: Connection, table: Table) -> list[tuple[str, float]]:
    """The next few ids that settle, and when."""
    query = (
        select(table.c.id, table.c.settle_at)
        .where(table.c.settle_at.is_not(None))
        .order_by(table.c.settle_at)
        .limit(20)
    )
    return [(row.id, row.settle_at) for row in connection.execute(query)]
