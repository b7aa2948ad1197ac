"""``mall outbox``: what waits, what was given up, and how it goes back to work."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any, NoReturn

import click

from app.cli import mall
from app.cli.context import in_app, json_option, say_json, say_table
from kernel import broker, outbox
from kernel.broker import DeadMessage
from kernel.db import read_only, write_transaction
from kernel.settings import get_settings

_MOST = 1_000


@mall.group("outbox")
def outbox_group() -> None:
    """News on its way: the backlog, dead letters, and their replay."""


@outbox_group.command("backlog")
@json_option
@in_app
def backlog_command(as_json: bool) -> None:
    """Rows that wait and rows that were given up, by lane; and the broker's queues."""
    with read_only():
        lanes = outbox.backlog()
    queues = _queues()
    if as_json:
        say_json({"lanes": lanes, "broker": queues})
        return
    say_table(
        ("lane", "state", "rows"),
        ((lane, state, n) for lane, states in lanes.items() for state, n in states.items()),
    )
    if queues is not None:
        say_table(
            ("lane", "messages", "dead", "consumers"),
            (
                (lane, queues["waiting"][lane], queues["dead"][lane], queues["consumers"][lane])
                for lane in queues["waiting"]
            ),
        )


def _queues() -> dict[str, Any] | None:
    if not get_settings().broker_url:
        return None
    try:
        return asdict(broker.overview())
    except broker.BROKER_ERRORS as error:
        _broker_away(error)


def _broker_away(error: BaseException) -> NoReturn:
    click.echo(f"消息队列没有应答：{error}", err=True)
    sys.exit(1)


@outbox_group.command("dead")
@click.option("--limit", default=100, type=click.IntRange(1, _MOST), help="At most so many.")
@json_option
@in_app
def dead_command(limit: int, as_json: bool) -> None:
    """Rows that were given up, and messages that the broker put aside."""
    with read_only():
        rows = outbox.dead_letters(limit=limit)
    messages = _settle(limit=limit)
    if as_json:
        say_json({"rows": [asdict(row) for row in rows], "messages": [asdict(m) for m in messages]})
        return
    say_table(
        ("row", "lane", "task", "payload", "tries", "last error"),
        ((r.id, r.lane, r.task, r.payload, r.attempts, r.last_error) for r in rows),
    )
    if messages:
        say_table(
            ("lane", "reason", "rows", "body"),
            ((m.lane, m.reason, m.ids or "-", m.body[:80]) for m in messages),
        )


@outbox_group.command("replay")
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="All rows, and the broker's dead messages.")
@click.option("--drop", is_flag=True, help="With --all: forget messages that name no row.")
@json_option
@in_app
def replay_command(ids: tuple[int, ...], everything: bool, drop: bool, as_json: bool) -> None:
    """Put dead letters back to work: rows by number, or all.

    A message that the broker put aside is replayed through its rows, and leaves the queue.
    """
    if bool(ids) == everything:
        raise click.UsageError("give row numbers, or --all")
    rows, messages = _replay_messages(drop=drop) if everything else (0, 0)
    if everything:
        with read_only():
            ids = tuple(row.id for row in outbox.dead_letters(limit=_MOST))
    with write_transaction():
        rows += outbox.replay(ids)
    answer = {"rows": rows, "messages": messages}
    say_json(answer) if as_json else click.echo(f"重新投递 {rows} 条，收回 {messages} 个消息")


def _replay_messages(*, drop: bool) -> tuple[int, int]:
    """The broker's dead messages: how many rows they gave back, and how many left the queue."""
    rows: list[int] = []

    def settle(message: DeadMessage) -> bool:
        if not message.ids and not drop:
            return False
        with write_transaction():
            rows.append(outbox.replay(message.ids))
        return True

    _settle(settle, limit=_MOST)
    return sum(rows), len(rows)


def _settle(*settled: Any, limit: int) -> list[DeadMessage]:
    if not get_settings().broker_url:
        return []
    try:
        return broker.settle_dead(*settled, limit=limit)
    except broker.BROKER_ERRORS as error:
        _broker_away(error)
