"""Several web processes behind one port are one mall: lists, sessions, and its queues."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.functional.running import Mall, wait_for
from tests.functional.shopper import EMPLOYEE, Client, body, problem

# New connections are spread over the processes: so many meet each of two for certain enough.
TIMES = 24

several = pytest.mark.skipif(
    not os.environ.get("MALL_REDIS_URL"),
    reason="NOT tested with several web processes: MALL_REDIS_URL is not set",
)


def _get(client: Client, path: str, **params: Any) -> requests.Response:
    """By a connection of its own."""
    return requests.get(
        f"{client.origin}/api/v1{path}",
        params=params,
        cookies=client.session.cookies.get_dict(),
        headers={"Connection": "close"},
        timeout=30,
    )


@several
def test_two_processes_serve(real_mall: Mall) -> None:
    master = real_mall.pid_of("web")
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    assert len(children) == 2


@several
def test_any_process_goes_on_with_a_list(real_mall: Mall) -> None:
    with Client(real_mall.origin, EMPLOYEE) as client:
        first = body(_get(client, "/search", q="毛巾 床品", limit=3))
        assert first["next_cursor"]
        cursor = first["next_cursor"]
        pages = [
            [item["product_id"] for item in body(page)["items"]]
            for page in (
                _get(client, "/search", q="毛巾 床品", limit=3, cursor=cursor) for _ in range(TIMES)
            )
        ]
    assert pages == [pages[0]] * TIMES
    assert not set(pages[0]) & {item["product_id"] for item in first["items"]}


@several
def test_signing_out_is_known_to_all_at_once(real_mall: Mall) -> None:
    with Client(real_mall.origin, EMPLOYEE) as client:
        assert {_get(client, "/me").status_code for _ in range(TIMES)} == {200}
        cookies = client.session.cookies.get_dict()
        assert client.post("/auth/logout").status_code == 204
        client.session.cookies.update(cookies)
        for _ in range(TIMES):
            problem(_get(client, "/me"), 401, "not_signed_in")


@several
def test_a_killed_process_is_replaced(real_mall: Mall) -> None:
    master = real_mall.pid_of("web")
    children = Path(f"/proc/{master}/task/{master}/children")
    before = children.read_text().split()
    os.kill(int(before[0]), 9)
    wait_for(
        "another process",
        lambda: len(now := children.read_text().split()) == 2 and before[0] not in now,
    )
    wait_for("the mall is whole", real_mall.is_ready)
    assert real_mall.pid_of("web") == master


def test_the_backlog_and_dead_letters_are_shown(real_mall: Mall) -> None:
    backlog = real_mall.cli("outbox", "backlog", "--json")
    assert backlog.code == 0, backlog.err
    queues = backlog.json["broker"]
    if os.environ.get("MALL_BROKER_URL"):
        assert queues["consumers"] == {"money": 1, "index": 1, "feed": 1, "notify": 1}
    else:
        assert queues is None
    dead = real_mall.cli("outbox", "dead", "--json")
    assert (dead.code, dead.json) == (0, {"rows": [], "messages": []})
    again = real_mall.cli("outbox", "replay", "--all", "--json")
    assert (again.code, again.json) == (0, {"rows": 0, "messages": 0})
    assert real_mall.cli("outbox", "replay").code == 2
    assert real_mall.cli("outbox", "replay", "1", "--all").code == 2
