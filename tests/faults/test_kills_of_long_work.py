"""An import and a rebuild of the index are killed in the middle: each goes on where it was."""

from __future__ import annotations

import csv
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from kernel.faults import FAULT_EXIT
from merchants.feeds.generator import write_feed
from tests.functional import books
from tests.functional.parts import on_servers
from tests.functional.running import Mall, mall_process, wait_for
from tests.functional.shopper import EMPLOYEE, Client, body

# More products than one batch of a rebuild, and on a quick server enough to be met half-way.
ROWS = 20_000 if on_servers() else 4_000
SEED = 7


@dataclass(frozen=True)
class Feed:
    path: Path
    titles: list[str]

    @property
    def command(self) -> tuple[str, ...]:
        return ("feed", "import", "--merchant", "south", str(self.path), "--json")


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    path = tmp_path / "feed.csv"
    write_feed(path, ROWS, SEED)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return Feed(path, [row["商品名称"] for row in csv.DictReader(file)])


def _offers(mall: Mall) -> int:
    [row] = books.rows(mall.database, "SELECT COUNT(*) AS n FROM v_stock")
    return int(row["n"])


def _search(mall: Mall) -> dict[str, Any]:
    """The search part of ``/readyz``."""
    with Client(mall.origin) as nobody:
        found: dict[str, Any] = body(nobody.get("/readyz"))["parts"]["search"]
    return found


def test_import_and_rebuild_killed_in_the_middle(mall: Mall, feed: Feed) -> None:
    before = _offers(mall)
    # The importing process ends after its third batch.
    cut = mall.cli(*feed.command, MALL_FAULT="feed_import_after_batch:3")
    assert cut.code == FAULT_EXIT
    at_fault = _offers(mall) - before
    assert 0 < at_fault < ROWS
    books.check_books(mall.database)

    # Beside a running mall it goes on, and is killed once more together with the worker.
    mall.start()
    with mall_process(mall.folder, *feed.command) as importing:
        wait_for("some more rows", lambda: _offers(mall) - before > at_fault, seconds=60)
        os.kill(importing.pid, signal.SIGKILL)
        mall.kill("worker")
        assert importing.wait(10) == -signal.SIGKILL
    at_kill = _offers(mall) - before
    assert at_fault < at_kill < ROWS
    books.check_books(mall.database)
    assert mall.is_ready() or wait_for("the mall is whole", mall.is_ready)

    # The last try has all of it, each row once, and it can be found when the command returns.
    done = mall.cli(*feed.command)
    assert done.code == 0, done.err
    assert done.json["resumed_from"] >= at_kill
    assert (done.json["new"], done.json["changed"], done.json["bad"]) == (ROWS, 0, 0)
    assert _offers(mall) - before == ROWS
    with Client(mall.origin, EMPLOYEE) as client:
        for title in (feed.titles[0], feed.titles[at_kill], feed.titles[-1]):
            assert title in [item["title"] for item in client.find(title)]
        _kill_a_rebuild(mall, client, feed.titles[-1])
    again = mall.cli(*feed.command)
    assert (again.json["new"], again.json["changed"], again.json["unchanged"]) == (0, 0, ROWS)
    done = mall.cli("ledger", "verify", "--json")
    assert (done.code, done.json["faults"]) == (0, [])
    assert mall.stop() == 0
    _cut_a_rebuild(mall, feed.titles[-1])


def _kill_a_rebuild(mall: Mall, client: Client, title: str) -> None:
    """``kill -9`` of whoever rebuilds: it is gone on with, and search answers all the time.

    Embedded that is the worker, which holds the index, and another worker goes on by itself. On a
    server it is the command line, and the next one goes on.
    """
    was = _search(mall)
    with mall_process(mall.folder, "search", "rebuild", "--json") as rebuilding:
        wait_for("a rebuild is under way", lambda: _search(mall)["rebuilding"], seconds=60)
        assert _search(mall)["generation"] == was["generation"]
        if on_servers():
            rebuilding.kill()
        else:
            mall.kill("worker")
        said = _finish(rebuilding, client, title)
    if on_servers():
        assert rebuilding.returncode == -signal.SIGKILL
        assert title in [item["title"] for item in client.find(title)]
        with mall_process(mall.folder, "search", "rebuild", "--json") as again:
            said = _finish(again, client, title)
    report = json.loads(said[said.index("{") :])
    now = _search(mall)
    assert (report["by_worker"], report["generation"]) == (not on_servers(), now["generation"])
    assert now["generation"] != was["generation"]
    assert (now["documents"], now["rebuilding"]) == (was["documents"], False)


def _finish(rebuilding: Popen[str], client: Client, title: str) -> str:
    """Search until a rebuild has ended; what it said."""
    while rebuilding.poll() is None:
        assert title in [item["title"] for item in client.find(title)]
    assert rebuilding.stdout is not None
    return rebuilding.stdout.read()


def _cut_a_rebuild(mall: Mall, title: str) -> None:
    """Without a worker the command line rebuilds: cut off after a batch, and before the swap."""
    query = ("search", "query", title, "--json")
    for fault in ("search_rebuild_after_batch", "search_rebuild_before_swap"):
        assert mall.cli("search", "rebuild", MALL_FAULT=fault).code == FAULT_EXIT
        # The old index still answers.
        assert title in [item["title"] for item in mall.cli(*query).json["items"]]
    done = mall.cli("search", "rebuild", "--json")
    assert (done.code, done.json["by_worker"]) == (0, False)
    found = mall.cli(*query).json
    assert title in [item["title"] for item in found["items"]]
