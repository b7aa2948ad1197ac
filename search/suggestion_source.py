"""What suggestions and the words of queries are made of, read from the tables of the shop."""

from dataclasses import dataclass

from sqlalchemy import func, select

from kernel.db import db
from search.documents import LIVE
from shop.models import Brand, Product
from shop.services.categories import category_tree


@dataclass(frozen=True, slots=True)
class SuggestSource:
    """What suggestions are made of: ids with names, products with their units sold."""

    categories: tuple[tuple[int, str], ...]
    brands: tuple[tuple[int, str], ...]
    products: tuple[tuple[int, str, int], ...]
    titles: tuple[str, ...]


def read_suggest_source(*, brands: int, products: int, titles: int) -> SuggestSource:
    """All categories, and at most so many brands, products and titles, the most sold ones first."""
    sold = func.sum(Product.sold_count)
    brand_rows = db.session.execute(
        select(Brand.id, Brand.name)
        .join(Product, Product.brand_id == Brand.id)
        .where(Product.state == LIVE)
        .group_by(Brand.id, Brand.name)
        .order_by(sold.desc(), Brand.id)
        .limit(brands)
    )
    product_rows = db.session.execute(
        select(Product.id, Product.title, Product.sold_count)
        .where(Product.state == LIVE)
        .order_by(Product.sold_count.desc(), Product.id.desc())
        .limit(max(products, titles))
    ).all()
    return SuggestSource(
        categories=tuple((node.id, node.name) for node in category_tree().nodes),
        brands=tuple((row.id, row.name) for row in brand_rows),
        products=tuple((row.id, row.title, row.sold_count) for row in product_rows[:products]),
        titles=tuple(row.title for row in product_rows[:titles]),
    )
