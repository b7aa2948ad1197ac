"""RabbitMQ: the lanes' queues, their dead letters, and how Celery uses them (ADR 0014).

A queue is a quorum queue with one active consumer, so a lane's messages are worked off in the
order in which the relay published them. Nothing is kept here that the outbox does not have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import AMQPError
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError

from kernel.settings import Settings, get_settings
from kernel.tasks import LANES, celery

DELIVER = "outbox.deliver"
# A message that ended its process this often is put aside.
DELIVERY_LIMIT = 3
# What a broker that is away looks like from here.
BROKER_ERRORS = (AMQPError, KombuError, OSError)

_HEARTBEAT_SECONDS = 10
_SOCKET_SECONDS = 5.0


def lane_queue(lane: str) -> Queue:
    name = get_settings().namespace
    return Queue(
        f"{name}.{lane}",
        Exchange(name, type="direct", durable=True),
        routing_key=lane,
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": f"{name}.dead",
            "x-dead-letter-routing-key": lane,
            # A dead letter is confirmed by its new queue before it leaves the old one; that asks
            # for refusing what is too much instead of dropping it.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def dead_queue(lane: str) -> Queue:
    name = get_settings().namespace
    return Queue(
        f"{name}.{lane}.dead",
        Exchange(f"{name}.dead", type="direct", durable=True),
        routing_key=lane,
        durable=True,
        queue_arguments={"x-queue-type": "quorum"},
    )


def leader_queue() -> str:
    """Exclusive to the connection of the one relay that publishes: no broker, no leader."""
    return f"{get_settings().namespace}.relay"


def configure(settings: Settings) -> None:
    """Set Celery up for the broker of ``settings``; once in each process that uses it."""
    celery.conf.update(
        broker_url=settings.broker_url,
        broker_transport_options={"confirm_publish": True},
        broker_heartbeat=_HEARTBEAT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=[lane_queue(lane) for lane in LANES],
        task_default_queue=lane_queue("notify").name,
        task_create_missing_queues=False,
        task_ignore_result=True,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_consumer="kernel.consuming:LaneConsumer",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # A task under way goes on when the connection is lost; it is idempotent by its rows.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        timezone="UTC",
    )


@contextmanager
def connected(*, heartbeat: int = _HEARTBEAT_SECONDS) -> Iterator[Connection]:
    """A connection of one's own with publisher confirms. Raises :data:`BROKER_ERRORS`."""
    link = Connection(
        get_settings().broker_url,
        heartbeat=heartbeat,
        connect_timeout=_SOCKET_SECONDS,
        transport_options={
            "confirm_publish": True,
            "read_timeout": _SOCKET_SECONDS,
            "write_timeout": _SOCKET_SECONDS,
        },
    )
    try:
        link.connect()
        yield link
    finally:
        link.release()


def declare(channel: Any) -> None:
    """All exchanges and queues; what is there already stays."""
    for lane in LANES:
        dead_queue(lane).bind(channel).declare()
        lane_queue(lane).bind(channel).declare()


@dataclass(frozen=True)
class Depth:
    """Messages of a queue that nobody has taken, and who listens."""

    ready: int
    consumers: int


def depth(channel: Any, queue: str) -> Depth:
    """Raises :data:`BROKER_ERRORS`, also for a queue that was never declared."""
    found = channel.queue_declare(queue=queue, passive=True)
    return Depth(found.message_count, found.consumer_count)


@dataclass(frozen=True)
class DeadMessage:
    """A message that the broker put aside; ``ids`` are its outbox rows, where it has any."""

    lane: str
    ids: list[int]
    reason: str
    task: str
    body: str


def settle_dead(
    settled: Callable[[DeadMessage], bool] = lambda _: False, *, limit: int = 100
) -> list[DeadMessage]:
    """What stands in the dead-letter queues. A message leaves once ``settled`` says so of it.

    Raises :data:`BROKER_ERRORS`.
    """
    found: list[DeadMessage] = []
    with connected(heartbeat=0) as link:
        channel = link.channel()
        declare(channel)
        for lane in LANES:
            queue = dead_queue(lane).bind(channel)
            kept = []
            while len(found) < limit:
                message = queue.get(no_ack=False)
                if message is None:
                    break
                dead = _read_dead(lane, message)
                found.append(dead)
                if settled(dead):
                    channel.basic_ack(message.delivery_tag)
                else:
                    kept.append(message.delivery_tag)
            for tag in kept:
                channel.basic_reject(tag, requeue=True)
    return found


@dataclass(frozen=True)
class Overview:
    """The broker as it is now: its version, and messages and consumers by lane."""

    version: str
    waiting: dict[str, int]
    dead: dict[str, int]
    consumers: dict[str, int]


def overview() -> Overview:
    """Raises :data:`BROKER_ERRORS`."""
    with connected(heartbeat=0) as link:
        channel = link.channel()
        declare(channel)
        lanes = {lane: depth(channel, lane_queue(lane).name) for lane in LANES}
        dead = {lane: depth(channel, dead_queue(lane).name).ready for lane in LANES}
        return Overview(
            version=str(link.connection.server_properties.get("version", "")),
            waiting={lane: found.ready for lane, found in lanes.items()},
            dead=dead,
            consumers={lane: found.consumers for lane, found in lanes.items()},
        )


def _read_dead(lane: str, message: Any) -> DeadMessage:
    headers = message.headers or {}
    deaths = headers.get("x-death") or [{}]
    body = bytes(message.body) if isinstance(message.body, memoryview) else message.body
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return DeadMessage(
        lane=lane,
        ids=_ids_of(text) if headers.get("task") == DELIVER else [],
        reason=str(deaths[0].get("reason", "")),
        task=str(headers.get("task", "")),
        body=text[:500],
    )


def _ids_of(body: str) -> list[int]:
    try:
        [[ids], *_rest] = json.loads(body)
        return [int(value) for value in ids]
    except (ValueError, TypeError):
        return []
