"""Postings beside bare inserts of the same rows and commits."""

from __future__ import annotations

from itertools import count

from app.bench.bare import bare_lap, recording
from app.bench.figures import (
    Figure,
    Lap,
    Say,
    lap,
    median_rate,
    operations,
    rounds,
)
from app.bench.parts import Parts, bare_connection
from app.bench.scratch import Scratch, scratch_mall
from kernel.db import db, write_transaction
from kernel.ledger.chart import (
    Asset,
    enterprise_receivable,
    gateway_clearing,
    merchant_payable,
    platform_commission,
)
from kernel.ledger.services import Entry, post

_ACCOUNTS = 50


def measure_ledger(parts: Parts, *, seconds: float, say: Say) -> list[Figure]:
    """``posting_rate``: transactions of four postings, each committed."""
    with scratch_mall(parts) as mall, mall.app.app_context():
        say("ledger: postings, and bare inserts of the same rows")
        return [_posting_rate(mall, seconds)]


def _entries(number: int) -> list[Entry]:
    """A sale: an enterprise and a card owe, a merchant is owed, the platform earns."""
    amount = 10_000 + number
    return [
        Entry(enterprise_receivable(f"ent_{number % _ACCOUNTS}"), Asset.CNY, amount),
        Entry(gateway_clearing("sandbox"), Asset.CNY, 5_000),
        Entry(platform_commission(), Asset.CNY, -500),
        Entry(merchant_payable(f"mer_{number % _ACCOUNTS}"), Asset.CNY, -(amount + 4_500)),
    ]


def _posting_rate(mall: Scratch, seconds: float) -> Figure:
    numbers = count(1)

    def post_one() -> None:
        number = next(numbers)
        with write_transaction():
            post(
                key=f"sale:ord_{number:026}",
                reason="sale",
                order_id=f"ord_{number:026}",
                entries=_entries(number),
            )

    lap(post_one)  # warm
    ours: list[Lap] = []
    floor: list[Lap] = []
    with (
        mall.copy_database("bare") as copy,
        recording(db.engines[None]) as recorder,
        bare_connection(copy) as bare,
    ):
        for _ in range(rounds(seconds)):
            ours.append(lap(post_one))
            floor.append(bare_lap(recorder, bare, ours[-1].count))
    return Figure(
        f"posting_rate{mall.parts.suffix}",
        median_rate(ours),
        median_rate(floor),
        "transactions/s",
        operations(ours),
    )
