"""The auditors' read-only views, read as an auditor would: by SQL, beside the running mall."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, make_url, text


def _engine(database: str) -> Engine:
    """A connection that cannot write, closed after each look."""
    url = make_url(database)
    if url.get_backend_name() == "sqlite":
        url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
    return create_engine(url, poolclass=NullPool)


def rows(database: str, query: str, **values: Any) -> list[dict[str, Any]]:
    """``database`` is its address; parameters are named, ``:like_this``."""
    with _engine(database).connect() as connection:
        if connection.dialect.name != "sqlite":
            connection.execute(text("SET SESSION TRANSACTION READ ONLY"))
            connection.rollback()
        return [dict(row) for row in connection.execute(text(query), values).mappings()]


def postings(database: str, order_id: str) -> dict[tuple[str, str, str], int]:
    """``(reason, asset, account) → fen or points`` of everything that was posted for an order."""
    found: dict[tuple[str, str, str], int] = {}
    for row in rows(database, "SELECT * FROM v_ledger_postings WHERE order_id = :id", id=order_id):
        place = (row["reason"], row["asset"], row["account"])
        found[place] = found.get(place, 0) + row["amount_minor"]
    return found


def transactions(database: str, order_id: str) -> dict[str, int]:
    """How many transactions of each reason an order has."""
    query = """SELECT reason, COUNT(DISTINCT transaction_id) AS n FROM v_ledger_postings
               WHERE order_id = :id GROUP BY reason"""
    return {row["reason"]: row["n"] for row in rows(database, query, id=order_id)}


def balances(database: str) -> dict[tuple[str, str], int]:
    """``(account, asset) → balance``, without accounts that stand at zero."""
    found = rows(database, "SELECT * FROM v_ledger_balances WHERE balance_minor <> 0")
    return {(row["account"], row["asset"]): row["balance_minor"] for row in found}


def stock(database: str, offer_id: str) -> tuple[int, int, int]:
    """(on hand, held, sold)."""
    [row] = rows(database, "SELECT * FROM v_stock WHERE offer_id = :id", id=offer_id)
    return row["on_hand"], row["held"], row["sold"]


def orders(database: str) -> list[dict[str, Any]]:
    return rows(database, "SELECT * FROM v_orders")


def invoices(database: str, order_id: str) -> list[dict[str, Any]]:
    return rows(database, "SELECT * FROM v_invoices WHERE order_id = :id", id=order_id)


def check_books(database: str) -> None:
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
