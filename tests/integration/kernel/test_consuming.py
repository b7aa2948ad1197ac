"""A real Celery consumer on a real RabbitMQ: it is killed by a task, and told to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from kernel import broker, outbox
from kernel.broker import DELIVERY_LIMIT
from kernel.db import db, write_transaction
from kernel.outbox import DONE, SENT, OutboxRow, emit, listen
from kernel.relay import Relay
from kernel.tasks import task
from tests.functional.running import ROOT
from tests.integration.kernel import test_broker
from tests.integration.kernel.parts import running
from tests.integration.kernel.test_broker import _soon, channel
from tests.integration.kernel.test_outbox import _rows

__all__ = ["channel"]

pytestmark = test_broker.pytestmark

# Notes each call; the number one ends the process, as a fault of the machine would.
CONSUMER = """
import os, sys
from app.factory import create_app
from kernel.consuming import consume
from kernel.tasks import task

@task("t.deadly", lane="feed")
def deadly(number):
    with open(sys.argv[1], "a") as calls:
        calls.write(str(number))
    if number == 1:
        os._exit(9)

sys.exit(consume(create_app(), ["feed"]))
"""


@contextmanager
def _consumer(calls: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", CONSUMER, str(calls)], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.server_only("another process writes to the same database")
def test_what_kills_its_process_is_put_aside_and_what_is_mended_is_replayed(
    app: Flask, channel: Any, tmp_path: Path
) -> None:
    task("t.deadly", lane="feed")(print)
    listen("deadly", "t.deadly")
    calls = tmp_path / "calls"
    with write_transaction():
        emit("deadly", number=1)
    with running(Relay(app)):
        _soon("it is sent", lambda: _rows("state") == [SENT])
        for _ in range(DELIVERY_LIMIT + 1):
            with _consumer(calls) as process:
                assert process.wait(60) == 9
        assert calls.read_text() == "1" * (DELIVERY_LIMIT + 1)
        _soon("it is put aside", lambda: broker.overview().dead["feed"] == 1)
        [message] = broker.settle_dead()
        assert (message.lane, message.ids, message.reason) == ("feed", [1], "delivery_limit")
        assert _rows() == [("t.deadly", SENT, 0)]

        with write_transaction():
            db.session.execute(update(OutboxRow).values(payload={"number": 2}))
            assert outbox.replay(message.ids) == 1
        with _consumer(calls) as process:
            _soon("it is done", lambda: _rows("state") == [DONE])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert calls.read_text() == "1" * (DELIVERY_LIMIT + 1) + "2"
