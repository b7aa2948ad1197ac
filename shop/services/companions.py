"""What is bought together: pairs of products of one paid order.

The pairs live in shop, because checkout tells of them and search shows them, and of those two
rooms neither imports the other: only a room below both can keep what they share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations

from sqlalchemy import bindparam, case, delete, insert, select, update

from kernel import clock
from kernel.db import changed_rows, db, insert_once, run
from shop.models import BoughtTogether, CountedOrder, Product

# Pairs grow with the square of what is in an order; the rest of a longer one is left out.
MAX_PRODUCTS = 20
MAX_COMPANIONS = 50
# A pair is shown once this many orders had it, of two people at least: otherwise it would tell
# what a single person has bought.
MIN_ORDERS = 2


# News of an order comes again within days, if at all.
KEPT = timedelta(days=90)

# Statements that are run for every pair are made once: building one costs more than running it.
_ADD = (
    update(BoughtTogether)
    .where(
        BoughtTogether.product_id == bindparam("the_product"),
        BoughtTogether.companion_id == bindparam("the_companion"),
    )
    .values(
        orders=BoughtTogether.orders + bindparam("more"),
        only_buyer_id=case(
            (
                BoughtTogether.only_buyer_id == bindparam("the_buyer"),
                BoughtTogether.only_buyer_id,
            ),
            else_=None,
        ),
    )
)
_BEGIN = insert(BoughtTogether)
_COUNT_ORDER = insert(CountedOrder)
_COMPANIONS = (
    select(BoughtTogether.companion_id)
    .where(
        BoughtTogether.product_id == bindparam("the_product"),
        BoughtTogether.only_buyer_id.is_(None),
        BoughtTogether.orders >= MIN_ORDERS,
    )
    .order_by(BoughtTogether.orders.desc(), BoughtTogether.companion_id)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Basket:
    """The products (public ids, in the order of the lines) that a person bought in one order."""

    order_id: str
    person_id: int
    product_ids: tuple[str, ...]


@dataclass(slots=True)
class _Pair:
    orders: int = 0
    buyers: set[int] = field(default_factory=set)

    @property
    def only_buyer(self) -> int | None:
        return next(iter(self.buyers)) if len(self.buyers) == 1 else None


def count_baskets(baskets: Iterable[Basket]) -> int:
    """Add the pairs of each basket, once for each order however often it is told of.

    Of a basket the first :data:`MAX_PRODUCTS` different products count; one with a single product
    says nothing. Returns how many orders were new.
    """
    fresh = [basket for basket in baskets if _is_new(basket)]
    ids = _internal_ids({public for basket in fresh for public in _counted(basket)})
    pairs: dict[tuple[int, int], _Pair] = defaultdict(_Pair)
    for basket in fresh:
        known = [ids[public] for public in _counted(basket) if public in ids]
        for both in permutations(known, 2):
            pairs[both].orders += 1
            pairs[both].buyers.add(basket.person_id)
    # Rows are locked in the order of their keys, whoever else is counting.
    for (product_id, companion_id), pair in sorted(pairs.items()):
        _add(product_id, companion_id, pair)
    return len(fresh)


def purge_counted_orders(*, limit: int = 5000) -> int:
    """Forget which orders were counted long ago; their pairs stay. The caller commits."""
    ids = db.session.scalars(
        select(CountedOrder.order_id)
        .where(CountedOrder.counted_at < clock.now() - KEPT)
        .limit(limit)
    ).all()
    if ids:
        run(delete(CountedOrder).where(CountedOrder.order_id.in_(ids)))
    return len(ids)


def _counted(basket: Basket) -> list[str]:
    return list(dict.fromkeys(basket.product_ids))[:MAX_PRODUCTS]


def _is_new(basket: Basket) -> bool:
    if len(_counted(basket)) < 2:
        return False
    return insert_once(_COUNT_ORDER, {"order_id": basket.order_id, "counted_at": clock.now()})


def _internal_ids(public_ids: Iterable[str]) -> dict[str, int]:
    rows = db.session.execute(
        select(Product.public_id, Product.id).where(Product.public_id.in_(sorted(public_ids)))
    )
    return dict(rows.tuples().all())


def _add(product_id: int, companion_id: int, pair: _Pair) -> None:
    added = {
        "the_product": product_id,
        "the_companion": companion_id,
        "the_buyer": pair.only_buyer,
        "more": pair.orders,
    }
    first = {
        "product_id": product_id,
        "companion_id": companion_id,
        "orders": pair.orders,
        "only_buyer_id": pair.only_buyer,
    }
    if not changed_rows(_ADD, [added]) and not insert_once(_BEGIN, first):
        # Another transaction was the first to meet this pair, a moment ago.
        run(_ADD, [added])


def companions_of(*, product_id: int, limit: int = MAX_COMPANIONS) -> Sequence[int]:
    """Ids of what was most often bought together with a product, the most frequent first.

    At most :data:`MAX_COMPANIONS`, and nothing that only one person bought. Whether they are for
    sale, and to whom, is not asked here.
    """
    most = min(limit, MAX_COMPANIONS)
    rows = run(_COMPANIONS, [{"the_product": product_id, "most": most}])
    return list(rows.scalars())
