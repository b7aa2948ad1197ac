"""Orders as their owner sees them: lists without N+1, one order with its funding receipt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from billing.services.invoices import InvoiceSummary, invoice_summaries
from checkout.models import Order, OrderFunding, OrderLine, Payment, Refund, SubOrder
from checkout.pricing import GOODS
from checkout.states import OrderState
from kernel.auth.models import Tenant
from kernel.auth.policy import Actor
from kernel.clock import rfc3339
from kernel.crypto import mask_phone
from kernel.db import db, run
from kernel.errors import NotFound
from shop.services.addresses import open_sealed, region_name

# Statements of the hot path are made once: building one costs more than running it.
_FIND = (
    select(Order)
    .where(Order.public_id == bindparam("the_order"), Order.person_id == bindparam("the_person"))
    .execution_options(populate_existing=True)
)
_PAYMENT = select(Payment.intent_id, Payment.client_secret, Payment.amount_minor).where(
    Payment.order_id == bindparam("the_order"), Payment.intent_id.is_not(None)
)


def find_order(*, actor: Actor, order_id: str) -> Order:
    """One's own order, whichever membership placed it. NotFound also for somebody else's."""
    order = db.session.scalar(_FIND, {"the_order": order_id, "the_person": actor.person_id})
    if order is None:
        raise NotFound("没有这张订单")
    return order


def find_enterprise_order(*, enterprise_id: int, order_id: str) -> Order:
    """An order of the enterprise's people. NotFound also for another enterprise's."""
    order = db.session.scalar(
        select(Order).where(Order.public_id == order_id, Order.enterprise_id == enterprise_id)
    )
    if order is None:
        raise NotFound("没有这张订单")
    return order


def list_orders(
    *, actor: Actor, state: str | None, before: int | None, limit: int
) -> list[tuple[int, dict[str, Any]]]:
    """Newest first, as (position, view) below the position ``before``."""
    statement = (
        select(Order)
        .where(Order.membership_id == actor.membership_id)
        .order_by(Order.id.desc())
        .limit(limit)
    )
    if state:
        statement = statement.where(Order.state == state)
    if before:
        statement = statement.where(Order.id < before)
    orders = db.session.scalars(statement).all()
    goods = _goods_of([order.id for order in orders])
    return [(order.id, _summary(order, goods.get(order.id, []))) for order in orders]


def _goods_of(order_ids: Sequence[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    if order_ids:
        rows = db.session.execute(
            select(
                OrderLine.order_id,
                OrderLine.title,
                OrderLine.image,
                OrderLine.quantity,
                Tenant.name.label("merchant_name"),
            )
            .join(Tenant, Tenant.id == OrderLine.merchant_id)
            .where(OrderLine.order_id.in_(order_ids), OrderLine.kind == GOODS)
            .order_by(OrderLine.order_id, OrderLine.number)
        )
        for row in rows:
            found.setdefault(row.order_id, []).append(row)
    return found


def _summary(order: Order, goods: Sequence[Any]) -> dict[str, Any]:
    return {
        "order_id": order.public_id,
        "state": order.state,
        "created_at": rfc3339(order.created_at),
        "title": goods[0].title if goods else "",
        "images": [row.image for row in goods[:4]],
        "line_count": len(goods),
        "merchants": list(dict.fromkeys(row.merchant_name for row in goods)),
        "payable_minor": order.payable_minor,
        "credit_minor": order.credit_minor,
        "points": order.points,
        "points_minor": order.points_minor,
        "cash_minor": order.cash_minor,
        "refunded_minor": order.refunded_minor,
    }


def order_view(*, order: Order, gateway_origin: str) -> dict[str, Any]:
    """One order with lines, sub-orders, tenders, funding receipt, refunds and invoice.

    ``gateway_origin`` is the shop's own origin, as the browser reaches it.
    """
    lines = db.session.execute(
        select(OrderLine, Tenant.public_id, Tenant.name)
        .join(Tenant, Tenant.id == OrderLine.merchant_id)
        .where(OrderLine.order_id == order.id)
        .order_by(OrderLine.number)
    ).all()
    funding = db.session.scalars(
        select(OrderFunding).where(OrderFunding.order_id == order.id).order_by(OrderFunding.number)
    ).all()
    merchants = {line.OrderLine.merchant_id: (line.public_id, line.name) for line in lines}
    ids = {line.OrderLine.number: line.OrderLine.public_id for line in lines}
    goods = _goods_of([order.id]).get(order.id, [])
    pending = order.state == OrderState.PENDING_PAYMENT
    return _summary(order, goods) | {
        "address": _address(order),
        "lines": [_line(row.OrderLine, merchants) for row in lines],
        "discounts": [],
        "goods_minor": order.goods_minor,
        "saved_minor": order.discount_minor,
        "freight_minor": order.freight_minor,
        "tenders": _tenders(order, funding),
        "funding": [
            {
                "line_id": ids[f.line_number],
                "source": f"lot:{f.lot_id}" if f.lot_id else f.kind,
                "source_name": f.source_name,
                "pot_id": f.pot_id,
                "amount_minor": f.amount_minor,
                "refunded_minor": f.refunded_minor,
            }
            for f in funding
        ],
        "sub_orders": _sub_orders(order, [row.OrderLine for row in lines], merchants),
        "refunds": _refunds(order),
        "payment": payment_view(order=order, origin=gateway_origin) if pending else None,
        "pay_before_at": rfc3339(order.pay_before_at) if pending else None,
        "paid_at": rfc3339(order.paid_at),
        "actions": _actions(order),
        "invoice": invoice_brief(
            invoice_summaries(order_ids=[order.public_id]).get(order.public_id)
        ),
    }


def _address(order: Order) -> dict[str, str]:
    content = open_sealed(order.address_sealed)
    return {
        "name": content["name"],
        "phone": mask_phone(content["phone"]),
        "region_name": region_name(order.region_code),
        "detail": content["detail"],
    }


def _line(line: OrderLine, merchants: dict[int, tuple[str, str]]) -> dict[str, Any]:
    merchant_id, name = merchants[line.merchant_id]
    return {
        "line_id": line.public_id,
        "kind": line.kind,
        "merchant": {"id": merchant_id, "name": name},
        "product_id": line.product_id or None,
        "title": line.title,
        "sku_name": line.sku_name,
        "image": line.image,
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "gross_minor": line.gross_minor,
        "discount_minor": line.discount_minor,
        "payable_minor": line.payable_minor,
        "tax_code": line.tax_code,
        "rate_bp": line.rate_bp,
        "refunded_quantity": line.refunded_quantity,
        "refunded_minor": line.refunded_minor,
    }


def _tenders(order: Order, funding: Sequence[OrderFunding]) -> dict[str, Any]:
    by_pot: dict[tuple[str, str], int] = {}
    for row in funding:
        if row.pot_id:
            place = (row.pot_id, row.source_name)
            by_pot[place] = by_pot.get(place, 0) + row.amount_minor
    return {
        "credit": [
            {"pot_id": pot_id, "name": name, "amount_minor": amount}
            for (pot_id, name), amount in by_pot.items()
        ],
        "points": {"points": order.points, "amount_minor": order.points_minor},
        "cash_minor": order.cash_minor,
    }


def _sub_orders(
    order: Order, lines: Sequence[OrderLine], merchants: dict[int, tuple[str, str]]
) -> list[dict[str, Any]]:
    first = {line.merchant_id: line.number for line in reversed(lines)}
    subs = db.session.scalars(select(SubOrder).where(SubOrder.order_id == order.id)).all()
    return [
        {
            "sub_order_id": sub.public_id,
            "merchant": dict(zip(("id", "name"), merchants[sub.merchant_id], strict=True)),
            "state": sub.state,
            "line_ids": [ln.public_id for ln in lines if ln.merchant_id == sub.merchant_id],
            "goods_minor": sub.goods_minor,
            "freight_minor": sub.freight_minor,
            "parcels": [],
        }
        for sub in sorted(subs, key=lambda sub: first[sub.merchant_id])
    ]


def _refunds(order: Order) -> list[dict[str, Any]]:
    rows = db.session.scalars(
        select(Refund).where(Refund.order_id == order.id).order_by(Refund.id).limit(200)
    )
    return [refund_view(row) for row in rows]


def refund_view(row: Refund) -> dict[str, Any]:
    """``done`` once the card's part has gone back too, else ``processing``."""
    state = "processing" if row.cash_state == "in_transit" else "done"
    return {
        "refund_id": row.public_id,
        "state": state,
        "created_at": rfc3339(row.created_at),
        "amount_minor": row.amount_minor,
        "reason": row.reason,
    } | row.detail


def payment_view(*, order: Order, origin: str) -> dict[str, Any] | None:
    """How to pay the card part; None where the intent has not been made yet."""
    row = run(_PAYMENT, [{"the_order": order.id}]).one_or_none()
    if row is None:
        return None
    base = f"{origin}/gateway"
    return {
        "intent_id": row.intent_id,
        "amount_minor": row.amount_minor,
        "client_secret": row.client_secret,
        "gateway_url": base,
        "card_page_url": (
            f"{base}/pay/{row.intent_id}?client_secret={row.client_secret}"
            f"&return_url={origin}/orders/{order.public_id}"
        ),
    }


def _actions(order: Order) -> list[str]:
    return {
        OrderState.PENDING_PAYMENT.value: ["pay", "cancel"],
        OrderState.PAID.value: ["cancel", "refund"],
        OrderState.SHIPPED.value: ["confirm_receipt", "refund"],
        OrderState.COMPLETED.value: ["refund"],
    }.get(order.state, [])


def invoice_brief(summary: InvoiceSummary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    return {
        "number": summary.number,
        "kind": summary.kind,
        "state": summary.state,
        "gross_minor": summary.gross_minor,
        "red_minor": summary.red_minor,
    }


def list_enterprise_orders(
    *, enterprise_id: int, month: tuple[datetime, datetime] | None, before: int | None, limit: int
) -> tuple[list[tuple[int, dict[str, Any]]], int]:
    """Orders that used credit, newest first, without any employee's name (rule 22); and how many
    there are."""
    where = [
        Order.enterprise_id == enterprise_id,
        Order.credit_minor > 0,
        Order.paid_at.is_not(None),
    ]
    if month:
        where += [Order.paid_at >= month[0], Order.paid_at < month[1]]
    statement = select(Order).where(*where).order_by(Order.id.desc()).limit(limit)
    if before:
        statement = statement.where(Order.id < before)
    orders = db.session.scalars(statement).all()
    merchants = dict(
        db.session.execute(
            select(SubOrder.order_id, func.count())
            .where(SubOrder.order_id.in_([order.id for order in orders]))
            .group_by(SubOrder.order_id)
        )
        .tuples()
        .all()
    )
    invoices = invoice_summaries(order_ids=[order.public_id for order in orders])
    total = db.session.scalar(select(func.count()).select_from(Order).where(*where)) or 0
    rows = [
        (
            order.id,
            {
                "order_id": order.public_id,
                "created_at": rfc3339(order.created_at),
                "state": order.state,
                "merchant_count": merchants.get(order.id, 0),
                "rates": list(invoices[order.public_id].rates)
                if order.public_id in invoices
                else [],
                "credit_minor": order.credit_minor,
                "invoice": invoice_brief(invoices.get(order.public_id)),
            },
        )
        for order in orders
    ]
    return rows, total
