"""The newest goods of a category, by an index of the database: what can be had without search."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, union_all

from kernel.db import db
from shop.models import Product
from shop.services.categories import category_tree

_LIVE = "live"


def newest_products(*, categories: Iterable[int] | None, limit: int) -> list[int]:
    """Ids of live products in any of the categories or below, the newest first.

    ``None`` means all categories. Rows of one category and state lie in an index in the order of
    their ids: each leaf is a part of its own that stops after ``limit`` entries.
    """
    newest = select(Product.id).where(Product.state == _LIVE).order_by(Product.id.desc())
    if categories is None:
        return list(db.session.scalars(newest.limit(limit)))
    tree, chosen = category_tree(), frozenset(categories)
    leaves = [
        newest.where(Product.category_id == node.id).limit(limit).subquery()
        for node in tree.nodes
        if chosen & tree.with_ancestors(node.id)
    ]
    if not leaves:
        return []
    found = db.session.scalars(union_all(*(select(leaf.c.id) for leaf in leaves)))
    return sorted(found, reverse=True)[:limit]
