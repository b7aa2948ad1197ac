"""The broker's consumers: Celery workers that run outbox rows by their ids.

A message may come twice or late; the row says whether there is anything left to do. It is
acknowledged when its rows are marked, so a killed process loses nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import warnings
from collections.abc import Sequence
from typing import ClassVar

import structlog
from celery import signals
from celery.exceptions import Reject
from celery.platforms import SecurityWarning
from celery.worker import state
from celery.worker.consumer import Consumer
from flask import Flask
from sqlalchemy.exc import DBAPIError

from kernel import broker, outbox
from kernel.db import CommitUnknown, read_only
from kernel.delivering import groups, run_group
from kernel.settings import get_settings
from kernel.tasks import PartUnavailable, celery

log = structlog.get_logger(__name__)

# The longest that one message of a lane may take, in seconds: then its process is ended, the
# broker hands it to another, and in the end puts it aside.
TIME_LIMITS = {"money": 120.0, "index": 900.0, "feed": 3_600.0, "notify": 120.0}
TIME_LIMIT_EXIT = 75
_DATABASE_PAUSE_SECONDS = 1.0
_RECONNECT_SECONDS = 3.0

_app: Flask | None = None
_time_limit = min(TIME_LIMITS.values())
_stopping = threading.Event()


class LaneConsumer(Consumer):  # type: ignore[misc]  # Celery ships no types
    """Celery's consumer without its delayed delivery, whose 28 queues nobody would use: a row
    that waits does so in the database."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps: ClassVar = [
            step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step
        ]

    def ensure_connected(self, conn: object) -> object:
        """As the original, but looks every few seconds: its pauses grow to half a minute."""
        ensured: object = conn.ensure_connection(  # type: ignore[attr-defined]
            self._broker_away,
            None,
            interval_start=0.5,
            interval_step=0.5,
            interval_max=_RECONNECT_SECONDS,
            callback=state.maybe_shutdown,
        )
        return ensured

    def _broker_away(self, error: BaseException, interval: float) -> None:
        log.info("broker_away", error=str(error)[:200], again_in=interval)


@celery.task(name=broker.DELIVER, ignore_result=True)
def deliver(ids: list[int]) -> None:
    """Run what is unfinished of these outbox rows."""
    assert _app is not None
    watch = threading.Timer(_time_limit, _end_process, args=(ids,))
    watch.daemon = True
    watch.start()
    try:
        while True:
            try:
                with _app.app_context():
                    _deliver(ids)
                return
            except (DBAPIError, CommitUnknown) as error:
                # Without its database a lane can do nothing else; the message stays with us.
                log.warning("database_away", error=str(error)[:200])
            if _stopping.wait(_DATABASE_PAUSE_SECONDS):
                raise Reject("stopping", requeue=True)
    finally:
        watch.cancel()


def _deliver(ids: Sequence[int]) -> None:
    with read_only():
        rows = outbox.unfinished(ids)
    for group in groups(rows):
        try:
            run_group(group)
        except PartUnavailable as away:
            # The lane is this consumer: while it rests, the whole lane does.
            _stopping.wait(away.retry_after)
            return


def _end_process(ids: Sequence[int]) -> None:
    log.error("time_limit", outbox_ids=list(ids)[:10], seconds=_time_limit)
    os._exit(TIME_LIMIT_EXIT)


def consume(app: Flask, lanes: Sequence[str]) -> int:
    """Work off some lanes, one message at a time, until SIGTERM. Returns the exit code."""
    global _app, _time_limit
    _app, _time_limit = app, max(TIME_LIMITS[lane] for lane in lanes)
    broker.configure(get_settings())
    # It warns of messages that run code; only JSON is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_shutting_down.connect(_begin_stopping, weak=False)
    worker = celery.Worker(
        hostname=f"{get_settings().namespace}-{'-'.join(lanes)}@{socket.gethostname()}",
        # Threads, because one message at a time needs no more, and a fault ends the process.
        pool_cls="threads",
        concurrency=1,
        queues=[broker.lane_queue(lane).name for lane in lanes],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _keep_logging(**_kwargs: object) -> None:
    """Celery's own lines go where the product's go, without its handlers."""
    logging.basicConfig(level=logging.WARNING)


def _begin_stopping(**_kwargs: object) -> None:
    _stopping.set()
