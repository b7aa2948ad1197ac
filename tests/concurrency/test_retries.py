"""Deadlocks, waits and lost connections of a real server: the whole command is done again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, g
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from kernel.db import CommitUnknown, commits, db, write_transaction
from kernel.idempotency import Answer, Pending, begin, finish
from kernel.mariadb import error_code
from kernel.retrying import TRIES, always, is_collision, is_lost, retried, with_retries
from kernel.web import RoomBlueprint, _edge
from tests.databases import by_sql
from tests.integration.kernel.test_idempotency import keys, scope

pytestmark = pytest.mark.server_only("SQLite has one writer, and no connection to lose")


@pytest.fixture
def two_rows(app: Flask) -> Iterator[None]:
    with write_transaction():
        db.session.execute(text("INSERT INTO clock_offset (id, seconds) VALUES (11, 0), (12, 0)"))
    yield
    db.session.rollback()


def _add(number: int) -> None:
    db.session.execute(
        text("UPDATE clock_offset SET seconds = seconds + 1 WHERE id = :id"), {"id": number}
    )


def _seconds() -> list[int]:
    db.session.rollback()
    found = db.session.scalars(text("SELECT seconds FROM clock_offset ORDER BY id")).all()
    db.session.rollback()
    return list(found)


def _kill_own_connection() -> None:
    number = db.session.scalar(text("SELECT CONNECTION_ID()"))
    by_sql(f"KILL CONNECTION {number}")


def test_of_two_in_a_deadlock_both_come_through(app: Flask, two_rows: None) -> None:
    met = threading.Barrier(2)
    tries: list[int] = []

    def command(first: int, second: int) -> None:
        with write_transaction():
            tries.append(first)
            _add(first)
            if len(tries) <= 2:
                met.wait(10)  # both hold one and want the other's
            _add(second)

    def run(rows: tuple[int, int]) -> None:
        with app.app_context():
            with_retries(lambda: command(*rows))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, [(11, 12), (12, 11)]))
    assert len(tries) == 3
    assert _seconds() == [2, 2]


def test_a_deadlock_is_a_collision_and_no_lost_connection(app: Flask, two_rows: None) -> None:
    met = threading.Barrier(2)
    errors: list[DBAPIError] = []

    def run(rows: tuple[int, int]) -> None:
        with app.app_context():
            try:
                with write_transaction():
                    _add(rows[0])
                    met.wait(10)
                    _add(rows[1])
            except DBAPIError as error:
                errors.append(error)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, [(11, 12), (12, 11)]))
    [error] = errors
    assert (error_code(error.orig), is_collision(error), is_lost(error)) == (1213, True, False)
    assert _seconds() == [1, 1]


def _fail_always(work: Callable[[], None]) -> list[int]:
    tried: list[int] = []

    def command() -> None:
        tried.append(1)
        with write_transaction():
            work()

    with pytest.raises(OperationalError):
        with_retries(command)
    return tried


def test_tries_are_counted_and_nested_edges_do_not_multiply_them(two_rows: None) -> None:
    def collide() -> None:
        _add(11)
        _signal()

    assert len(_fail_always(lambda: with_retries(collide))) == 1
    assert len(_fail_always(collide)) == TRIES
    assert _seconds() == [0, 0]


def _signal() -> None:
    db.session.execute(
        text("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'deadlock'")
    )


def test_a_connection_lost_before_the_commit_is_replaced(two_rows: None) -> None:
    tried: list[int] = []

    def command() -> None:
        tried.append(1)
        with write_transaction():
            _add(11)
            if len(tried) == 1:
                _kill_own_connection()
            _add(12)

    with_retries(command)
    assert len(tried) == 2
    assert _seconds() == [1, 1]


def test_a_read_that_lost_its_connection_is_read_again(two_rows: None) -> None:
    tried: list[int] = []

    def query() -> int:
        tried.append(1)
        if len(tried) == 1:
            _kill_own_connection()
        return int(db.session.scalar(text("SELECT count(*) FROM clock_offset")) or 0)

    assert with_retries(query) == 2
    assert len(tried) == 2


def _lose_at_commit(tried: list[int]) -> None:
    with write_transaction():
        _add(11)
        tried.append(1)
        if len(tried) == 1:
            _kill_own_connection()


def test_a_connection_lost_at_the_commit_is_not_tried_blindly(two_rows: None) -> None:
    tried: list[int] = []
    before = commits()
    with pytest.raises(CommitUnknown) as raised:
        with_retries(lambda: _lose_at_commit(tried))
    assert (len(tried), commits()) == (1, before)
    assert (raised.value.status, raised.value.code) == (503, "service_unavailable")
    assert raised.value.retry_after == 2
    # What may be run twice is: a task, a job.
    tried.clear()
    retried(_lose_at_commit)(tried)
    assert len(tried) == 2
    assert _seconds() == [1, 0]


def test_what_has_committed_something_is_not_begun_again(two_rows: None) -> None:
    tried: list[int] = []

    def command() -> None:
        tried.append(1)
        with write_transaction():
            _add(11)
        with write_transaction():
            _signal()

    with pytest.raises(OperationalError):
        with_retries(command)
    assert len(tried) == 1
    with pytest.raises(OperationalError):
        with_retries(command, resumable=always)
    assert len(tried) == 1 + TRIES
    assert _seconds() == [1 + TRIES, 0]


def test_the_last_step_of_a_keyed_command_survives_its_connection(two_rows: None) -> None:
    tried: list[int] = []
    assert begin(scope(), lambda: Pending("ord_1")) == Pending("ord_1")

    def last_step() -> Answer:
        tried.append(1)
        _add(11)
        if len(tried) == 1:
            _kill_own_connection()
        return Answer.json(201, {"done": True})

    assert finish(scope(), last_step) == Answer.json(201, {"done": True})
    assert len(tried) == 2
    assert _seconds() == [1, 0]
    assert keys() == [("k1", "completed")]


def test_connections_that_rested_are_asked_whether_they_live(
    two_rows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.mariadb._REST_SECONDS", 0.0)
    number = db.session.scalar(text("SELECT CONNECTION_ID()"))
    db.session.rollback()
    by_sql(f"KILL CONNECTION {number}")
    # No retry is needed: the pool notices.
    assert db.session.scalar(text("SELECT CONNECTION_ID()")) != number


# Views -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "keyed", "times"), [("POST", False, 1), ("POST", True, 2), ("GET", False, 2)]
)
def test_a_view_whose_commit_was_lost_goes_on_only_with_a_key(
    app: Flask, two_rows: None, method: str, keyed: bool, times: int
) -> None:
    tried: list[int] = []

    def view() -> str:
        g.keyed = keyed
        _lose_at_commit(tried)
        return "done"

    with app.test_request_context("/api/v1/x", method=method):
        edge = _edge(view)
        if times == 1:
            with pytest.raises(CommitUnknown):
                edge()
        else:
            assert edge() == "done"
    assert len(tried) == times


def test_every_view_of_a_room_is_such_an_edge(app: Flask) -> None:
    rooms = [
        view
        for endpoint, view in app.view_functions.items()
        if isinstance(app.blueprints.get(endpoint.split(".")[0]), RoomBlueprint)
    ]
    assert len(rooms) > 20
    assert {view.__qualname__ for view in rooms if not hasattr(view, "__wrapped__")} == set()
