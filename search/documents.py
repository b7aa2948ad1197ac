"""Reads the catalogue: as documents to index, and as goods to show.

The only module outside of shop that reads shop's tables (``HOUSE.md``). All reads are in bulk:
a handful of statements for any number of products.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CursorResult,
    Row,
    Select,
    and_,
    bindparam,
    func,
    select,
)

from kernel.auth.models import Tenant
from kernel.db import db
from kernel.remembered import Remembered
from search.attributes import find_attribute_ids
from search.engines.base import ListingDocument, ProductChange
from search.tokens import TokenFields, tokenise
from shop.attributes import split_attributes
from shop.models import (
    AssortmentItem,
    Brand,
    Offer,
    Product,
    Seller,
    Sku,
    Stock,
)
from shop.rules import GoodsFacts
from shop.services.catalogue import image_url
from shop.services.categories import CategoryTree, category_tree

LIVE = "live"
_EXTRA_LENGTH = 400
# A row that is gone for good was never numbered higher, so nothing older can come after it.
_GONE_VERSION = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer that may be sold: its merchant is open, and offer and product are live."""

    product_id: int
    merchant_id: int
    sku_name: str
    price_minor: int
    list_price_minor: int
    available: int


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """What one merchant asks for a product: its lowest sellable price."""

    merchant_id: int
    price_minor: int
    list_price_minor: int
    in_stock: bool

    @property
    def rank_key(self) -> tuple[bool, int, int]:
        """In stock first, then by price, then by merchant (Domain rule 30a)."""
        return not self.in_stock, self.price_minor, self.merchant_id


@dataclass(frozen=True, slots=True)
class Named:
    """The outside id and the name of something known by its inside id."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Goods:
    """A product as a list shows it, read from the database a moment ago.

    ``listings`` are the merchants that sell it, the best ranked first.
    """

    product_id: int
    public_id: str
    title: str
    image: str
    sold: int
    category_id: int
    brand_id: int | None
    brand: Named | None
    listings: tuple[ListedOffer, ...]
    categories: frozenset[int]
    assortments: frozenset[int]

    def facts(self, merchant_id: int) -> GoodsFacts:
        """What a goods rule looks at, for the product as this merchant sells it."""
        return GoodsFacts(
            product_id=self.product_id,
            categories=self.categories,
            brands=frozenset() if self.brand_id is None else frozenset((self.brand_id,)),
            merchants=frozenset((merchant_id,)),
            assortments=self.assortments,
        )


# --- statements, made once: building them costs more than running them ---------------------

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)

_BRANDS = select(Brand.id, Brand.public_id, Brand.name).where(Brand.id.in_(_IDS))
_MERCHANTS = select(Tenant.id, Tenant.public_id, Tenant.name).where(Tenant.id.in_(_IDS))
_PRODUCTS = (
    select(
        Product.id,
        Product.title,
        Product.subtitle,
        Product.keywords,
        Product.category_id,
        Product.brand_id,
        Product.attributes,
        Product.state,
        Product.version,
        Product.sold_count,
        Product.created_at,
        Brand.name.label("brand_name"),
    )
    .outerjoin(Brand, Brand.id == Product.brand_id)
    .where(Product.id.in_(_IDS))
)
_OFFERS = (
    select(
        Sku.product_id,
        Offer.merchant_id,
        Sku.name,
        Offer.price_minor,
        Offer.list_price_minor,
        func.coalesce(Stock.on_hand - Stock.held, 0),
    )
    .select_from(Sku)
    .join(Offer, and_(Offer.sku_id == Sku.id, Offer.state == LIVE))
    .join(Seller, and_(Seller.merchant_id == Offer.merchant_id, Seller.open.is_(True)))
    .outerjoin(Stock, Stock.offer_id == Offer.id)
    .where(Sku.product_id.in_(_IDS))
    .order_by(Sku.product_id, Offer.id)
    # In the order written: a merchant with a million offers beside many with few looks, on
    # average, like a cheap place to begin.
    .prefix_with("STRAIGHT_JOIN", dialect="mysql")
    .prefix_with("STRAIGHT_JOIN", dialect="mariadb")
)
# A page's products with their offers, in the order written for the same reason.
_OF_OFFER = slice(7, None)
_SHOWN = (
    select(
        Product.id,
        Product.public_id,
        Product.title,
        Product.category_id,
        Product.brand_id,
        Product.image,
        Product.sold_count,
        Offer.merchant_id,
        Sku.name,
        Offer.price_minor,
        Offer.list_price_minor,
        func.coalesce(Stock.on_hand - Stock.held, 0),
    )
    .select_from(Product)
    .join(Sku, Sku.product_id == Product.id)
    .join(Offer, and_(Offer.sku_id == Sku.id, Offer.state == LIVE))
    .join(Seller, and_(Seller.merchant_id == Offer.merchant_id, Seller.open.is_(True)))
    .outerjoin(Stock, Stock.offer_id == Offer.id)
    .where(Product.id.in_(_IDS), Product.state == LIVE)
    .order_by(Product.id, Offer.id)
    .prefix_with("STRAIGHT_JOIN", dialect="mysql")
    .prefix_with("STRAIGHT_JOIN", dialect="mariadb")
)
_ASSORTMENTS = select(AssortmentItem.product_id, AssortmentItem.assortment_id).where(
    AssortmentItem.product_id.in_(_IDS)
)


# --- reading the tables --------------------------------------------------------------------


_brands: Remembered[int, Named] = Remembered(60.0, most=200_000)
_merchants: Remembered[int, Named] = Remembered(60.0, most=20_000)


def read_brands(brand_ids: Iterable[int]) -> dict[int, Named]:
    """Outside ids and names of brands; a new name is seen after a minute at most."""
    return _brands.find(brand_ids, lambda ids: _read_named(_BRANDS, ids))


def read_merchants(merchant_ids: Iterable[int]) -> dict[int, Named]:
    """Outside ids and names of merchants; a new name is seen after a minute at most."""
    return _merchants.find(merchant_ids, lambda ids: _read_named(_MERCHANTS, ids))


def _read_named(statement: Select[*tuple[Any, ...]], ids: Sequence[int]) -> dict[int, Named]:
    rows = db.session.execute(statement, {"ids": sorted(ids)})
    return {row[0]: Named(row[1], row[2]) for row in rows}


def find_brand_ids(public_ids: Iterable[str]) -> frozenset[int]:
    """Inside ids of the brands that exist among these."""
    wanted = set(public_ids)
    if not wanted:
        return frozenset()
    return frozenset(db.session.scalars(select(Brand.id).where(Brand.public_id.in_(wanted))))


@dataclass(frozen=True, slots=True)
class ProductName:
    """A product by its ids and title; ``live``: for sale as far as the product itself goes."""

    id: int
    public_id: str
    title: str
    live: bool
    category_id: int


GONE = ProductName(0, "", "", False, 0)


def find_products(public_ids: Sequence[str]) -> dict[str, ProductName]:
    """Products by outside id, hidden ones too."""
    found = _read_product_names(Product.public_id.in_(public_ids))
    return {product.public_id: product for product in found}


def read_product_names(product_ids: Sequence[int]) -> dict[int, ProductName]:
    """Products by inside id, hidden ones too."""
    return {product.id: product for product in _read_product_names(Product.id.in_(product_ids))}


def _read_product_names(where: ColumnElement[bool]) -> list[ProductName]:
    rows = db.session.execute(
        select(
            Product.id, Product.public_id, Product.title, Product.state, Product.category_id
        ).where(where)
    )
    return [
        ProductName(row.id, row.public_id, row.title, row.state == LIVE, row.category_id)
        for row in rows
    ]


def find_merchant_ids(public_ids: Iterable[str]) -> frozenset[int]:
    """Inside ids of the sellers that exist among these."""
    wanted = set(public_ids)
    if not wanted:
        return frozenset()
    return frozenset(
        db.session.scalars(
            select(Tenant.id)
            .join(Seller, Seller.merchant_id == Tenant.id)
            .where(Tenant.public_id.in_(wanted))
        )
    )


def find_product_id(public_id: str) -> int | None:
    """The inside id of a product, whatever its state."""
    return db.session.scalar(select(Product.id).where(Product.public_id == public_id))


def all_seller_ids() -> frozenset[int]:
    """Every merchant that shop knows, open or not."""
    return frozenset(db.session.scalars(select(Seller.merchant_id)))


def product_ids_after(last_id: int, *, limit: int) -> list[int]:
    """The next products in id order, live or hidden."""
    return list(
        db.session.scalars(
            select(Product.id).where(Product.id > last_id).order_by(Product.id).limit(limit)
        )
    )


def count_products() -> int:
    """How many products a rebuild has to look at."""
    return db.session.scalar(select(func.count()).select_from(Product)) or 0


def count_listings() -> int:
    """How many listings the index must hold to be in step with the database."""
    pairs = (
        select(Sku.product_id, Offer.merchant_id)
        .select_from(Offer)
        .join(Sku, Sku.id == Offer.sku_id)
        .join(Product, Product.id == Sku.product_id)
        .join(Seller, Seller.merchant_id == Offer.merchant_id)
        .where(Offer.state == LIVE, Product.state == LIVE, Seller.open.is_(True))
        .distinct()
        .subquery()
    )
    return db.session.scalar(select(func.count()).select_from(pairs)) or 0


def _run(
    statement: Select[*tuple[Any, ...]], product_ids: Sequence[int]
) -> CursorResult[*tuple[Any, ...]]:
    """Past the ORM, which has nothing to add to columns and takes a while to say so."""
    return db.session.connection().execute(statement, {"ids": product_ids})


def _read_products(product_ids: Sequence[int]) -> Sequence[Row[*tuple[Any, ...]]]:
    return _run(_PRODUCTS, product_ids).all()


def _read_offers(product_ids: Sequence[int]) -> dict[int, list[OfferRow]]:
    found: dict[int, list[OfferRow]] = {}
    for row in _run(_OFFERS, product_ids).all():
        found.setdefault(row[0], []).append(OfferRow(*row))
    return found


def _read_assortments(product_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = {}
    for product_id, assortment_id in _run(_ASSORTMENTS, product_ids).all():
        found.setdefault(product_id, []).append(assortment_id)
    return {product_id: tuple(sorted(ids)) for product_id, ids in found.items()}


def _attribute_ids(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[int, tuple[int, ...]]:
    found = {row.id: split_attributes(row.attributes) for row in rows}
    ids = find_attribute_ids(each for attributes in found.values() for each in attributes)
    return {
        product_id: tuple(ids[each] for each in attributes if each in ids)
        for product_id, attributes in found.items()
    }


# --- listings ------------------------------------------------------------------------------


def list_offers(offers: Iterable[OfferRow]) -> tuple[ListedOffer, ...]:
    """One listing for each merchant, the best ranked first.

    A merchant's price is its lowest among what it has in stock; with nothing in stock, its
    lowest of all.
    """
    best: dict[int, ListedOffer] = {}
    for offer in offers:
        listed = ListedOffer(
            merchant_id=offer.merchant_id,
            price_minor=offer.price_minor,
            list_price_minor=offer.list_price_minor,
            in_stock=offer.available > 0,
        )
        known = best.get(offer.merchant_id)
        if known is None or listed.rank_key < known.rank_key:
            best[offer.merchant_id] = listed
    return tuple(sorted(best.values(), key=lambda listed: listed.rank_key))


def read_changes(product_ids: Sequence[int]) -> list[ProductChange]:
    """The documents of each product as the database has it now.

    Products that are hidden, unsold or gone come without listings, so that the index drops
    them. Give batches of at most a few thousand ids.
    """
    products = {row.id: row for row in _read_products(product_ids)}
    live = [row.id for row in products.values() if row.state == LIVE]
    offers = _read_offers(live)
    assortments = _read_assortments(live)
    attributes = _attribute_ids(products[product_id] for product_id in live)
    tree = category_tree()
    changes = []
    for product_id in dict.fromkeys(product_ids):
        row = products.get(product_id)
        if row is None:
            changes.append(ProductChange(product_id, _GONE_VERSION, ()))
            continue
        listed = list_offers(offers.get(product_id, ()))
        documents: tuple[ListingDocument, ...] = ()
        if listed:
            tokens = _tokens(row, offers[product_id], tree)
            documents = _documents(
                row,
                listed,
                tokens,
                tree,
                assortments.get(product_id, ()),
                attributes[product_id],
            )
        changes.append(ProductChange(product_id, row.version, documents))
    return changes


def _tokens(
    row: Row[*tuple[Any, ...]], offers: Sequence[OfferRow], tree: CategoryTree
) -> TokenFields:
    names = [node.name for node in tree.path(row.category_id)]
    if row.brand_name:
        names.insert(0, row.brand_name)
    specifications = dict.fromkeys(offer.sku_name for offer in offers)
    extra = " ".join((*names, row.keywords, row.subtitle, *specifications))
    return tokenise(row.title, extra[:_EXTRA_LENGTH], names=names)


def _documents(
    row: Row[*tuple[Any, ...]],
    listed: Sequence[ListedOffer],
    tokens: TokenFields,
    tree: CategoryTree,
    assortments: tuple[int, ...],
    attributes: tuple[int, ...],
) -> tuple[ListingDocument, ...]:
    ranked = [listing.merchant_id for listing in listed]
    categories = tuple(sorted(tree.with_ancestors(row.category_id)))
    return tuple(
        ListingDocument(
            product_id=row.id,
            merchant_id=listing.merchant_id,
            version=row.version,
            tokens=tokens,
            price_minor=listing.price_minor,
            in_stock=listing.in_stock,
            cheaper=tuple(ranked[:rank]),
            categories=categories,
            category_id=row.category_id,
            brand_id=row.brand_id or 0,
            assortments=assortments,
            attributes=attributes,
            sales=row.sold_count,
            created_at=int(row.created_at.timestamp()),
        )
        for rank, listing in enumerate(listed)
    )


def read_goods(product_ids: Sequence[int], *, assortments: bool) -> dict[int, Goods]:
    """The products of a page as they are in the database now; what is not for sale is absent.

    ``assortments``: whether anybody will ask which ones a product is in.
    """
    if not product_ids:
        return {}
    tree = category_tree()
    in_assortments = _read_assortments(product_ids) if assortments else {}
    rows: dict[int, Row[*tuple[Any, ...]]] = {}
    offers: dict[int, list[OfferRow]] = {}
    for row in db.session.execute(_SHOWN, {"ids": product_ids}):
        rows[row.id] = row
        offers.setdefault(row.id, []).append(OfferRow(row.id, *tuple(row)[_OF_OFFER]))
    brands = read_brands(row.brand_id for row in rows.values() if row.brand_id)
    return {
        row.id: Goods(
            product_id=row.id,
            public_id=row.public_id,
            title=row.title,
            image=image_url(row.image, tree.by_id[row.category_id].key),
            sold=row.sold_count,
            category_id=row.category_id,
            brand_id=row.brand_id,
            brand=brands.get(row.brand_id) if row.brand_id else None,
            listings=list_offers(offers[row.id]),
            categories=tree.with_ancestors(row.category_id),
            assortments=frozenset(in_assortments.get(row.id, ())),
        )
        for row in rows.values()
    }
