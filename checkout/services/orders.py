"""Place, pay and close an order: each function is one committed step of Domain rule 28.

Hot writes are Core statements over many rows at once. Nothing here talks to the gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import BindParameter, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from billing.sales import Sale, SaleLine
from billing.services.invoices import draw_invoice
from billing.services.payables import record_sale
from checkout.models import (
    Order,
    OrderEvent,
    OrderFunding,
    OrderLine,
    Payment,
    Quote,
    SubOrder,
)
from checkout.pricing import FREIGHT
from checkout.services.quotes import check_for_sale, find_quote
from checkout.states import OrderEventName, OrderState, SubOrderState, next_state
from enterprises.services.companies import programme_of
from enterprises.services.eligibility import Viewer
from kernel import clock, faults, outbox
from kernel.auth.models import Tenant
from kernel.auth.policy import Actor
from kernel.db import changed_rows, db, run
from kernel.errors import Problem
from kernel.ids import public_id
from kernel.settings import get_settings
from points.services.holds import InsufficientCredit, capture_hold, hold_lots, void_hold
from shop.services.cart import remove_bought
from shop.services.catalogue import UnknownOffer, find_offers
from shop.services.stock import capture_stock, hold_stock, release_stock

SYSTEM = "system"
# When the gateway is first asked whether a card paid, if its notice has not come by then.
_FIRST_ASK = timedelta(minutes=1)

# Statements of the hot path are made once: building one costs more than running it.
_ORDER = cast("Table", Order.__table__)
_LINE = cast("Table", OrderLine.__table__)
_THE_ORDER: BindParameter[Any] = bindparam("the_order")
_INSERT_ORDER = insert(_ORDER)
_INSERT_SUB_ORDERS = insert(cast("Table", SubOrder.__table__))
_INSERT_LINES = insert(_LINE)
_INSERT_FUNDING = insert(cast("Table", OrderFunding.__table__))
_INSERT_PAYMENT = insert(cast("Table", Payment.__table__))
_INSERT_EVENT = insert(cast("Table", OrderEvent.__table__))
_MOVE = (
    update(_ORDER)
    .where(_ORDER.c.id == _THE_ORDER, _ORDER.c.state == bindparam("old_state"))
    .values(state=bindparam("new_state"), paid_at=bindparam("new_paid_at"))
)
_FUNDING = select(OrderFunding.line_number, OrderFunding.kind, OrderFunding.amount_minor).where(
    OrderFunding.order_id == _THE_ORDER
)
_LINES = select(_LINE).where(_LINE.c.order_id == _THE_ORDER).order_by(_LINE.c.number)
_TENANTS = select(Tenant.id, Tenant.public_id).where(
    (Tenant.id == bindparam("the_enterprise"))
    | Tenant.id.in_(select(SubOrder.merchant_id).where(SubOrder.order_id == _THE_ORDER))
)
_LOCK = (
    select(Order)
    .where(Order.id == _THE_ORDER)
    .with_for_update()
    .execution_options(populate_existing=True)
)


class QuoteExpired(Problem):
    code = "quote_expired"
    status = 409
    title = "报价已过期，请重新确认价格"


class QuoteUsed(Problem):
    code = "quote_used"
    status = 409
    title = "这份报价已经下过单"


class PriceChanged(Problem):
    """Raised inside the transaction; the edge adds a fresh quote to it."""

    code = "price_changed"
    status = 409
    title = "价格有变化，请确认新的价格，没有扣款"


def place_order(*, actor: Actor, quote_id: str) -> Order:
    """Turn a quote into an order that holds its stock, lots and points.

    Paid at once where nothing is left for the card. Raises :class:`QuoteExpired`,
    :class:`QuoteUsed`, :class:`PriceChanged`, UnknownOffer, OutOfStock, InsufficientCredit,
    InsufficientPoints; nothing has moved then.
    """
    quote = find_quote(actor=actor, quote_id=quote_id)
    if quote.expires_at <= clock.now():
        raise QuoteExpired
    snapshot = quote.snapshot
    if snapshot["tenders"]["credit"] and not actor.active:
        raise InsufficientCredit("已离职，不能再使用这家企业的福利额度")
    _check_still_true(actor, snapshot)
    order = _insert_order(actor, quote, snapshot)
    hold_stock(
        order_id=order.public_id,
        quantities={
            line["offer_pk"]: line["quantity"] for line in snapshot["lines"] if line["offer_pk"]
        },
    )
    hold_lots(order_id=order.public_id, amounts=snapshot["lots"])
    remove_bought(
        membership_id=actor.membership_id,
        offer_ids=[line["offer_pk"] for line in snapshot["lines"] if line["offer_pk"]],
    )
    if order.cash_minor == 0:
        capture_order(order=order, actor=actor.person_public_id)
    return order


def _check_still_true(actor: Actor, snapshot: Mapping[str, Any]) -> None:
    """Prices, sale and programme as they are now, read again from the database (S2)."""
    goods = [line for line in snapshot["lines"] if line["kind"] != FREIGHT]
    offers = find_offers(line["offer_id"] for line in goods)
    rule, version = programme_of(enterprise_id=actor.tenant_id)
    viewer = Viewer(actor.membership_id, actor.person_id, actor.tenant_id, rule, version)
    for line in goods:
        offer = offers.get(line["offer_id"])
        if offer is None:
            raise UnknownOffer(extra={"offer_id": line["offer_id"]})
        check_for_sale(viewer, offer)
        if offer.price_minor != line["unit_price_minor"]:
            raise PriceChanged


def _insert_order(actor: Actor, quote: Quote, snapshot: Mapping[str, Any]) -> Order:
    at = clock.now()
    tenders = snapshot["tenders"]
    entity = snapshot["billing_entity"]
    values: dict[str, Any] = {
        "public_id": public_id("ord"),
        "quote_id": quote.id,
        "person_id": actor.person_id,
        "membership_id": actor.membership_id,
        "enterprise_id": actor.tenant_id,
        "billing_entity_id": entity["id"] if entity else None,
        "state": OrderState.PENDING_PAYMENT.value,
        "goods_minor": snapshot["goods_minor"],
        "discount_minor": snapshot["saved_minor"],
        "freight_minor": snapshot["freight_minor"],
        "payable_minor": snapshot["payable_minor"],
        "credit_minor": sum(entry["amount_minor"] for entry in tenders["credit"]),
        "points": tenders["points"]["points"],
        "points_minor": tenders["points"]["amount_minor"],
        "cash_minor": tenders["cash_minor"],
        "refunded_minor": 0,
        "address_sealed": snapshot["address"]["sealed"],
        "region_code": snapshot["address"]["region_code"],
        "created_at": at,
        "pay_before_at": at + timedelta(minutes=get_settings().hold_minutes),
        "paid_at": None,
    }
    try:
        result = run(_INSERT_ORDER, [values])
    except IntegrityError:
        # The quote's own unique key: somebody has ordered by it, under another key.
        db.session.rollback()
        placed = db.session.scalar(
            select(Order.public_id).where(Order.quote_id == values["quote_id"])
        )
        raise QuoteUsed(extra={"order_id": placed}) from None
    order = Order(id=result.lastrowid, **values)
    _insert_parts(order, snapshot, at)
    return order


def _insert_parts(order: Order, snapshot: Mapping[str, Any], at: datetime) -> None:
    lines = snapshot["lines"]
    subs: dict[int, dict[str, Any]] = {}
    for line in lines:
        sub = subs.setdefault(
            line["merchant_pk"],
            {
                "order_id": order.id,
                "merchant_id": line["merchant_pk"],
                "public_id": public_id("sub"),
                "state": SubOrderState.TO_SHIP.value,
                "goods_minor": 0,
                "freight_minor": 0,
            },
        )
        column = "freight_minor" if line["kind"] == FREIGHT else "goods_minor"
        sub[column] += line["payable_minor"]
    run(_INSERT_SUB_ORDERS, list(subs.values()))
    run(_INSERT_LINES, [_line_row(order.id, n, line) for n, line in enumerate(lines)])
    funding = [
        {
            "order_id": order.id,
            "number": number,
            "line_number": row["line"],
            "kind": row["kind"],
            "lot_id": row["lot_id"],
            "pot_id": row["pot_id"],
            "source_name": row["source_name"],
            "amount_minor": row["amount_minor"],
            "refunded_minor": 0,
        }
        for number, row in enumerate(snapshot["funding"])
    ]
    if funding:  # an order may cost nothing
        run(_INSERT_FUNDING, funding)
    if order.cash_minor:
        settings = get_settings()
        run(
            _INSERT_PAYMENT,
            [
                {
                    "order_id": order.id,
                    "gateway": settings.gateway.value,
                    "amount_minor": order.cash_minor,
                    "state": "open",
                    "ask_at": at + _FIRST_ASK,
                }
            ],
        )


_COPIED = (
    "kind", "product_id", "title", "sku_name", "image", "unit", "tax_code", "rate_bp",
    "treatment", "category_name", "commission_minor", "quantity", "unit_price_minor",
    "gross_minor", "discount_minor", "payable_minor",
)  # fmt: skip


def _line_row(order_id: int, number: int, line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in _COPIED} | {
        "order_id": order_id,
        "number": number,
        "public_id": line["line_id"],
        "merchant_id": line["merchant_pk"],
        "offer_id": line["offer_pk"],
        "refunded_quantity": 0,
        "refunded_minor": 0,
    }


def move_order(*, order: Order, event: OrderEventName, actor: str) -> bool:
    """Move the state by the table, once, with history. False where somebody else moved it first.

    Raises BadOrderMove for a move that is not allowed.
    """
    target = next_state(OrderState(order.state), event)
    at = clock.now()
    values: dict[str, Any] = {
        "new_state": target.value,
        "new_paid_at": at if event is OrderEventName.PAY else order.paid_at,
    }
    if not changed_rows(_MOVE, [{"the_order": order.id, "old_state": order.state} | values]):
        return False
    # The row has them already, so the session must not write them again.
    set_committed_value(order, "state", values["new_state"])
    set_committed_value(order, "paid_at", values["new_paid_at"])
    history = {"order_id": order.id, "state": target.value, "event": event.value, "actor": actor}
    run(_INSERT_EVENT, [history | {"at": at}])
    return True


def capture_order(*, order: Order, actor: str) -> bool:
    """The order is paid: stock sold, holds spent, books written, invoice drawn, all or nothing.

    False where it was captured before.
    """
    if order.state != OrderState.PENDING_PAYMENT:
        return False
    if not move_order(order=order, event=OrderEventName.PAY, actor=actor):
        return False
    capture_stock(order_id=order.public_id)
    capture_hold(order_id=order.public_id)
    sale = _sale(order)
    record_sale(sale)
    draw_invoice(sale)
    outbox.emit("checkout.order_paid", order_ids=[order.public_id])
    faults.point("capture_before_commit")
    return True


def _sale(order: Order) -> Sale:
    """The order as billing takes it. A cash-only order needs no gateway name of its own."""
    tenants = _tenants(order)
    paid: dict[tuple[int, str], int] = {}
    for row in run(_FUNDING, [{"the_order": order.id}]):
        place = (row.line_number, row.kind)
        paid[place] = paid.get(place, 0) + row.amount_minor
    lines = run(_LINES, [{"the_order": order.id}]).all()
    return Sale(
        order_id=order.public_id,
        sequence=order.id,
        enterprise_id=order.enterprise_id,
        enterprise_public_id=tenants[order.enterprise_id],
        billing_entity_id=order.billing_entity_id,
        gateway=get_settings().gateway.value,
        lines=tuple(
            SaleLine(
                line_id=line.public_id,
                kind=line.kind,
                merchant_id=line.merchant_id,
                merchant_public_id=tenants[line.merchant_id],
                name=line.title,
                spec=line.sku_name,
                unit=line.unit,
                tax_code=line.tax_code,
                category_name=line.category_name,
                rate_bp=line.rate_bp,
                treatment=line.treatment,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                payable_minor=line.payable_minor,
                commission_minor=line.commission_minor,
                credit_minor=paid.get((line.number, "credit"), 0),
                points_minor=paid.get((line.number, "points"), 0),
                cash_minor=paid.get((line.number, "cash"), 0),
            )
            for line in lines
        ),
    )


def _tenants(order: Order) -> dict[int, str]:
    rows = run(_TENANTS, [{"the_order": order.id, "the_enterprise": order.enterprise_id}])
    return {row.id: row.public_id for row in rows}


def close_order(*, order: Order, actor: str) -> bool:
    """Give up an unpaid order: stock, lots and points can be used again.

    False where it was paid or closed before.
    """
    if order.state != OrderState.PENDING_PAYMENT:
        return False
    if not move_order(order=order, event=OrderEventName.CLOSE, actor=actor):
        return False
    release_stock(order_id=order.public_id)
    void_hold(order_id=order.public_id)
    run(
        update(SubOrder)
        .where(SubOrder.order_id == order.id)
        .values(state=SubOrderState.CLOSED.value)
    )
    run(
        update(Payment)
        .where(Payment.order_id == order.id, Payment.state == "open")
        .values(state="canceled")
    )
    outbox.emit("checkout.order_closed", order_id=order.public_id)
    return True


def confirm_receipt(*, order: Order, actor: str) -> None:
    """The buyer has the goods. Raises BadOrderMove unless all is shipped."""
    move_order(order=order, event=OrderEventName.CONFIRM_RECEIPT, actor=actor)
    run(
        update(SubOrder)
        .where(SubOrder.order_id == order.id, SubOrder.state == SubOrderState.SHIPPED.value)
        .values(state=SubOrderState.RECEIVED.value)
    )


def lock_order(*, order_id: int) -> Order:
    """The order's row, locked where the database locks rows; fresh from the database."""
    return db.session.scalars(_LOCK, {"the_order": order_id}).one()
