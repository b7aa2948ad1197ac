"""Who hears what: outbox events of one room wired to the tasks of another."""

from __future__ import annotations

from datetime import timedelta

import search.tasks
from checkout.services.payments import sweep_unpaid
from checkout.services.quotes import purge_quotes
from checkout.tasks import count_companions, count_sales
from enterprises.services.budgets import expire_credit
from kernel import idempotency, outbox
from kernel.auth.services import purge_sessions
from kernel.db import write_transaction
from kernel.outbox import listen
from kernel.schedule import job
from points.services.holds import expire_points
from search.query_counts import purge_counts
from shop.services.companions import purge_counted_orders

__all__ = ["count_companions", "count_sales", "search", "wire_events"]

LISTENERS: dict[str, tuple[str, ...]] = {
    "shop.products_changed": ("search.index_products",),
    "shop.seller_changed": ("search.index_seller",),
    "search.rebuild_wanted": ("search.rebuild",),
    "search.rebuild_goes_on": ("search.rebuild_step",),
    "checkout.order_paid": ("checkout.count_sales", "checkout.count_companions"),
}

job("checkout.sweep_unpaid", every=timedelta(seconds=5))(sweep_unpaid)
job("enterprises.expire_credit", every=timedelta(minutes=5))(expire_credit)
job("points.expire_points", every=timedelta(minutes=5))(expire_points)


@job("kernel.purge", every=timedelta(hours=1))
def purge() -> int:
    """Forget delivered news, old answers, finished sessions, unused quotes, old counts of
    queries and which orders were counted long ago, in batches."""
    with write_transaction():
        done = outbox.purge(older_than=timedelta(days=7))
    with write_transaction():
        done += idempotency.purge()
    with write_transaction():
        done += purge_sessions()
    with write_transaction():
        done += purge_quotes()
    with write_transaction():
        done += purge_counts()
    with write_transaction():
        done += purge_counted_orders()
    return done


def wire_events() -> None:
    """Called once for each application; wiring twice changes nothing."""
    for event, names in LISTENERS.items():
        for name in names:
            listen(event, name)
