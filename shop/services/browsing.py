"""The newest goods of a category, by an index of the database: what can be had without search."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BindParameter, bindparam, select

from kernel.db import run
from shop.models import Product
from shop.services.categories import category_tree

_LIMIT: BindParameter[int] = bindparam("at_most")
_CATEGORY: BindParameter[int] = bindparam("category")
_LIVE = "live"
# Rows of one category and state lie in the index in the order of their ids.
_OF_CATEGORY = (
    select(Product.id)
    .where(Product.category_id == _CATEGORY, Product.state == _LIVE)
    .order_by(Product.id.desc())
    .limit(_LIMIT)
)
_OF_ALL = select(Product.id).where(Product.state == _LIVE).order_by(Product.id.desc()).limit(_LIMIT)


def newest_products(*, categories: Iterable[int] | None, limit: int) -> list[int]:
    """Ids of live products in any of the categories or below, the newest first.

    ``None`` means all categories. Each leaf is asked by itself, so that every statement stops
    after ``limit`` entries of an index.
    """
    if categories is None:
        return list(run(_OF_ALL, [{"at_most": limit}]).scalars())
    tree, chosen = category_tree(), frozenset(categories)
    found: list[int] = []
    for node in tree.nodes:
        if chosen & tree.with_ancestors(node.id):
            found += run(_OF_CATEGORY, [{"category": node.id, "at_most": limit}]).scalars()
    return sorted(found, reverse=True)[:limit]
