"""Goods of a category from the database, while the index is away: bounded, and without facets.

Only the newest goods of a category are looked at, so that no page waits for a large one; what
may be seen is decided by the same rules as everywhere.
"""

from search.documents import Goods, ListedOffer
from search.kept_lists import KeptList
from search.requests import ResolvedSearch, SortBy
from search.showing import fitting
from shop.services.browsing import newest_products

_LOOKED_AT = 300


def can_browse(found: ResolvedSearch) -> bool:
    """Whether the database can stand in: nothing was typed, at most a category chosen."""
    choice = found.choice
    return (
        found.query is None
        and not found.request.cursor
        and choice.brands is None
        and choice.merchants is None
        and not choice.attributes
    )


def browse_database(found: ResolvedSearch) -> KeptList:
    """The newest goods that fit, in the order asked for; the total is of these alone."""
    ids = newest_products(categories=found.choice.categories, limit=_LOOKED_AT)
    best = [(product, listings[0]) for product, listings in fitting(found, ids)]
    ordered = _ordered(best, found.sort)
    return KeptList([product.product_id for product, _ in ordered], len(ordered), {})


def _ordered(
    goods: list[tuple[Goods, ListedOffer]], sort: SortBy
) -> list[tuple[Goods, ListedOffer]]:
    """As the index orders: the key, then the product; the newest come in order already."""
    if sort is SortBy.NEWEST:
        return goods
    if sort is SortBy.SALES:
        return sorted(goods, key=lambda each: (-each[0].sold, -each[0].product_id))
    sign = 1 if sort is SortBy.PRICE_ASC else -1
    return sorted(goods, key=lambda each: (sign * each[1].price_minor, sign * each[0].product_id))
