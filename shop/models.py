"""Catalogue, stock, cart and address tables."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, LongText, UtcDateTime
from shop.attributes import MAX_NAME, MAX_VALUE


class Category(Base):
    __tablename__ = "category"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    key: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"), index=True)
    name: Mapped[str] = mapped_column(String(60), nullable=False)
    name_en: Mapped[str] = mapped_column(String(80), nullable=False)
    position: Mapped[int] = mapped_column(nullable=False)
    object: Mapped[str] = mapped_column(String(60), nullable=False)  # picture object
    tint: Mapped[str] = mapped_column(String(7), nullable=False)  # #RRGGBB ground
    tax_code: Mapped[str] = mapped_column(String(19), nullable=False)
    unit: Mapped[str] = mapped_column(String(8), nullable=False)
    no_reason_return: Mapped[bool] = mapped_column(nullable=False)


class TaxRate(Base):
    """Rate of a tax code for a kind of taxpayer from a date on (Domain rule 14)."""

    __tablename__ = "tax_rate"

    tax_code: Mapped[str] = mapped_column(String(19), primary_key=True)
    taxpayer: Mapped[str] = mapped_column(String(12), primary_key=True)  # general, small_scale
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    rate_bp: Mapped[int] = mapped_column(nullable=False)  # 1300 = 13 %
    treatment: Mapped[str] = mapped_column(String(12), nullable=False)


class Brand(Base):
    __tablename__ = "brand"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(80), nullable=False, unique=True)


class Product(Base):
    __tablename__ = "product"
    __table_args__ = (
        Index("ix_product_category_id_state", "category_id", "state"),
        # What sells most, of all products and of each brand, without looking at a million rows.
        Index("ix_product_state_sold_count", "state", "sold_count"),
        Index("ix_product_brand_id_state_sold_count", "brand_id", "state", "sold_count"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    title: Mapped[str] = mapped_column(String(300), nullable=False)
    subtitle: Mapped[str] = mapped_column(String(300), nullable=False, default="")
    description: Mapped[str] = mapped_column(LongText, nullable=False, default="")
    keywords: Mapped[str] = mapped_column(String(300), nullable=False, default="")
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"), nullable=False)
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id"))
    # File names under the media folder; empty: the category's object on its tint.
    image: Mapped[str] = mapped_column(String(200), nullable=False, default="")
    attributes: Mapped[list[dict[str, str]]] = mapped_column(Json, nullable=False, default=list)
    state: Mapped[str] = mapped_column(String(8), nullable=False, default="live")  # live, hidden
    # Raised with every change that search must hear of: the external version of its documents.
    version: Mapped[int] = mapped_column(BigInteger, nullable=False, default=1)
    sold_count: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class AttributeValue(Base):
    """A value of an attribute of products, under the number by which the search index knows it."""

    __tablename__ = "attribute_value"
    __table_args__ = (UniqueConstraint("name", "value"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME), nullable=False)
    value: Mapped[str] = mapped_column(String(MAX_VALUE), nullable=False)


class Sku(Base):
    __tablename__ = "sku"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), nullable=False, index=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)  # its specification
    unit: Mapped[str] = mapped_column(String(8), nullable=False)
    tax_code: Mapped[str] = mapped_column(String(19), nullable=False)
    barcode: Mapped[str | None] = mapped_column(String(14), index=True)
    image: Mapped[str] = mapped_column(String(200), nullable=False, default="")


class Seller(Base):
    """What shop knows of a merchant: whether its goods may be sold, and its freight."""

    __tablename__ = "seller"

    merchant_id: Mapped[int] = mapped_column(
        ForeignKey("tenant.id"), primary_key=True, autoincrement=False
    )
    open: Mapped[bool] = mapped_column(nullable=False, default=False)
    freight_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    # Goods of the sub-order from this amount on travel free; None: never.
    free_from_minor: Mapped[int | None] = mapped_column(BigInteger)


class Offer(Base):
    """A merchant's price of a SKU."""

    __tablename__ = "offer"
    __table_args__ = (
        UniqueConstraint("merchant_id", "sku_code"),
        Index("ix_offer_merchant_id_product_code", "merchant_id", "product_code"),
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), nullable=False, index=True)
    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False)
    product_code: Mapped[str] = mapped_column(String(64), nullable=False)  # the merchant's own
    sku_code: Mapped[str] = mapped_column(String(64), nullable=False)
    price_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    list_price_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    state: Mapped[str] = mapped_column(String(8), nullable=False, default="live")  # live, off
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class Stock(Base):
    """available = on_hand - held; capture lowers both and raises sold (Domain rule 33)."""

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("held >= 0 AND on_hand >= held", name="held_within_on_hand"),)

    offer_id: Mapped[int] = mapped_column(
        ForeignKey("offer.id"), primary_key=True, autoincrement=False
    )
    on_hand: Mapped[int] = mapped_column(BigInteger, nullable=False)
    held: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    sold: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)


class StockHold(Base):
    """Units kept for an order. The order owns the deadline."""

    __tablename__ = "stock_hold"

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)  # public id
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger, nullable=False)
    state: Mapped[str] = mapped_column(String(8), nullable=False)  # held, sold, released


class Assortment(Base):
    """A named list of products that enterprises' and pots' rules refer to."""

    __tablename__ = "assortment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(80), nullable=False)


class AssortmentItem(Base):
    __tablename__ = "assortment_item"
    __table_args__ = (Index("ix_assortment_item_product_id", "product_id"),)

    assortment_id: Mapped[int] = mapped_column(ForeignKey("assortment.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)


class BoughtTogether(Base):
    """How many paid orders had both products. Each pair stands twice, once for either side."""

    __tablename__ = "bought_together"
    __table_args__ = (
        # The companions of one product that may be shown, the most frequent last.
        Index(
            "ix_bought_together_product_id_only_buyer_id_orders",
            "product_id",
            "only_buyer_id",
            "orders",
        ),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    companion_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    orders: Mapped[int] = mapped_column(BigInteger, nullable=False)
    # Whose orders they are while they are all one person's, so that nobody is shown them.
    only_buyer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class CountedOrder(Base):
    """An order whose products were counted as bought together, so that it counts once."""

    __tablename__ = "counted_order"

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)  # public id
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)


class CartItem(Base):
    __tablename__ = "cart_item"

    membership_id: Mapped[int] = mapped_column(
        ForeignKey("membership.id"), primary_key=True, autoincrement=False
    )
    offer_id: Mapped[int] = mapped_column(
        ForeignKey("offer.id"), primary_key=True, autoincrement=False
    )
    quantity: Mapped[int] = mapped_column(nullable=False)
    chosen: Mapped[bool] = mapped_column(nullable=False, default=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class Address(Base):
    """Name, phone and detail are encrypted at rest (Domain rule 21)."""

    __tablename__ = "address"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), nullable=False, index=True)
    sealed: Mapped[str] = mapped_column(Text, nullable=False)  # JSON {name, phone, detail}
    region_code: Mapped[str] = mapped_column(String(6), nullable=False)
    is_default: Mapped[bool] = mapped_column(nullable=False, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
