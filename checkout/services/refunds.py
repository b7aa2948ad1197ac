"""Refunds to the original lots and tenders, shown before they are asked for (Domain rule 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, func, select, update

from billing.sales import RefundLine, SaleRefund
from billing.services.invoices import draw_red_invoice
from billing.services.payables import record_refund
from checkout.models import Order, OrderFunding, OrderLine, Refund, SubOrder
from checkout.pricing import FREIGHT, GOODS
from checkout.refunding import (
    FundedShare,
    ReturnedLine,
    refund_shares,
    split_points_over_lots,
    step,
)
from checkout.services.orders import move_order
from checkout.states import BadOrderMove, OrderEventName, OrderState, SubOrderState
from enterprises.services.budgets import return_to_budgets
from kernel import clock, outbox
from kernel.auth.models import Tenant
from kernel.db import db, run
from kernel.errors import NotFound, Problem
from kernel.ids import public_id
from kernel.ledger.chart import Asset
from kernel.ledger.models import LedgerTransaction
from kernel.money import minor_to_points
from kernel.settings import get_settings
from points.services.holds import LotRefund, captured_lots, plan_refund, refund_lots
from shop.services.stock import return_stock

REFUNDABLE = (OrderState.PAID, OrderState.SHIPPED, OrderState.COMPLETED)


class ReturnTooMuch(Problem):
    code = "return_too_much"
    status = 409
    title = "退货数量超过可退数量"


class NotShippedYet(Problem):
    code = "not_shipped_yet"
    status = 409
    title = "还未发货，请选择仅退款"


class NoExchangeYet(Problem):
    """A new parcel instead of money needs the merchants' shipping, which is not built yet."""

    code = "exchange_not_available"
    status = 409
    title = "暂不支持换货，请选择退款后重新购买"


@dataclass(frozen=True)
class RefundPlan:
    """What would go back: funding rows (number → fen), lots (public id → amount), the view."""

    returned: tuple[ReturnedLine, ...]
    shares: Mapping[int, int]
    lots: Mapping[str, int]
    steps: Sequence[LotRefund]
    credit_minor: int
    points: int
    points_minor: int
    cash_minor: int
    view: dict[str, Any]

    @property
    def total_minor(self) -> int:
        return self.credit_minor + self.points_minor + self.cash_minor


def everything(order: Order) -> dict[str, int]:
    """All that can still be returned: ``line public id → quantity``."""
    rows = db.session.execute(
        select(OrderLine.public_id, OrderLine.quantity - OrderLine.refunded_quantity).where(
            OrderLine.order_id == order.id,
            OrderLine.kind == GOODS,
            OrderLine.quantity > OrderLine.refunded_quantity,
        )
    )
    return dict(rows.tuples().all())


def plan(*, order: Order, items: Mapping[str, int], kind: str) -> RefundPlan:
    """Compute a refund without changing anything: the preview, and the posting, to the fen (E11).

    ``items`` are quantities by line public id. Raises NotFound for a line of another order,
    :class:`ReturnTooMuch`, :class:`NotShippedYet`, BadOrderMove for an order that is not paid.
    """
    if order.state not in REFUNDABLE:
        raise BadOrderMove(extra={"state": order.state})
    if kind == "exchange":
        raise NoExchangeYet
    if kind != "refund" and order.state == OrderState.PAID:
        raise NotShippedYet
    lines = _lines(order)
    returned = _returned(lines, items)
    funding = db.session.scalars(
        select(OrderFunding)
        .where(OrderFunding.order_id == order.id)
        .order_by(OrderFunding.number)
        .execution_options(populate_existing=True)
    ).all()
    shares = refund_shares(
        returned,
        [
            FundedShare(f.number, f.line_number, f.kind, f.lot_id, f.amount_minor, f.refunded_minor)
            for f in funding
        ],
    )
    sums = {"credit": 0, "points": 0, "cash": 0}
    lots: dict[str, int] = {}
    for row in funding:
        amount = shares.get(row.number, 0)
        sums[row.kind] += amount
        if row.lot_id and amount:
            lots[row.lot_id] = lots.get(row.lot_id, 0) + amount
    points = minor_to_points(sums["points"])
    lots |= _points_back(order, funding, points)
    steps = plan_refund(order_id=order.public_id, amounts=lots)
    return RefundPlan(
        returned=returned,
        shares=shares,
        lots=lots,
        steps=steps,
        credit_minor=sums["credit"],
        points=points,
        points_minor=sums["points"],
        cash_minor=sums["cash"],
        view=_view(sums, points, steps, funding, shares, lines),
    )


def _lines(order: Order) -> Sequence[Row[*tuple[Any, ...]]]:
    return db.session.execute(
        select(OrderLine.__table__).where(OrderLine.order_id == order.id).order_by(OrderLine.number)
    ).all()


def _returned(
    lines: Sequence[Row[*tuple[Any, ...]]], items: Mapping[str, int]
) -> tuple[ReturnedLine, ...]:
    goods = {line.public_id: line for line in lines if line.kind == GOODS}
    now: dict[int, int] = {}
    for line_id, quantity in items.items():
        line = goods.get(line_id)
        if line is None:
            raise NotFound("订单里没有这件商品", extra={"line_id": line_id})
        left = line.quantity - line.refunded_quantity
        if quantity > left:
            raise ReturnTooMuch(extra={"line_id": line_id, "returnable": left})
        now[line.number] = quantity
    # Freight goes back with the last goods of its sub-order: nothing travels any more.
    left_by_merchant: dict[int, int] = {}
    for line in goods.values():
        left = line.quantity - line.refunded_quantity - now.get(line.number, 0)
        left_by_merchant[line.merchant_id] = left_by_merchant.get(line.merchant_id, 0) + left
    for line in lines:
        if (
            line.kind == FREIGHT
            and line.refunded_quantity == 0
            and left_by_merchant[line.merchant_id] == 0
        ):
            now[line.number] = 1
    return tuple(
        ReturnedLine(
            line=line.number,
            quantity=line.quantity,
            returned_before=line.refunded_quantity,
            returned_now=now[line.number],
            commission_minor=line.commission_minor,
        )
        for line in lines
        if line.number in now
    )


def _points_back(order: Order, funding: Sequence[OrderFunding], points: int) -> dict[str, int]:
    if points == 0:
        return {}
    before = minor_to_points(sum(f.refunded_minor for f in funding if f.kind == "points"))
    lots = captured_lots(order_id=order.public_id, asset=Asset.POINT)
    return dict(split_points_over_lots(before, points, lots))


def _view(
    sums: Mapping[str, int],
    points: int,
    steps: Sequence[LotRefund],
    funding: Sequence[OrderFunding],
    shares: Mapping[int, int],
    lines: Sequence[Row[*tuple[Any, ...]]],
) -> dict[str, Any]:
    names = {f.pot_id: f.source_name for f in funding if f.pot_id}
    by_pot: dict[tuple[str, str], int] = {}
    for entry in steps:
        if entry.pot_id:
            place = (entry.pot_id, entry.to)
            by_pot[place] = by_pot.get(place, 0) + entry.amount
    line_ids = {line.number: line.public_id for line in lines}
    return {
        "refund_minor": sums["credit"] + sums["points"] + sums["cash"],
        "tenders": {
            "credit": [
                {"pot_id": pot_id, "name": names[pot_id], "amount_minor": amount, "to": to}
                for (pot_id, to), amount in by_pot.items()
            ],
            "points": {"points": points, "amount_minor": sums["points"]},
            "cash_minor": sums["cash"],
        },
        "funding": [
            {
                "line_id": line_ids[f.line_number],
                "source": f"lot:{f.lot_id}" if f.lot_id else f.kind,
                "source_name": f.source_name,
                "pot_id": f.pot_id,
                "amount_minor": shares[f.number],
            }
            for f in funding
            if f.number in shares
        ],
    }


def refund(*, order: Order, items: Mapping[str, int], kind: str, reason: str, actor: str) -> Refund:
    """Give back what :func:`plan` says, in one transaction: lots, budgets, stock, books, invoice.

    The card's part is sent to the gateway afterwards; the order must be locked by the caller.
    """
    todo = plan(order=order, items=items, kind=kind)
    if not todo.returned:
        raise ReturnTooMuch("没有可退的商品")
    row = Refund(
        public_id=public_id("ref"),
        order_id=order.id,
        reason=reason,
        amount_minor=todo.total_minor,
        credit_minor=todo.credit_minor,
        points=todo.points,
        points_minor=todo.points_minor,
        cash_minor=todo.cash_minor,
        detail=todo.view,
        cash_state="in_transit" if todo.cash_minor else "none",
        ask_at=clock.now(),
        created_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    lines = {line.number: line for line in _lines(order)}
    back = _billing_refund(order, row, todo, lines)
    outcome = refund_lots(order_id=order.public_id, refund_id=row.public_id, amounts=todo.lots)
    return_to_budgets(amounts=outcome.to_budgets)
    if order.state == OrderState.PAID:
        return_stock(
            quantities={
                lines[r.line].offer_id: r.returned_now
                for r in todo.returned
                if lines[r.line].offer_id
            }
        )
    record_refund(back, origin_id=_sale_transaction(order.public_id))
    draw_red_invoice(back)
    _mark_returned(order, todo)
    _close_if_all_back(order, actor)
    outbox.emit("checkout.order_refunded", order_id=order.public_id)
    return row


def _sale_transaction(order_id: str) -> int | None:
    return db.session.scalar(
        select(LedgerTransaction.id).where(LedgerTransaction.key == f"sale:{order_id}")
    )


def _billing_refund(
    order: Order,
    row: Refund,
    todo: RefundPlan,
    lines: Mapping[int, Row[*tuple[Any, ...]]],
) -> SaleRefund:
    funding = db.session.execute(
        select(
            OrderFunding.number,
            OrderFunding.line_number,
            OrderFunding.kind,
            OrderFunding.refunded_minor,
        ).where(OrderFunding.order_id == order.id)
    ).all()
    now: dict[tuple[int, str], int] = {}
    credit_before: dict[str, int] = {}
    for f in funding:
        place = (f.line_number, f.kind)
        now[place] = now.get(place, 0) + todo.shares.get(f.number, 0)
        if f.kind == "credit":
            line_id = lines[f.line_number].public_id
            credit_before[line_id] = credit_before.get(line_id, 0) + f.refunded_minor
    tenants = dict(
        db.session.execute(
            select(Tenant.id, Tenant.public_id).where(
                Tenant.id.in_({order.enterprise_id, *(x.merchant_id for x in lines.values())})
            )
        )
        .tuples()
        .all()
    )
    return SaleRefund(
        order_id=order.public_id,
        refund_id=row.public_id,
        sequence=row.id,
        enterprise_public_id=tenants[order.enterprise_id],
        gateway=get_settings().gateway.value,
        lines=tuple(
            RefundLine(
                line_id=lines[r.line].public_id,
                kind=lines[r.line].kind,
                merchant_id=lines[r.line].merchant_id,
                merchant_public_id=tenants[lines[r.line].merchant_id],
                credit_minor=now.get((r.line, "credit"), 0),
                points_minor=now.get((r.line, "points"), 0),
                cash_minor=now.get((r.line, "cash"), 0),
                commission_minor=step(r.commission_minor, r),
            )
            for r in todo.returned
        ),
        credit_before=credit_before,
    )


def _mark_returned(order: Order, todo: RefundPlan) -> None:
    number, units = bindparam("the_number", type_=BigInteger), bindparam("u", type_=BigInteger)
    amount = bindparam("amount", type_=BigInteger)
    by_line: dict[int, int] = {}
    for row in db.session.execute(
        select(OrderFunding.number, OrderFunding.line_number).where(
            OrderFunding.order_id == order.id
        )
    ):
        share = todo.shares.get(row.number, 0)
        by_line[row.line_number] = by_line.get(row.line_number, 0) + share
    run(
        update(OrderLine)
        .where(OrderLine.order_id == order.id, OrderLine.number == number)
        .values(
            refunded_quantity=OrderLine.refunded_quantity + units,
            refunded_minor=OrderLine.refunded_minor + amount,
        ),
        [
            {"the_number": r.line, "u": r.returned_now, "amount": by_line.get(r.line, 0)}
            for r in todo.returned
        ],
    )
    if todo.shares:
        run(
            update(OrderFunding)
            .where(OrderFunding.order_id == order.id, OrderFunding.number == number)
            .values(refunded_minor=OrderFunding.refunded_minor + amount),
            [{"the_number": n, "amount": a} for n, a in todo.shares.items()],
        )
    order.refunded_minor += todo.total_minor
    db.session.flush()


def _close_if_all_back(order: Order, actor: str) -> None:
    """When all is returned the order is refunded (rule 31), and each sub-order with its goods."""
    left = dict(
        db.session.execute(
            select(
                OrderLine.merchant_id,
                func.sum(OrderLine.quantity - OrderLine.refunded_quantity),
            )
            .where(OrderLine.order_id == order.id, OrderLine.kind == GOODS)
            .group_by(OrderLine.merchant_id)
        )
        .tuples()
        .all()
    )
    done = [merchant_id for merchant_id, units in left.items() if units == 0]
    if done:
        run(
            update(SubOrder)
            .where(SubOrder.order_id == order.id, SubOrder.merchant_id.in_(done))
            .values(state=SubOrderState.CLOSED.value)
        )
    if len(done) == len(left):
        move_order(order=order, event=OrderEventName.REFUND_ALL, actor=actor)


def in_transit(*, order_id: int) -> list[int]:
    """Internal ids of refunds whose card part the gateway has not confirmed."""
    return list(
        db.session.scalars(
            select(Refund.id)
            .where(Refund.order_id == order_id, Refund.cash_state == "in_transit")
            .order_by(Refund.id)
        )
    )


def find_refund(*, order_id: int, refund_id: str) -> Refund:
    return db.session.scalars(
        select(Refund)
        .where(Refund.order_id == order_id, Refund.public_id == refund_id)
        .execution_options(populate_existing=True)
    ).one()
