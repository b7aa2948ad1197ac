"""The contract of the command line: what each ``mall`` command says, and its exit code.

A command costs seconds of loading, so those that only read run side by side.
"""

from __future__ import annotations

import csv
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernel.faults import POINTS
from tests.functional import books
from tests.functional.parts import database_of
from tests.functional.running import Ended, Mall, fresh_world, mall_cli
from tests.functional.shapes import ID, NAMED, TIME, WHOLE, Text, check
from tests.functional.shopper import EMPLOYEE, GATEWAY_KEY, Client, body, new_key

AT_ONCE = 3
COLUMNS = ["id", "type", "source", "amount", "fee", "currency", "created", "order_id", "refund_id"]

READING: dict[str, tuple[str, ...]] = {
    "settings": ("settings", "--json"),
    "doctor": ("doctor", "--json"),
    "faults": ("faults", "--json"),
    "verify": ("ledger", "verify"),
    "balances": ("ledger", "balances", "--json"),
    "audit": ("audit", "verify", "--json"),
    "query": ("search", "query", "蚕丝被", "--as", EMPLOYEE, "--size", "3", "--json"),
    "no command": ("nonsense",),
    "no option": ("reconcile",),
    "no span": ("clock", "advance", "30x"),
    "no order": ("invoice", "export", "ord_none", "--format", "xml", "--out", "/dev/null"),
}


def _all_at_once(folder: Path, commands: dict[str, tuple[str, ...]]) -> dict[str, Ended]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = pool.map(lambda command: mall_cli(folder, *command), commands.values())
        return dict(zip(commands, ended, strict=True))


# Beside a running mall ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def traded(real_mall: Mall) -> Iterator[dict[str, Any]]:
    """An order that a card paid in part, and of which one piece was given back."""
    with Client(real_mall.origin, EMPLOYEE) as client:
        found = client.find("毛巾", sort="price_asc", in_stock="true")[0]
        offer = client.offer_of(found["product_id"])
        quote = client.quote({offer["offer_id"]: 2}, credit_minor=0)
        placed = body(client.place(quote["quote_id"], key=new_key()), 201)
        client.pay(placed["payment"])
        order = client.wait_for_state(placed["order_id"], "paid")
        item = {"line_id": order["lines"][0]["line_id"], "quantity": 1}
        asked = {"items": [item], "kind": "refund", "reason": ""}
        path = f"/orders/{order['order_id']}/after-sales"
        refund = body(client.post(path, asked, key=new_key()), 201)
        assert refund["state"] == "done"
        yield {"order": order, "refund": refund}


@pytest.fixture(scope="module")
def said(real_mall: Mall, traded: dict[str, Any]) -> dict[str, Ended]:
    return _all_at_once(real_mall.folder, READING)


def test_exit_codes(said: dict[str, Ended]) -> None:
    """0 done, 1 the check failed or some input was refused, 2 wrong use."""
    assert {name: ended.code for name, ended in said.items()} == {
        "settings": 0,
        "doctor": 0,
        "faults": 0,
        "verify": 0,
        "balances": 0,
        "audit": 0,
        "query": 0,
        "no command": 2,
        "no option": 2,
        "no span": 2,
        "no order": 1,
    }


def test_settings(said: dict[str, Ended]) -> None:
    settings = said["settings"].json
    assert settings.keys() >= {
        "MALL_ENV", "MALL_DATA_DIR", "MALL_DATABASE_URL", "MALL_SEARCH_URL", "MALL_REDIS_URL",
        "MALL_BROKER_URL", "MALL_GATEWAY", "MALL_GATEWAY_URL", "MALL_GATEWAY_API_KEY",
        "MALL_GATEWAY_WEBHOOK_SECRETS", "MALL_SECRET_KEY", "MALL_PII_KEYS", "MALL_DEMO_PASSWORD",
        "MALL_NOW_OFFSET", "MALL_FAULT",
    }  # fmt: skip
    check(settings["MALL_ENV"], {"value": str, "help": str})


def test_doctor_finds_every_part_of_the_running_mall(said: dict[str, Ended]) -> None:
    """Also the gateway, which got a free port that no setting names."""
    parts = said["doctor"].json["parts"]
    assert {name: part["ready"] for name, part in parts.items()} == {
        "database": True,
        "search": True,
        "cache": True,
        "broker": True,
        "worker": True,
        "gateway": True,
    }
    check(parts["database"], {"version": str, "latency_ms": float, "schema_current": bool})
    check(parts["search"], {"in_step": bool, "documents": WHOLE})


def test_faults(said: dict[str, Ended]) -> None:
    assert said["faults"].json == POINTS


def test_balances_are_the_views(real_mall: Mall, said: dict[str, Ended]) -> None:
    listed = said["balances"].json["balances"]
    check(listed, [{"account": str, "asset": str, "balance_minor": WHOLE}])
    found = {(x["account"], x["asset"]): x["balance_minor"] for x in listed}
    assert {place: amount for place, amount in found.items() if amount} == books.balances(
        real_mall.database
    )


def test_audit_log_is_whole(said: dict[str, Ended]) -> None:
    assert said["audit"].json == {"ok": True, "fault": None}


def test_search_query(said: dict[str, Ended]) -> None:
    answer = said["query"].json
    item = {"product_id": ID, "title": str, "price_minor": WHOLE, "merchants": [NAMED]}
    check(answer, {"total": WHOLE, "took_ms": float, "items": [item], "facets": dict})
    assert len(answer["items"]) == 3 <= answer["total"]
    assert "蚕丝" in answer["items"][0]["title"]


# Reconciliation -----------------------------------------------------------------------------------
def _gateway_file(mall: Mall, path: Path) -> list[dict[str, str]]:
    """The gateway's balance as a file, by what its API says."""
    with Client(mall.origin) as program:
        program.session.headers["Authorization"] = f"Bearer {GATEWAY_KEY}"

        def listed(kind: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            after: dict[str, str] = {}
            while True:
                page = body(program.get(f"/gateway/v1/{kind}", limit=100, **after))
                found += page["data"]
                if not page["has_more"]:
                    return found
                after = {"starting_after": page["data"][-1]["id"]}

        about = {x["id"]: x["metadata"] for kind in ("charges", "refunds") for x in listed(kind)}
        lines = [
            {name: str(line[name]) for name in COLUMNS if name in line}
            | {
                "order_id": about[line["source"]].get("order_id", ""),
                "refund_id": about[line["source"]].get("refund_id", ""),
            }
            for line in listed("balance_transactions")
        ]
    _write(path, lines)
    return lines


def _write(path: Path, lines: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)


def test_reconcile(real_mall: Mall, traded: dict[str, Any], tmp_path: Path) -> None:
    """In step with the gateway; one fen off, one line gone, one line too many: each is told."""
    lines = _gateway_file(real_mall, tmp_path / "true.csv")
    order_id, refund_id = traded["order"]["order_id"], traded["refund"]["refund_id"]
    off = [dict(line) for line in lines]
    [charge] = [x for x in off if x["order_id"] == order_id and x["type"] == "charge"]
    charge["amount"] = str(int(charge["amount"]) + 1)
    off = [line for line in off if line["refund_id"] != refund_id]
    off.append(charge | {"id": "txn_x", "order_id": "ord_x", "amount": "500"})
    _write(tmp_path / "off.csv", off)
    (tmp_path / "bad.csv").write_text("id,type\n1,charge\n", encoding="utf-8")
    ended = _all_at_once(
        real_mall.folder,
        {
            name: ("reconcile", "--gateway-file", str(tmp_path / f"{name}.csv"), *form)
            for name, form in (("true", ()), ("off", ("--json",)), ("bad", ()))
        },
    )
    assert (ended["true"].code, ended["true"].out) == (0, "")
    assert ended["off"].code == 1
    cash, back = traded["order"]["cash_minor"], traded["refund"]["tenders"]["cash_minor"]
    assert ended["off"].json["differences"] == [
        _difference("missing_here", "charge", "ord_x", None, 500),
        _difference("amount_differs", "charge", order_id, cash, cash + 1),
        _difference("missing_there", "refund", refund_id, -back, None),
    ] or ended["off"].json["differences"] == [
        _difference("amount_differs", "charge", order_id, cash, cash + 1),
        _difference("missing_here", "charge", "ord_x", None, 500),
        _difference("missing_there", "refund", refund_id, -back, None),
    ]
    assert ended["bad"].code == 1
    assert "gateway_file_refused" in ended["bad"].err


def _difference(
    kind: str, movement: str, name: str, here: int | None, there: int | None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "movement": movement,
        "name": name,
        "here_minor": here,
        "there_minor": there,
    }


# On a world of its own ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh_world(tmp_path_factory.mktemp("commands") / "var")


def test_seed_is_made_once(world: Path) -> None:
    before = books.balances(database_of(world))
    done = mall_cli(world, "seed", "--json")
    assert (done.code, done.json["seeded"]) == (0, False)
    assert books.balances(database_of(world)) == before


def test_doctor_says_what_does_not_run(world: Path) -> None:
    done = mall_cli(world, "doctor", "--json")
    assert done.code == 1
    ready = {name: part["ready"] for name, part in done.json["parts"].items()}
    assert ready == {
        "database": True,
        "search": True,
        "cache": True,
        "broker": True,
        "worker": False,
        "gateway": False,
    }


@pytest.mark.sqlite_only("backs a file up")
def test_catalogue_is_generated_imported_and_put_back(world: Path, tmp_path: Path) -> None:
    """``backup``, ``catalogue generate``, ``feed import`` with and without ``--dry-run``,
    ``search query``, ``restore``: what was imported after the backup is gone after it."""
    feed, again, copy = tmp_path / "feed.csv", tmp_path / "again.csv", tmp_path / "copy.db"
    generate = ("catalogue", "generate", "--items", "300", "--json", "--out")
    _imported = ("feed", "import", "--merchant", "south", str(feed), "--json")
    ended = _all_at_once(
        world,
        {
            "one": (*generate, str(feed)),
            "two": (*generate, str(again)),
            "backup": ("backup", str(copy)),
        },
    )
    assert {name: done.code for name, done in ended.items()} == dict.fromkeys(ended, 0), ended
    assert feed.read_bytes() == again.read_bytes()
    with feed.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300

    offers = len(books.rows(database_of(world), "SELECT * FROM v_stock"))
    dry = mall_cli(world, *_imported, "--dry-run")
    assert (dry.code, dry.json["new"], dry.json["bad"]) == (0, 300, 0)
    assert len(books.rows(database_of(world), "SELECT * FROM v_stock")) == offers
    done = mall_cli(world, *_imported)
    assert (done.code, done.json["new"], done.json["bad"]) == (0, 300, 0)
    assert len(books.rows(database_of(world), "SELECT * FROM v_stock")) == offers + 300
    title = rows[0]["商品名称"]
    found = mall_cli(world, "search", "query", title, "--json").json
    assert title in [item["title"] for item in found["items"]]

    assert mall_cli(world, "restore", str(copy)).code == 0
    assert len(books.rows(database_of(world), "SELECT * FROM v_stock")) == offers
    found = mall_cli(world, "search", "query", title, "--json").json
    assert title not in [item["title"] for item in found["items"]]


@pytest.mark.sqlite_only("restore puts a file back")
def test_restore_is_refused_beside_a_running_mall(real_mall: Mall, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert real_mall.cli("backup", str(copy)).code == 0
    before = (real_mall.folder / "mall.db").stat().st_ino
    refused = real_mall.cli("restore", str(copy))
    assert refused.code == 1
    assert "正在运行" in refused.err
    assert (real_mall.folder / "mall.db").stat().st_ino == before


def test_clock_is_moved_and_jobs_run(world: Path) -> None:
    """Credit lapses when its day is over, and goes where its pot says: back to the budget."""
    before = books.balances(database_of(world))
    moved = mall_cli(world, "clock", "advance", "30d", "--json")
    assert moved.code == 0
    check(moved.json, {"now": TIME, "offset_seconds": WHOLE})
    assert moved.json["offset_seconds"] == 30 * 86_400
    done = mall_cli(world, "clock", "run-due", "--json")
    assert done.code == 0
    check(done.json["jobs"], {"checkout.sweep_unpaid": WHOLE, "enterprises.expire_credit": WHOLE})
    after = books.balances(database_of(world))
    # The festival pot of both of Alpha's employees, ¥400 each; nothing else is due by then.
    changed = {p: after.get(p, 0) - before.get(p, 0) for p in before.keys() | after.keys()}
    changed = {place: amount for place, amount in changed.items() if amount}
    assert sorted(changed.values()) == [-40_000, -40_000, 80_000]
    [budget] = [account for (account, _), amount in changed.items() if amount > 0]
    assert budget.startswith("budget/")
    assert budget.endswith("/open")
    books.check_books(database_of(world))


@pytest.mark.sqlite_only(
    "tampers with a copy of the file; the same on a server: test_audit, test_ledger"
)
def test_tampering_is_found(world: Path, tmp_path: Path) -> None:
    """History refuses an edit; where the triggers were dropped first, the checks find it."""
    folder = tmp_path / "var"
    folder.mkdir()
    shutil.copy(world / "mall.db", folder / "mall.db")
    with closing(sqlite3.connect(folder / "mall.db")) as connection:
        for statement in (
            "UPDATE ledger_posting SET amount_minor = amount_minor + 1",
            "DELETE FROM ledger_transaction",
            "UPDATE audit_entry SET actor = 'nobody'",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        connection.rollback()
        for table in ("ledger_posting", "audit_entry"):
            connection.execute(f"DROP TRIGGER {table}_no_update")
        connection.execute(
            "UPDATE ledger_posting SET amount_minor = amount_minor + 1 WHERE rowid = 3"
        )
        connection.execute("UPDATE audit_entry SET actor = 'nobody' WHERE number = 1")
        connection.commit()
    ended = _all_at_once(
        folder,
        {"ledger": ("ledger", "verify", "--json"), "audit": ("audit", "verify", "--json")},
    )
    assert ended["ledger"].code == ended["audit"].code == 1
    check(ended["ledger"].json, {"ok": bool, "faults": [str]})
    assert any("off by 1" in fault for fault in ended["ledger"].json["faults"])
    check(ended["audit"].json, {"ok": bool, "fault": Text(r"row 1 .*")})


def test_production_does_not_start_on_the_demos_secrets(tmp_path: Path) -> None:
    done = mall_cli(tmp_path, "doctor", MALL_ENV="production")
    assert done.code == 2
    assert "MALL_SECRET_KEY" in done.err
    assert "demo-secret-key" not in done.err
