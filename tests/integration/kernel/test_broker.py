"""The relay and a consumer's task on a real RabbitMQ: order, confirms, loss, dead letters."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from kombu import Connection
from sqlalchemy import update

from app.cli import context
from app.cli import mall as command_line
from app.namespace import forget_namespace
from kernel import broker, clock, consuming, outbox, relay
from kernel.db import db, write_transaction
from kernel.outbox import DEAD, DONE, PENDING, SENT, OutboxRow, emit
from kernel.relay import Relay
from kernel.settings import get_settings
from tests.functional.running import wait_for
from tests.integration.kernel.parts import running
from tests.integration.kernel.test_outbox import Heard, _rows, _tell

pytestmark = [
    pytest.mark.usefixtures("bare"),
    pytest.mark.skipif(
        not os.environ.get("MALL_BROKER_URL"),
        reason="NOT tested on RabbitMQ: MALL_BROKER_URL is not set (make test-stack sets it)",
    ),
]


@pytest.fixture
def heard(bare: None) -> Heard:
    return Heard()


@pytest.fixture
def channel(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A channel beside the product's own; queues are new, and gone afterwards."""
    forget_namespace(get_settings())
    broker.configure(get_settings())
    monkeypatch.setattr(consuming, "_app", app)
    monkeypatch.setattr(relay, "_STANDBY_SECONDS", 0.1)
    with broker.connected(heartbeat=0) as link:
        found = link.channel()
        broker.declare(found)
        yield found
    forget_namespace(get_settings())


def _soon(what: str, look: Callable[[], Any]) -> Any:
    def fresh() -> Any:
        db.session.rollback()
        return look()

    return wait_for(what, fresh, seconds=15)


def _get(channel: Any, lane: str) -> Any:
    """The next message of a lane, as its one consumer; None where there is none.

    A queue with one active consumer answers no single get.
    """
    found: list[Any] = []
    channel.basic_qos(0, 1, False)
    tag = channel.basic_consume(broker.lane_queue(lane).name, callback=found.append)
    with suppress(TimeoutError):
        while not found:
            channel.connection.drain_events(timeout=0.5)
    channel.basic_cancel(tag)
    return found[0] if found else None


def _ids(message: Any) -> list[int]:
    [[ids], *_rest] = json.loads(message.body)
    return list(ids)


def _take_all(channel: Any, lane: str) -> list[list[int]]:
    found = []
    while (message := _get(channel, lane)) is not None:
        found.append(_ids(message))
        channel.basic_ack(message.delivery_tag)
    return found


def test_rows_leave_in_order_and_neighbours_in_one_message(
    app: Flask, heard: Heard, channel: Any
) -> None:
    _tell("goods.changed", [1], [2])
    _tell("paid", [3], [4])
    _tell("goods.changed", [5])
    with running(Relay(app)):
        _soon("all are sent", lambda: _rows("state") == [SENT] * 5)
    assert _take_all(channel, "index") == [[1, 2, 5]]
    assert _take_all(channel, "money") == [[3], [4]]


def test_messages_outlive_the_broker_and_name_rows_only(
    app: Flask, heard: Heard, channel: Any
) -> None:
    _tell("paid", [1])
    with running(Relay(app)):
        _soon("it is sent", lambda: _rows("state") == [SENT])
    message = _get(channel, "money")
    assert message.properties["delivery_mode"] == 2
    assert message.headers["task"] == broker.DELIVER
    assert _ids(message) == [1]
    assert '"ids"' not in str(message.body)
    channel.basic_ack(message.delivery_tag)


def test_the_task_runs_what_its_rows_say_and_only_once(
    app: Flask, heard: Heard, channel: Any
) -> None:
    heard.poison = {2}
    _tell("paid", [1], [2])
    with running(Relay(app)):
        _soon("both are sent", lambda: _rows("state") == [SENT] * 2)
    for ids in _take_all(channel, "money") * 2:  # every message comes twice
        consuming.deliver(ids)
    assert heard.calls == [("money", [1]), ("money", [2])]
    assert _rows() == [("t.money", DONE, 1), ("t.money", PENDING, 1)]
    # The failed one is published again when its pause is over.
    with running(Relay(app)):
        _soon("it is sent again", lambda: _rows("state") == [DONE, SENT])
    assert _take_all(channel, "money") == [[2]]


def test_a_queue_holds_no_more_than_its_lane_can_soon_do(
    app: Flask, heard: Heard, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(relay.READY_AT_MOST, "money", 3)
    _tell("paid", *([n] for n in range(1, 8)))
    with running(Relay(app)):
        _soon("three are sent", lambda: _rows("state") == [SENT] * 3 + [PENDING] * 4)
        threading.Event().wait(0.5)
        assert _rows("state") == [SENT] * 3 + [PENDING] * 4
        first = _get(channel, "money")
        channel.basic_ack(first.delivery_tag)
        _soon("the next one follows", lambda: _rows("state") == [SENT] * 4 + [PENDING] * 3)


def test_what_a_wiped_broker_lost_is_sent_again(app: Flask, heard: Heard, channel: Any) -> None:
    _tell("paid", [1])
    with running(Relay(app)):
        _soon("it is sent", lambda: _rows("state") == [SENT])
    forget_namespace(get_settings())
    with running(Relay(app)):
        _soon("it is sent again, alone and counted", lambda: _rows() == [("t.money", SENT, 1)])
        _soon("it is there", lambda: broker.overview().waiting["money"] == 1)
    with broker.connected(heartbeat=0) as link:
        message = _get(link.channel(), "money")
        assert _ids(message) == [1]


def test_a_message_that_waits_is_late_and_not_lost(app: Flask, heard: Heard, channel: Any) -> None:
    _tell("paid", [1])
    with running(Relay(app)):
        _soon("it is sent", lambda: _rows("state") == [SENT])
        with write_transaction():
            past = clock.real_now() - timedelta(minutes=5)
            db.session.execute(update(OutboxRow).values(due_at=past))
        threading.Event().wait(2.5)
        assert _rows() == [("t.money", SENT, 0)]
    assert _take_all(channel, "money") == [[1]]


def test_one_relay_publishes_at_a_time(app: Flask, heard: Heard, channel: Any) -> None:
    with running(Relay(app)) as first, running(Relay(app)):
        _tell("paid", *([n] for n in range(1, 9)))
        _soon("all are sent", lambda: _rows("state") == [SENT] * 8)
        taken = _take_all(channel, "money")
        assert taken == [[n] for n in range(1, 9)]
        for ids in taken:
            consuming.deliver(ids)
        # The other takes over when the first one goes.
        first.stop()
        _tell("paid", [9])
        _soon("the ninth is sent", lambda: _rows("state") == [DONE] * 8 + [SENT])
    assert _take_all(channel, "money") == [[9]]


def test_a_broker_that_is_away_loses_nothing(
    app: Flask, heard: Heard, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, away = Connection.connect, threading.Event()
    away.set()

    def refused(link: Connection) -> Any:
        if away.is_set():
            raise ConnectionRefusedError
        return connect(link)

    monkeypatch.setattr(Connection, "connect", refused)
    _tell("paid", [1])
    with running(Relay(app)):
        threading.Event().wait(0.5)
        assert _rows() == [("t.money", PENDING, 0)]
        away.clear()
        _soon("it is sent", lambda: _rows() == [("t.money", SENT, 0)])


def _put_aside(channel: Any, lane: str) -> None:
    message = _get(channel, lane)
    channel.basic_reject(message.delivery_tag, requeue=False)


def _cli(app: Flask, *arguments: str) -> Any:
    done = app.test_cli_runner().invoke(command_line, ["outbox", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    db.session.rollback()
    return json.loads(done.output)


def test_dead_letters_are_looked_at_and_replayed(
    app: Flask, heard: Heard, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "create_app", lambda: app)  # with this test's tasks
    _tell("paid", [1], [2], [3])
    with write_transaction():
        db.session.execute(update(OutboxRow).where(OutboxRow.id == 1).values(state=DEAD))
    with running(Relay(app)):
        _soon("two are sent", lambda: _rows("state") == [DEAD, SENT, SENT])
    _put_aside(channel, "money")
    broker.lane_queue("money").bind(channel)
    channel.basic_publish(_junk(channel), exchange=get_settings().namespace, routing_key="feed")
    _soon("it arrived", lambda: broker.overview().waiting["feed"] == 1)
    _put_aside(channel, "feed")
    _soon("both are aside", lambda: broker.overview().dead == {**_NONE, "money": 1, "feed": 1})

    seen = _cli(app, "dead")
    assert [row["id"] for row in seen["rows"]] == [1]
    assert [(m["lane"], m["ids"], m["reason"]) for m in seen["messages"]] == [
        ("money", [2], "rejected"),
        ("feed", [], "rejected"),
    ]
    assert _cli(app, "backlog")["broker"]["dead"] == {**_NONE, "money": 1, "feed": 1}
    assert _cli(app, "replay", "--all") == {"rows": 2, "messages": 1}
    assert _rows("state") == [PENDING, PENDING, SENT]
    # What names no row is forgotten only when that is asked for.
    assert _soon("one is left", lambda: broker.overview().dead == {**_NONE, "feed": 1})
    assert _cli(app, "replay", "--all", "--drop") == {"rows": 0, "messages": 1}
    assert _soon("none is left", lambda: broker.overview().dead == _NONE)


_NONE = {"money": 0, "index": 0, "feed": 0, "notify": 0}


def _junk(channel: Any) -> Any:
    return channel.prepare_message(
        "no message of ours", content_type="text/plain", content_encoding="utf-8"
    )


def test_emit_asks_no_broker(app: Flask, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order writes its rows; what becomes of the broker is not its concern."""

    def refused(_link: Connection) -> Any:
        raise AssertionError("a command asked the broker")

    monkeypatch.setattr(Connection, "connect", refused)
    with write_transaction():
        emit("paid", ids=[1])
    assert outbox.backlog() == {"money": {PENDING: 1}}
