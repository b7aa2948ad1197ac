"""News leaves with the transaction that made it, is tried again, and is buried by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from kernel import clock, outbox
from kernel.db import db, write_transaction
from kernel.outbox import DEAD, DONE, MAX_ATTEMPTS, PENDING, OutboxRow, emit, listen, take
from kernel.tasks import TASKS, run_task, task
from kernel.worker import drain_all, drain_lane
from tests.integration.kernel.conftest import RealTime

pytestmark = pytest.mark.usefixtures("bare")


class Heard:
    """A task for each lane that remembers its calls, and fails while it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.poison: set[int] = set()

        @task("t.index", lane="index", merges="ids")
        def index(ids: list[int]) -> None:
            self._hear("index", ids)

        @task("t.money", lane="money")
        def money(ids: list[int]) -> None:
            self._hear("money", ids)

        listen("goods.changed", "t.index")
        listen("paid", "t.money")

    def _hear(self, name: str, ids: list[int]) -> None:
        self.calls.append((name, ids))
        if self.poison.intersection(ids):
            raise ValueError(f"poison in {ids}")


@pytest.fixture
def heard(bare: None) -> Heard:
    return Heard()


def _tell(event: str, *batches: list[int]) -> None:
    with write_transaction():
        for ids in batches:
            emit(event, ids=ids)


def _rows(*columns: str) -> list[Any]:
    db.session.rollback()
    names = columns or ("task", "state", "attempts")
    found = db.session.execute(text(f"SELECT {', '.join(names)} FROM outbox ORDER BY id")).all()
    db.session.rollback()
    return [tuple(row) if len(names) > 1 else row[0] for row in found]


def test_news_leaves_only_with_the_commit(app: Flask, heard: Heard) -> None:
    with pytest.raises(LookupError):
        _tell_and_fail()
    assert _rows() == []
    assert drain_all() == 0
    _tell("paid", [1])
    assert _rows("event", "task", "lane", "payload", "state", "attempts") == [
        ("paid", "t.money", "money", '{"ids":[1]}', PENDING, 0)
    ]
    assert drain_all() == 1
    assert heard.calls == [("money", [1])]
    assert _rows() == [("t.money", DONE, 1)]
    assert drain_all() == 0


def _tell_and_fail() -> None:
    with write_transaction():
        emit("paid", ids=[1])
        raise LookupError


def test_each_listener_has_a_row_of_its_own(app: Flask, heard: Heard) -> None:
    listen("paid", "t.index")
    listen("paid", "t.index")
    _tell("paid", [1])
    assert _rows("task", "lane") == [("t.money", "money"), ("t.index", "index")]


def test_what_nobody_hears_is_not_written(app: Flask, heard: Heard) -> None:
    _tell("unheard", [1])
    assert _rows() == []


def test_only_a_task_that_there_is_can_listen() -> None:
    with pytest.raises(ValueError, match=r"no task 't\.none'"):
        listen("paid", "t.none")


def test_rows_are_taken_by_lane_in_order_and_when_due(app: Flask, heard: Heard) -> None:
    _tell("paid", [1], [2], [3])
    _tell("goods.changed", [9])
    first, second, third = take(lane="money")
    assert [row.payload for row in (first, second, third)] == [{"ids": [i]} for i in (1, 2, 3)]
    assert first.id < second.id < third.id
    assert [row.id for row in take(lane="money", limit=2)] == [first.id, second.id]
    assert [row.task for row in take(lane="index")] == ["t.index"]
    assert take(lane="feed") == []
    db.session.rollback()
    with write_transaction():
        outbox.mark_failed([second], "later")
    assert [row.id for row in take(lane="money")] == [first.id, third.id]


def test_a_row_waits_longer_each_time_and_ends_as_a_dead_letter(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    heard.poison = {1}
    _tell("paid", [1])
    waits = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert drain_lane("money") == 0
        assert _rows("attempts", "last_error") == [(attempt, "ValueError: poison in [1]")]
        row = db.session.scalars(select(OutboxRow)).one()
        waits.append(round((row.due_at - clock.real_now()).total_seconds()))
        db.session.rollback()
        if attempt < MAX_ATTEMPTS:
            assert row.state == PENDING
            real_time.pass_by(timedelta(seconds=waits[-1] - 0.5))
            assert take(lane="money") == []
            real_time.pass_by(timedelta(seconds=1))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert _rows("state") == [DEAD]
    real_time.pass_by(timedelta(days=1))
    assert drain_lane("money") == 0
    assert len(heard.calls) == MAX_ATTEMPTS
    assert outbox.backlog() == {"money": {DEAD: 1}}


def test_a_dead_letter_can_be_replayed(app: Flask, heard: Heard) -> None:
    _tell("paid", [1], [2])
    with write_transaction():
        db.session.execute(text("UPDATE outbox SET state = 'dead', attempts = 10 WHERE id = 1"))
    assert drain_lane("money") == 1
    with write_transaction():
        assert outbox.replay([1, 2, 99]) == 1  # the second is done already
    assert drain_lane("money") == 1
    assert heard.calls == [("money", [2]), ("money", [1])]
    assert _rows() == [("t.money", DONE, 1), ("t.money", DONE, 1)]


def test_a_failing_row_does_not_hold_up_the_next(app: Flask, heard: Heard) -> None:
    heard.poison = {1}
    _tell("paid", [1], [2])
    assert drain_lane("money") == 1
    assert _rows() == [("t.money", PENDING, 1), ("t.money", DONE, 1)]


def test_neighbours_of_a_merging_task_run_together(app: Flask, heard: Heard) -> None:
    _tell("goods.changed", [1, 2], [2, 3], [1, 4])
    assert drain_lane("index") == 3
    assert heard.calls == [("index", [1, 2, 3, 4])]
    assert _rows("state") == [DONE] * 3


def test_only_neighbours_of_the_same_task_are_merged(app: Flask, heard: Heard) -> None:
    @task("t.other", lane="index")
    def other(ids: list[int]) -> None:
        heard.calls.append(("other", ids))

    listen("other", "t.other")
    _tell("goods.changed", [1])
    _tell("other", [7], [8])
    _tell("goods.changed", [2], [3])
    assert drain_lane("index") == 5
    assert heard.calls == [
        ("index", [1]),
        ("other", [7]),
        ("other", [8]),
        ("index", [2, 3]),
    ]


def test_one_poisoned_row_does_not_bury_those_it_was_merged_with(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    heard.poison = {2}
    _tell("goods.changed", [1], [2], [3])
    assert drain_lane("index") == 0
    assert _rows() == [("t.index", PENDING, 1)] * 3
    real_time.pass_by(timedelta(seconds=2))
    assert drain_lane("index") == 2
    assert heard.calls[1:] == [("index", [1]), ("index", [2]), ("index", [3])]
    assert _rows("state") == [DONE, PENDING, DONE]


def test_a_task_that_is_gone_fails_like_any_other(app: Flask, heard: Heard) -> None:
    _tell("paid", [1])
    del TASKS["t.money"]
    assert drain_lane("money") == 0
    assert _rows("state", "attempts", "last_error") == [(PENDING, 1, "KeyError: 't.money'")]


def test_what_a_failing_task_wrote_without_committing_is_gone(app: Flask) -> None:
    @task("t.half", lane="money")
    def half() -> None:
        with write_transaction():
            db.session.execute(text("INSERT INTO clock_offset (id, seconds) VALUES (1, 9)"))
            raise RuntimeError("half way")

    listen("half", "t.half")
    with write_transaction():
        emit("half")
    assert drain_lane("money") == 0
    assert db.session.scalar(text("SELECT count(*) FROM clock_offset")) == 0


def test_long_errors_are_cut(app: Flask, heard: Heard) -> None:
    _tell("paid", [1])
    [row] = take(lane="money")
    db.session.rollback()
    with write_transaction():
        outbox.mark_failed([row], "x" * 5000)
    assert _rows("length(last_error)") == [2000]


def test_the_backlog_counts_what_is_not_done(app: Flask, heard: Heard) -> None:
    _tell("paid", [1], [2])
    _tell("goods.changed", [3])
    assert outbox.backlog() == {"money": {PENDING: 2}, "index": {PENDING: 1}}
    db.session.rollback()
    drain_all()
    assert outbox.backlog() == {}


def test_old_delivered_rows_are_forgotten_and_nothing_else(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    heard.poison = {3}
    _tell("paid", [1], [2], [3])
    drain_lane("money")
    with write_transaction():
        assert outbox.purge(older_than=timedelta(days=7)) == 0
    real_time.pass_by(timedelta(days=7, seconds=1))
    with write_transaction():
        assert outbox.purge(older_than=timedelta(days=7), limit=1) == 1
        assert outbox.purge(older_than=timedelta(days=7)) == 1
        assert outbox.purge(older_than=timedelta(days=7)) == 0
    assert _rows("payload") == ['{"ids":[3]}']


def test_draining_stops_after_its_rounds(app: Flask, heard: Heard) -> None:
    @task("t.again", lane="money")
    def again() -> None:
        with write_transaction():
            emit("again")

    listen("again", "t.again")
    with write_transaction():
        emit("again")
    assert drain_all(rounds=3) == 3
    assert _rows("state") == [DONE, DONE, DONE, PENDING]


def test_tasks_are_registered_once_and_in_a_lane(heard: Heard) -> None:
    with pytest.raises(ValueError, match="registered twice"):
        task("t.money", lane="money")(print)
    with pytest.raises(ValueError, match="no lane 'express'"):
        task("t.new", lane="express")
    with pytest.raises(KeyError):
        run_task("t.none", {})
    run_task("t.money", {"ids": [5]})
    assert heard.calls == [("money", [5])]
