"""Quotes, orders and everything that happens to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime


class Quote(Base):
    """A price that stands for some minutes; its snapshot becomes the order's."""

    __tablename__ = "quote"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"), nullable=False)
    request: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    snapshot: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)


class Order(Base):
    __tablename__ = "orders"  # ORDER is a word of SQL's own
    __table_args__ = (
        Index("ix_orders_membership_id_id", "membership_id", "id"),
        Index("ix_orders_enterprise_id_state_id", "enterprise_id", "state", "id"),
        Index("ix_orders_state_pay_before_at", "state", "pay_before_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    quote_id: Mapped[int] = mapped_column(ForeignKey("quote.id"), nullable=False, unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), nullable=False)
    membership_id: Mapped[int] = mapped_column(ForeignKey("membership.id"), nullable=False)
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False)
    billing_entity_id: Mapped[str | None] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16), nullable=False)
    goods_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    discount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    freight_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    payable_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    credit_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    points: Mapped[int] = mapped_column(BigInteger, nullable=False)
    points_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    cash_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    # Where to send it: {name, phone, detail} encrypted, the region readable.
    address_sealed: Mapped[str] = mapped_column(Text, nullable=False)
    region_code: Mapped[str] = mapped_column(String(6), nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    pay_before_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SubOrder(Base):
    __tablename__ = "sub_order"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True, index=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    state: Mapped[str] = mapped_column(String(10), nullable=False)  # to_ship, shipped, …
    goods_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    freight_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)


class OrderLine(Base):
    """A payable of the order: goods, or the freight of one sub-order (Domain rule 26)."""

    __tablename__ = "order_line"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    kind: Mapped[str] = mapped_column(String(8), nullable=False)  # goods, freight
    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False)
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"), index=True)
    product_id: Mapped[str] = mapped_column(String(32), nullable=False)  # public id
    title: Mapped[str] = mapped_column(String(300), nullable=False)
    sku_name: Mapped[str] = mapped_column(String(200), nullable=False)
    image: Mapped[str] = mapped_column(String(300), nullable=False)
    unit: Mapped[str] = mapped_column(String(8), nullable=False)
    tax_code: Mapped[str] = mapped_column(String(19), nullable=False)
    rate_bp: Mapped[int] = mapped_column(nullable=False)
    treatment: Mapped[str] = mapped_column(String(12), nullable=False)
    category_name: Mapped[str] = mapped_column(String(60), nullable=False)
    # On the line after merchant-funded discounts, tax included; none on freight (rule 10).
    commission_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    quantity: Mapped[int] = mapped_column(BigInteger, nullable=False)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    gross_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    discount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    payable_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    refunded_quantity: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)


class OrderFunding(Base):
    """The funding receipt: which source paid how much of which line."""

    __tablename__ = "order_funding"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line_number: Mapped[int] = mapped_column(nullable=False)
    kind: Mapped[str] = mapped_column(String(6), nullable=False)  # credit, points, cash
    lot_id: Mapped[str | None] = mapped_column(String(32))  # public id of a credit lot
    pot_id: Mapped[str | None] = mapped_column(String(32))  # public id
    source_name: Mapped[str] = mapped_column(String(80), nullable=False)
    amount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)


class OrderEvent(Base):
    """The order's history: every move, by whom."""

    __tablename__ = "order_event"
    __table_args__ = (Index("ix_order_event_order_id_id", "order_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), nullable=False)
    state: Mapped[str] = mapped_column(String(16), nullable=False)
    event: Mapped[str] = mapped_column(String(24), nullable=False)
    actor: Mapped[str] = mapped_column(String(40), nullable=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class Payment(Base):
    """The card part of an order at the gateway."""

    __tablename__ = "payment"
    __table_args__ = (Index("ix_payment_state_ask_at", "state", "ask_at"),)

    order_id: Mapped[int] = mapped_column(
        ForeignKey("orders.id"), primary_key=True, autoincrement=False
    )
    gateway: Mapped[str] = mapped_column(String(12), nullable=False)
    intent_id: Mapped[str | None] = mapped_column(String(80), unique=True)
    client_secret: Mapped[str | None] = mapped_column(String(200))
    amount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    # open, succeeded, canceled, late (paid after closing, refunded by itself)
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    ask_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class Refund(Base):
    __tablename__ = "refund"
    __table_args__ = (Index("ix_refund_cash_state_ask_at", "cash_state", "ask_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), nullable=False, index=True)
    reason: Mapped[str] = mapped_column(String(200), nullable=False)
    amount_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    credit_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    points: Mapped[int] = mapped_column(BigInteger, nullable=False)
    points_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    cash_minor: Mapped[int] = mapped_column(BigInteger, nullable=False)
    detail: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)  # as previewed
    cash_state: Mapped[str] = mapped_column(String(10), nullable=False)  # none, in_transit, done
    gateway_refund_id: Mapped[str | None] = mapped_column(String(80), unique=True)
    ask_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class GatewayEventRow(Base):
    """Events of the gateway that were taken in: each counts once, in any order (X5)."""

    __tablename__ = "gateway_event"

    event_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(60), nullable=False)
    intent_id: Mapped[str | None] = mapped_column(String(80))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
