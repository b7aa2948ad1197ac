"""What a page shows: goods as the database has them now, without what no longer belongs."""

from collections.abc import Sequence
from dataclasses import dataclass

from enterprises.services.eligibility import Viewer
from search import documents
from search.documents import Goods, ListedOffer, Named
from search.goods_filters import Choice, narrowed_merchants, price_fits
from search.highlighting import highlight
from search.matching import TextPlan
from search.requests import ResolvedSearch
from search.tokens import QueryTokens
from shop.services.categories import category_tree


@dataclass(frozen=True, slots=True)
class PotMark:
    """Whether a pot of the viewer may pay for a product."""

    pot_id: str
    name: str
    eligible: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A product on a page, at the price of its best ranked merchant that may be seen."""

    product_id: str
    title: str
    highlight: list[dict[str, object]]
    image: str
    price_minor: int
    list_price_minor: int
    in_stock: bool
    sold: int
    brand: Named | None
    category: Named
    merchants: tuple[Named, ...]
    pots: tuple[PotMark, ...]


def show(found: ResolvedSearch, product_ids: Sequence[int], plan: TextPlan) -> tuple[Item, ...]:
    """The page's products as the database has them now, without what no longer belongs."""
    shown = fitting(found, product_ids)
    merchants = documents.read_merchants(
        listing.merchant_id for _, listings in shown for listing in listings
    )
    tree = category_tree()
    query = None if found.query is None else plan.tokens(found.query)
    return tuple(
        Item(
            product_id=product.public_id,
            title=product.title,
            highlight=_marked(product.title, query),
            image=product.image,
            price_minor=listings[0].price_minor,
            list_price_minor=listings[0].list_price_minor,
            in_stock=listings[0].in_stock,
            sold=product.sold,
            brand=product.brand,
            category=Named(
                tree.by_id[product.category_id].public_id, tree.by_id[product.category_id].name
            ),
            merchants=tuple(merchants[listing.merchant_id] for listing in listings),
            pots=_mark_pots(found.viewer, product, listings),
        )
        for product, listings in shown
    )


def fitting(
    found: ResolvedSearch, product_ids: Sequence[int]
) -> list[tuple[Goods, tuple[ListedOffer, ...]]]:
    """Those of the products, in their order, that are still among what was asked for, as the
    database has them, with the listings that may be seen, the best ranked first."""
    rules = (*found.scope.rules, *(entry.rule for entry in found.viewer.pots))
    goods = documents.read_goods(
        product_ids, assortments=any(rule.speaks_of("assortments") for rule in rules)
    )
    kept = []
    for product_id in product_ids:
        product = goods.get(product_id)
        if product is None:
            continue
        listings = _visible_listings(found, product)
        if listings and _still_fits(found.choice, product, listings[0]):
            kept.append((product, listings))
    return kept


def _marked(title: str, query: QueryTokens | None) -> list[dict[str, object]]:
    return [{"text": title, "hit": False}] if query is None else highlight(title, query)


def _visible_listings(found: ResolvedSearch, product: Goods) -> tuple[ListedOffer, ...]:
    """The listings of a product that may be seen and were asked for, the best ranked first."""
    allowed = narrowed_merchants(found.scope, found.choice)
    return tuple(
        listing
        for listing in product.listings
        if (allowed is None or listing.merchant_id in allowed)
        and all(rule.allows(product.facts(listing.merchant_id)) for rule in found.scope.rules)
    )


def _still_fits(choice: Choice, product: Goods, listing: ListedOffer) -> bool:
    """Whether a product at a listing's price is still among what was chosen."""
    return (
        (choice.categories is None or bool(choice.categories & product.categories))
        and (choice.brands is None or product.brand_id in choice.brands)
        and (listing.in_stock or not choice.in_stock)
        and price_fits(choice, listing.price_minor)
    )


def _mark_pots(
    viewer: Viewer, product: Goods, listings: Sequence[ListedOffer]
) -> tuple[PotMark, ...]:
    """A pot may pay where at least one of the merchants shown is one that it may pay."""
    facts = [product.facts(listing.merchant_id) for listing in listings]
    return tuple(
        PotMark(
            entry.pot.public_id,
            entry.pot.name,
            any(entry.rule.allows(each) for each in facts),
        )
        for entry in viewer.pots
    )
