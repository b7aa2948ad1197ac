"""Post, reverse, sum and verify. Everything that moves money calls :func:`post`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Dialect, Table, bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from kernel import clock
from kernel.db import db, is_duplicate, run
from kernel.ledger.chart import Asset, is_account
from kernel.ledger.models import LedgerPosting, LedgerTransaction

_TRANSACTION = cast("Table", LedgerTransaction.__table__)
_POSTING = cast("Table", LedgerPosting.__table__)

# Statements of the hot path are made once: building one costs more than running it.
_INSERT = insert(_TRANSACTION).inline()
_INSERT_POSTINGS = insert(_POSTING)
_FIND_BY_KEY = select(_TRANSACTION.c.id, _TRANSACTION.c.input_hash).where(
    _TRANSACTION.c.key == bindparam("the_key")
)


class UnbalancedTransaction(ValueError):
    """Entries do not sum to zero in each asset, are empty, or name no account of the chart."""


class PostingConflict(ValueError):
    """The same key was posted with other entries."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``amount`` in the asset's smallest unit; debit is positive, credit negative."""

    account: str
    asset: Asset
    amount: int


def move(asset: Asset, amount: int, *, source: str, target: str) -> list[Entry]:
    """The pair of entries that takes ``amount`` from one account to another; none for 0."""
    if amount == 0:
        return []
    return [Entry(target, asset, amount), Entry(source, asset, -amount)]


def post(
    *,
    key: str,
    reason: str,
    entries: Iterable[Entry],
    order_id: str | None = None,
    origin_id: int | None = None,
) -> int:
    """Write one balanced transaction and return its id; the same ``key`` again returns the first.

    Entries of one account and asset are joined. ``order_id`` is a public id; ``origin_id`` names
    the transaction that this one corrects. Raises :class:`UnbalancedTransaction` and
    :class:`PostingConflict`; nothing is written then.
    """
    joined = _joined(entries)
    digest = _digest(reason, joined)
    db.session.flush()
    connection = db.session.connection()
    inserts = _inserts(connection.dialect)
    try:
        transaction_id = connection.exec_driver_sql(
            inserts.transaction,
            (key, digest, reason, order_id, origin_id, inserts.time(clock.now())),
        ).lastrowid
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        return _existing(key, digest)
    connection.exec_driver_sql(
        inserts.posting,
        [
            (transaction_id, line, entry.account, entry.asset.value, entry.amount)
            for line, entry in enumerate(joined)
        ],
    )
    return int(transaction_id)


class _Inserts(NamedTuple):
    """Both inserts as a driver takes them, columns in the order of the tables."""

    transaction: str
    posting: str
    time: Callable[[datetime], Any]


@lru_cache(maxsize=8)
def _inserts(dialect: Dialect) -> _Inserts:
    """Every checkout posts three times, and Core takes twice as long to bind rows."""
    given = [column.name for column in _TRANSACTION.columns if column.name != "id"]
    to_driver = _TRANSACTION.c.posted_at.type.bind_processor(dialect)
    if not dialect.positional:
        dialect = cast("Callable[..., Dialect]", type(dialect))(paramstyle="format")
    return _Inserts(
        str(_INSERT.compile(dialect=dialect, column_keys=given)),
        str(_INSERT_POSTINGS.compile(dialect=dialect)),
        to_driver or (lambda at: at),
    )


def _existing(key: str, digest: str) -> int:
    row = run(_FIND_BY_KEY, [{"the_key": key}]).one()
    if row.input_hash != digest:
        raise PostingConflict(f"ledger key {key!r} was posted with other entries")
    return int(row.id)


def _joined(entries: Iterable[Entry]) -> list[Entry]:
    sums: dict[tuple[str, Asset], int] = {}
    for entry in entries:
        if type(entry.amount) is not int:
            raise UnbalancedTransaction(f"{entry.account}: amounts are whole numbers")
        if not is_account(entry.asset, entry.account):
            raise UnbalancedTransaction(f"the chart has no {entry.asset} account {entry.account!r}")
        place = (entry.account, entry.asset)
        sums[place] = sums.get(place, 0) + entry.amount
    joined = [Entry(account, asset, amount) for (account, asset), amount in sums.items() if amount]
    if not joined:
        raise UnbalancedTransaction("a transaction moves something")
    totals: dict[Asset, int] = {}
    for entry in joined:
        totals[entry.asset] = totals.get(entry.asset, 0) + entry.amount
    if any(totals.values()):
        raise UnbalancedTransaction(f"entries do not sum to zero: {totals}")
    return joined


def _digest(reason: str, entries: Sequence[Entry]) -> str:
    canonical = [reason, sorted((e.account, e.asset.value, e.amount) for e in entries)]
    return hashlib.sha256(orjson.dumps(canonical)).hexdigest()


def reverse(*, transaction_id: int, key: str, reason: str) -> int:
    """Post the exact opposite of a transaction; history itself is never edited."""
    origin = db.session.execute(
        select(LedgerTransaction.order_id).where(LedgerTransaction.id == transaction_id)
    ).one()
    rows = db.session.execute(
        select(LedgerPosting.account, LedgerPosting.asset, LedgerPosting.amount_minor).where(
            LedgerPosting.transaction_id == transaction_id
        )
    )
    return post(
        key=key,
        reason=reason,
        entries=[Entry(r.account, Asset(r.asset), -r.amount_minor) for r in rows],
        order_id=origin.order_id,
        origin_id=transaction_id,
    )


def balance(account: str, asset: Asset) -> int:
    """Sum of all postings of one account."""
    return int(
        db.session.scalar(
            select(func.coalesce(func.sum(LedgerPosting.amount_minor), 0)).where(
                LedgerPosting.account == account, LedgerPosting.asset == asset.value
            )
        )
        or 0
    )


def balances(prefix: str = "", *, asset: Asset | None = None) -> dict[tuple[str, str], int]:
    """Balances by (account, asset) of all accounts whose name begins with ``prefix``."""
    statement = select(
        LedgerPosting.account, LedgerPosting.asset, func.sum(LedgerPosting.amount_minor)
    ).group_by(LedgerPosting.account, LedgerPosting.asset)
    if prefix:
        # A range, not LIKE, so that the index serves it on every database.
        statement = statement.where(
            LedgerPosting.account >= prefix, LedgerPosting.account < prefix + "\U0010ffff"
        )
    if asset:
        statement = statement.where(LedgerPosting.asset == asset.value)
    return {(account, name): int(total) for account, name, total in db.session.execute(statement)}


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One posting of an account with the transaction it is of."""

    key: str
    reason: str
    order_id: str | None
    amount_minor: int


def account_lines(account: str, asset: Asset) -> list[AccountLine]:
    """All postings of one account, oldest first."""
    rows = db.session.execute(
        select(
            LedgerTransaction.key,
            LedgerTransaction.reason,
            LedgerTransaction.order_id,
            LedgerPosting.amount_minor,
        )
        .join(LedgerPosting, LedgerPosting.transaction_id == LedgerTransaction.id)
        .where(LedgerPosting.account == account, LedgerPosting.asset == asset.value)
        .order_by(LedgerTransaction.id)
    )
    return [AccountLine(*row) for row in rows]


@dataclass(frozen=True)
class Verification:
    """``trial_balance`` by asset (all must be 0) and what was found wrong, in words."""

    transactions: int
    postings: int
    trial_balance: dict[str, int]
    faults: list[str]


def verify() -> Verification:
    """Recompute the books: each transaction balances by asset, and so does the whole."""
    trial = {
        asset: int(total)
        for asset, total in db.session.execute(
            select(LedgerPosting.asset, func.sum(LedgerPosting.amount_minor)).group_by(
                LedgerPosting.asset
            )
        )
    }
    faults = [f"trial balance of {asset} is {total}" for asset, total in trial.items() if total]
    unbalanced = db.session.execute(
        select(
            LedgerPosting.transaction_id,
            LedgerPosting.asset,
            func.sum(LedgerPosting.amount_minor).label("total"),
        )
        .group_by(LedgerPosting.transaction_id, LedgerPosting.asset)
        .having(func.sum(LedgerPosting.amount_minor) != 0)
        .limit(20)
    )
    faults += [f"transaction {r.transaction_id} is off by {r.total} {r.asset}" for r in unbalanced]
    empty = db.session.scalars(
        select(LedgerTransaction.id)
        .outerjoin(LedgerPosting, LedgerPosting.transaction_id == LedgerTransaction.id)
        .where(LedgerPosting.transaction_id.is_(None))
        .limit(20)
    )
    faults += [f"transaction {number} has no postings" for number in empty]
    transactions = db.session.scalar(select(func.count()).select_from(LedgerTransaction)) or 0
    postings = db.session.scalar(select(func.count()).select_from(LedgerPosting)) or 0
    return Verification(transactions, postings, trial, faults)
