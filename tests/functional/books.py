"""The auditors' read-only views, read as an auditor would: by SQL, beside the running mall."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def auditor(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def rows(database: Path, query: str, *values: Any) -> list[dict[str, Any]]:
    with auditor(database) as connection:
        return [dict(row) for row in connection.execute(query, values)]


def postings(database: Path, order_id: str) -> dict[tuple[str, str, str], int]:
    """``(reason, asset, account) → fen or points`` of everything that was posted for an order."""
    found: dict[tuple[str, str, str], int] = {}
    for row in rows(database, "SELECT * FROM v_ledger_postings WHERE order_id = ?", order_id):
        place = (row["reason"], row["asset"], row["account"])
        found[place] = found.get(place, 0) + row["amount_minor"]
    return found


def transactions(database: Path, order_id: str) -> dict[str, int]:
    """How many transactions of each reason an order has."""
    query = """SELECT reason, COUNT(DISTINCT transaction_id) AS n FROM v_ledger_postings
               WHERE order_id = ? GROUP BY reason"""
    return {row["reason"]: row["n"] for row in rows(database, query, order_id)}


def balances(database: Path) -> dict[tuple[str, str], int]:
    """``(account, asset) → balance``, without accounts that stand at zero."""
    found = rows(database, "SELECT * FROM v_ledger_balances WHERE balance_minor <> 0")
    return {(row["account"], row["asset"]): row["balance_minor"] for row in found}


def stock(database: Path, offer_id: str) -> tuple[int, int, int]:
    """(on hand, held, sold)."""
    [row] = rows(database, "SELECT * FROM v_stock WHERE offer_id = ?", offer_id)
    return row["on_hand"], row["held"], row["sold"]


def orders(database: Path) -> list[dict[str, Any]]:
    return rows(database, "SELECT * FROM v_orders")


def invoices(database: Path, order_id: str) -> list[dict[str, Any]]:
    return rows(database, "SELECT * FROM v_invoices WHERE order_id = ?", order_id)


def check_books(database: Path) -> None:
    """Every transaction balances by asset, and so do all balances; nothing is oversold.

    It says the same as ``mall ledger verify`` says of the ledger, but from outside.
    """
    uneven = """SELECT transaction_id, asset, SUM(amount_minor) AS rest FROM v_ledger_postings
                GROUP BY transaction_id, asset HAVING rest <> 0"""
    assert rows(database, uneven) == []
    trial = "SELECT asset, SUM(balance_minor) AS rest FROM v_ledger_balances GROUP BY asset"
    assert {row["asset"]: row["rest"] for row in rows(database, trial)}.items() <= {
        "CREDIT": 0,
        "POINT": 0,
        "CNY": 0,
    }.items()
    assert rows(database, "SELECT * FROM v_stock WHERE held < 0 OR on_hand < held") == []
    assert (
        rows(
            database,
            """SELECT * FROM v_orders
           WHERE payable_minor <> credit_minor + points_minor + cash_minor""",
        )
        == []
    )
