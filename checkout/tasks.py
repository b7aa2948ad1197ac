"""What follows a paid order in the background."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from checkout.models import Order, OrderLine
from checkout.pricing import GOODS
from kernel.db import db, write_transaction
from kernel.tasks import task
from shop.services.catalogue import count_sales as add_up
from shop.services.companions import Basket, count_baskets

# Orders whose pairs are counted in one commit: nobody waits for the writer longer than that.
_BASKETS = 10


@task("checkout.count_sales", lane="notify", merges="order_ids")
def count_sales(order_ids: list[str]) -> None:
    """Listens to ``checkout.order_paid``: sales counts of products, off the hot path and in
    batches (rule 32)."""
    with write_transaction():
        products = db.session.scalars(
            select(OrderLine.product_id)
            .join(Order, Order.id == OrderLine.order_id)
            .where(Order.public_id.in_(order_ids), OrderLine.kind == GOODS)
            .distinct()
        ).all()
        add_up(product_ids=products)


@task("checkout.count_companions", lane="notify", merges="order_ids")
def count_companions(order_ids: list[str]) -> None:
    """Listens to ``checkout.order_paid``: what was bought together. What is given back later
    was wanted together all the same."""
    for start in range(0, len(order_ids), _BASKETS):
        with write_transaction():
            count_baskets(_baskets(order_ids[start : start + _BASKETS]))


def _baskets(order_ids: Sequence[str]) -> list[Basket]:
    lines = db.session.execute(
        select(Order.public_id, Order.person_id, OrderLine.product_id)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(Order.public_id.in_(order_ids), OrderLine.kind == GOODS)
        .order_by(Order.id, OrderLine.number)
    )
    found: dict[tuple[str, int], list[str]] = {}
    for order_id, person_id, product_id in lines:
        found.setdefault((order_id, person_id), []).append(product_id)
    return [Basket(*order, tuple(products)) for order, products in found.items()]
