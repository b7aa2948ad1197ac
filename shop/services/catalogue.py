"""Offers as they are sold, and product pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Row, Select, bindparam, func, select, update

from kernel import clock, outbox
from kernel.auth.models import Tenant
from kernel.db import db, run
from kernel.errors import NotFound, Problem
from kernel.ids import public_id
from shop.models import (
    Assortment,
    AssortmentItem,
    Brand,
    Category,
    Offer,
    Product,
    Seller,
    Sku,
    Stock,
)
from shop.rules import GoodsFacts
from shop.services.categories import CategoryNode, category_tree

_MAX_OFFERS = 500


class UnknownOffer(Problem):
    code = "unknown_offer"
    status = 404
    title = "这件商品不存在或已下架"


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer with all that a cart, a quote or a page needs. Money in fen."""

    id: int
    public_id: str
    price_minor: int
    list_price_minor: int
    available: int
    merchant_id: int
    merchant_public_id: str
    merchant_name: str
    seller_open: bool
    freight_minor: int
    free_from_minor: int | None
    sku_id: str
    sku_name: str
    unit: str
    tax_code: str
    product_id: str
    title: str
    image: str
    category_id: int
    category_name: str
    facts: GoodsFacts
    live: bool

    @property
    def for_sale(self) -> bool:
        return self.live and self.seller_open


def image_url(image: str, category_key: str) -> str:
    """Where the picture is served; without one, the category's object on its tint."""
    return f"/media/products/{image}" if image else f"/media/categories/{category_key}.webp"


# Statements of the hot path are made once: building one costs more than running it.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_OFFERS: Select[*tuple[Any, ...]] = (
    select(
        Offer.id,
        Offer.public_id,
        Offer.price_minor,
        Offer.list_price_minor,
        Offer.merchant_id,
        Offer.state.label("offer_state"),
        (Stock.on_hand - Stock.held).label("available"),
        Tenant.public_id.label("merchant_public_id"),
        Tenant.name.label("merchant_name"),
        Seller.open,
        Seller.freight_minor,
        Seller.free_from_minor,
        Sku.public_id.label("sku_public_id"),
        Sku.name.label("sku_name"),
        Sku.unit,
        Sku.tax_code,
        Sku.image.label("sku_image"),
        Product.id.label("product_key"),
        Product.public_id.label("product_public_id"),
        Product.title,
        Product.image,
        Product.category_id,
        Product.brand_id,
        Product.state.label("product_state"),
        Category.key.label("category_key"),
        Category.name.label("category_name"),
    )
    .join(Sku, Sku.id == Offer.sku_id)
    .join(Product, Product.id == Sku.product_id)
    .join(Category, Category.id == Product.category_id)
    .join(Stock, Stock.offer_id == Offer.id)
    .join(Seller, Seller.merchant_id == Offer.merchant_id)
    .join(Tenant, Tenant.id == Offer.merchant_id)
)
_OFFERS_BY_PUBLIC_ID = _OFFERS.where(Offer.public_id.in_(_IDS))
_OFFERS_BY_ID = _OFFERS.where(Offer.id.in_(_IDS))
_ASSORTMENTS = select(AssortmentItem.product_id, AssortmentItem.assortment_id).where(
    AssortmentItem.product_id.in_(_IDS)
)


def _views(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[OfferView]:
    assortments = _assortments_of({row.product_key for row in rows})
    tree = category_tree()
    return [
        OfferView(
            id=row.id,
            public_id=row.public_id,
            price_minor=row.price_minor,
            list_price_minor=row.list_price_minor,
            available=row.available,
            merchant_id=row.merchant_id,
            merchant_public_id=row.merchant_public_id,
            merchant_name=row.merchant_name,
            seller_open=row.open,
            freight_minor=row.freight_minor,
            free_from_minor=row.free_from_minor,
            sku_id=row.sku_public_id,
            sku_name=row.sku_name,
            unit=row.unit,
            tax_code=row.tax_code,
            product_id=row.product_public_id,
            title=row.title,
            image=image_url(row.sku_image or row.image, row.category_key),
            category_id=row.category_id,
            category_name=row.category_name,
            facts=GoodsFacts(
                product_id=row.product_key,
                categories=tree.with_ancestors(row.category_id),
                brands=frozenset({row.brand_id} if row.brand_id else ()),
                merchants=frozenset({row.merchant_id}),
                assortments=assortments.get(row.product_key, frozenset()),
            ),
            live=row.offer_state == "live" and row.product_state == "live",
        )
        for row in rows
    ]


def _assortments_of(product_ids: set[int]) -> dict[int, frozenset[int]]:
    if not product_ids:
        return {}
    found: dict[int, set[int]] = {}
    for row in run(_ASSORTMENTS, [{"ids": list(product_ids)}]):
        found.setdefault(row.product_id, set()).add(row.assortment_id)
    return {product_id: frozenset(ids) for product_id, ids in found.items()}


def find_offers(public_ids: Iterable[str]) -> dict[str, OfferView]:
    """Offers by public id, at most 500, whatever their state; unknown ids are left out."""
    wanted = list(dict.fromkeys(public_ids))[:_MAX_OFFERS]
    rows = run(_OFFERS_BY_PUBLIC_ID, [{"ids": wanted}]).all()
    return {view.public_id: view for view in _views(rows)}


def offers_of_ids(offer_ids: Iterable[int]) -> dict[int, OfferView]:
    """The same by internal id."""
    wanted = list(dict.fromkeys(offer_ids))[:_MAX_OFFERS]
    rows = run(_OFFERS_BY_ID, [{"ids": wanted}]).all()
    return {view.id: view for view in _views(rows)}


@dataclass(frozen=True)
class ProductPage:
    """A product with every SKU and the offers of merchants that are open, cheapest first."""

    public_id: str
    title: str
    subtitle: str
    description: str
    brand: tuple[str, str] | None  # public id, name
    category_path: tuple[CategoryNode, ...]
    image: str
    sold_count: int
    attributes: list[dict[str, str]]
    no_reason_return: bool
    skus: list[tuple[str, str, str, list[OfferView]]]  # public id, name, picture, offers


def product_page(public: str) -> ProductPage:
    """Raises :class:`NotFound` for a product that is not there, hidden or sold by nobody."""
    row = db.session.execute(
        select(Product, Brand.public_id.label("brand_public_id"), Brand.name.label("brand_name"))
        .outerjoin(Brand, Brand.id == Product.brand_id)
        .where(Product.public_id == public, Product.state == "live")
    ).one_or_none()
    if row is None:
        raise NotFound("这件商品不存在或已下架")
    product: Product = row.Product
    offers = _views(
        db.session.execute(
            _OFFERS.where(
                Sku.product_id == product.id, Offer.state == "live", Seller.open.is_(True)
            )
            .order_by(Sku.id)
            .limit(_MAX_OFFERS)
        ).all()
    )
    if not offers:
        raise NotFound("这件商品不存在或已下架")
    path = category_tree().path(product.category_id)
    grouped: dict[str, list[OfferView]] = {}
    for offer in offers:
        grouped.setdefault(offer.sku_id, []).append(offer)
    return ProductPage(
        public_id=product.public_id,
        title=product.title,
        subtitle=product.subtitle,
        description=product.description,
        brand=(row.brand_public_id, row.brand_name) if row.brand_public_id else None,
        category_path=path,
        image=image_url(product.image, path[-1].key),
        sold_count=product.sold_count,
        attributes=product.attributes,
        no_reason_return=path[-1].no_reason_return,
        skus=[
            (sku_id, group[0].sku_name, group[0].image, sorted(group, key=_cheapest_first))
            for sku_id, group in grouped.items()
        ],
    )


def _cheapest_first(offer: OfferView) -> tuple[bool, int, int]:
    return (offer.available <= 0, offer.price_minor, offer.id)


def set_price(*, offer_id: str, price_minor: int) -> None:
    """Change an offer's price; search hears of it. Raises :class:`UnknownOffer`."""
    row = db.session.execute(
        select(Offer.id, Sku.product_id)
        .join(Sku, Sku.id == Offer.sku_id)
        .where(Offer.public_id == offer_id)
    ).one_or_none()
    if row is None:
        raise UnknownOffer
    db.session.execute(
        update(Offer)
        .where(Offer.id == row.id)
        .values(price_minor=price_minor, updated_at=clock.now())
    )
    touch_products([row.product_id])


def touch_products(product_ids: Sequence[int]) -> None:
    """Raise the versions of products and tell search, in the changing transaction (rule 32)."""
    if not product_ids:
        return
    db.session.execute(
        update(Product)
        .where(Product.id.in_(product_ids))
        .values(version=Product.version + 1, updated_at=clock.now())
    )
    outbox.emit("shop.products_changed", product_ids=list(product_ids))


def count_sales(*, product_ids: Iterable[str]) -> None:
    """Set the sales counts of products (public ids) from their stock: running it twice is
    harmless."""
    sold = (
        select(func.coalesce(func.sum(Stock.sold), 0))
        .join(Offer, Offer.id == Stock.offer_id)
        .join(Sku, Sku.id == Offer.sku_id)
        .where(Sku.product_id == Product.id)
        .scalar_subquery()
    )
    db.session.execute(
        update(Product)
        .where(Product.public_id.in_(list(product_ids)))
        .values(sold_count=sold)
        .execution_options(synchronize_session=False)
    )


def open_seller(
    *, merchant_id: int, open_: bool, freight_minor: int, free_from_minor: int | None
) -> None:
    """Let a merchant's goods be sold, or not; its freight with it."""
    seller = db.session.get(Seller, merchant_id) or Seller(merchant_id=merchant_id)
    was_open = bool(seller.open)
    seller.open, seller.freight_minor = open_, freight_minor
    seller.free_from_minor = free_from_minor
    db.session.add(seller)
    db.session.flush()
    if was_open != open_:
        # Products are many: the indexer walks them by merchant in batches of its own.
        outbox.emit("shop.seller_changed", merchant_id=merchant_id)


def create_assortment(*, name: str, product_ids: Sequence[int]) -> Assortment:
    assortment = Assortment(public_id=public_id("ast"), name=name)
    db.session.add(assortment)
    db.session.flush()
    db.session.add_all(
        AssortmentItem(assortment_id=assortment.id, product_id=p)
        for p in dict.fromkeys(product_ids)
    )
    db.session.flush()
    touch_products(list(dict.fromkeys(product_ids)))
    return assortment


def products_of_merchant(*, merchant_id: int, after: int, limit: int) -> list[int]:
    """Ids of a merchant's products above ``after``, in order."""
    return list(
        db.session.scalars(
            select(Sku.product_id)
            .join(Offer, Offer.sku_id == Sku.id)
            .where(Offer.merchant_id == merchant_id, Sku.product_id > after)
            .group_by(Sku.product_id)
            .order_by(Sku.product_id)
            .limit(limit)
        )
    )


def find_brands(names: Iterable[str]) -> dict[str, int]:
    """Internal ids of brands by name."""
    rows = db.session.execute(select(Brand.name, Brand.id).where(Brand.name.in_(list(names))))
    return dict(rows.tuples().all())
