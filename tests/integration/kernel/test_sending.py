"""What the outbox knows of a broker: sent rows, lost ones, and parts that are away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from kernel import delivering, outbox
from kernel.db import db, read_only, write_transaction
from kernel.delivering import groups
from kernel.outbox import DEAD, DONE, LOST_AFTER, MAX_ATTEMPTS, PENDING, SENT, Delivery
from kernel.tasks import PartUnavailable, task
from kernel.worker import drain_lane
from tests.integration.kernel.conftest import RealTime
from tests.integration.kernel.test_outbox import Heard, _rows, _tell

pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture
def heard(bare: None) -> Heard:
    return Heard()


def _due(lane: str, state: str) -> list[Delivery]:
    with write_transaction():
        return outbox.lock_due(lane=lane, state=state, limit=10)


def _send(lane: str) -> list[int]:
    with write_transaction():
        rows = outbox.lock_due(lane=lane, state=PENDING, limit=10)
        outbox.mark_sent(rows)
    return [row.id for row in rows]


def _unfinished(ids: list[int]) -> list[int]:
    with read_only():
        return [row.id for row in outbox.unfinished(ids)]


def test_a_sent_row_is_nobodys_until_it_counts_as_lost(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    _tell("paid", [1], [2])
    assert _send("money") == [1, 2]
    assert _send("money") == []
    assert drain_lane("money") == 0
    assert _due("money", SENT) == []
    assert _unfinished([1, 2, 9]) == [1, 2]
    assert outbox.backlog() == {"money": {PENDING: 2}}
    real_time.pass_by(LOST_AFTER + timedelta(seconds=1))
    assert [row.id for row in _due("money", SENT)] == [1, 2]
    # Where there is no broker any more, the local worker takes them.
    assert drain_lane("money") == 2
    assert _rows() == [("t.money", DONE, 1)] * 2


def test_lanes_with_work_are_found_in_one_look(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    lanes = ("money", "index", "feed")
    assert outbox.lanes_with(PENDING, lanes=lanes) == set()
    _tell("paid", [1])
    _tell("goods.changed", [2])
    assert outbox.lanes_with(PENDING, lanes=lanes) == {"money", "index"}
    db.session.rollback()
    _send("index")
    assert outbox.lanes_with(PENDING, lanes=lanes) == {"money"}
    assert outbox.lanes_with(SENT, lanes=lanes) == set()
    with write_transaction():
        assert outbox.expect_lost(lane="index") == 1
    assert outbox.lanes_with(SENT, lanes=lanes) == {"index"}


def test_what_could_not_be_published_is_pending_again(app: Flask, heard: Heard) -> None:
    _tell("paid", [1])
    with write_transaction():
        rows = outbox.lock_due(lane="money", state=PENDING, limit=10)
        outbox.mark_sent(rows)
    with write_transaction():
        outbox.take_back(rows)
    assert _rows() == [("t.money", PENDING, 0)]
    assert _send("money") == [1]


def test_a_doubled_message_neither_repeats_nor_hurries_a_row(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    heard.poison = {2}
    _tell("paid", [1], [2])
    _send("money")
    for row in _due_of([1, 2]):
        delivering.run_group([row])
    assert _rows() == [("t.money", DONE, 1), ("t.money", PENDING, 1)]
    assert _unfinished([1, 2]) == []
    real_time.pass_by(timedelta(seconds=2))
    assert _unfinished([1, 2]) == [2]
    assert heard.calls == [("money", [1]), ("money", [2])]


def _due_of(ids: list[int]) -> list[Delivery]:
    with read_only():
        return outbox.unfinished(ids)


def test_a_row_that_is_never_finished_is_a_dead_letter_at_last(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    _tell("paid", [1])
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert _send("money") == [1]
        real_time.pass_by(LOST_AFTER + timedelta(seconds=1))
        with write_transaction():
            outbox.mark_lost(outbox.lock_due(lane="money", state=SENT, limit=10))
        state = DEAD if attempt == MAX_ATTEMPTS else PENDING
        assert _rows("state", "attempts") == [(state, attempt)]
        real_time.pass_by(timedelta(minutes=6))
    [letter] = outbox.dead_letters()
    assert (letter.id, letter.lane, letter.attempts) == (1, "money", MAX_ATTEMPTS)
    assert letter.last_error == "sent, and never finished"


def test_a_row_that_is_done_stays_so(app: Flask, heard: Heard) -> None:
    """A second copy of a message may end after the first: with an error, or as lost."""
    _tell("paid", [1])
    [row] = _due("money", PENDING)
    assert drain_lane("money") == 1
    with write_transaction():
        outbox.mark_failed([row], "late")
        outbox.mark_waiting([row], seconds=1)
        outbox.take_back([row])
    assert _rows() == [("t.money", DONE, 1)]


def test_a_part_that_is_away_pauses_the_lane_and_counts_nothing(
    app: Flask, heard: Heard, real_time: RealTime
) -> None:
    away = True

    @task("t.searching", lane="index", merges="ids")
    def searching(ids: list[int]) -> None:
        heard.calls.append(("searching", ids))
        if away:
            raise PartUnavailable("search", retry_after=3)

    outbox.listen("searched", "t.searching")
    _tell("searched", [1], [2])
    _tell("goods.changed", [3])
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(PartUnavailable):
            drain_lane("index")
        real_time.pass_by(timedelta(seconds=3.1))
    # What comes after it waits as well; nobody was buried, and nothing was tried alone.
    assert set(map(str, heard.calls)) == {"('searching', [1, 2])"}
    assert _rows() == [
        ("t.searching", PENDING, 0),
        ("t.searching", PENDING, 0),
        ("t.index", PENDING, 0),
    ]
    away = False
    assert drain_lane("index") == 3
    assert _rows("state") == [DONE] * 3


def test_a_merged_call_is_bounded(
    app: Flask, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "MERGED_AT_MOST", 5)
    _tell("goods.changed", [1, 2], [3, 4], [5, 6], [7, 8, 9, 10, 11, 12], [13])
    with read_only():
        made = groups(outbox.take(lane="index"))
    assert [[row.id for row in group] for group in made] == [[1, 2], [3], [4], [5]]


@pytest.mark.server_only("SQLite has one writer at a time")
def test_what_another_relay_has_locked_is_skipped(app: Flask, heard: Heard) -> None:
    _tell("paid", [1], [2])
    with db.engine.connect() as other:
        other.execute(text("SELECT id FROM outbox WHERE id = 1 FOR UPDATE"))
        assert [row.id for row in _due("money", PENDING)] == [2]
        other.rollback()
    assert [row.id for row in _due("money", PENDING)] == [1, 2]
