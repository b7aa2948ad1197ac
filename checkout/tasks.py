"""What follows a paid order in the background."""

from __future__ import annotations

from sqlalchemy import select

from checkout.models import Order, OrderLine
from checkout.pricing import GOODS
from kernel.db import db, write_transaction
from kernel.tasks import task
from shop.services.catalogue import count_sales as add_up


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
