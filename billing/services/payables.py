"""The money side of a sale and of a refund: one balanced CNY transaction each (rule 24)."""

from __future__ import annotations

from typing import cast

from sqlalchemy import BigInteger, Table, bindparam, insert, update

from billing.models import Payable
from billing.sales import FREIGHT, Sale, SaleRefund
from kernel import clock
from kernel.db import run
from kernel.ledger.chart import (
    Asset,
    bank_points_receivable,
    enterprise_receivable,
    funder_discount,
    gateway_clearing,
    gateway_refunds_in_transit,
    merchant_payable,
    platform_commission,
)
from kernel.ledger.services import Entry, move, post

_INSERT_PAYABLES = insert(cast("Table", Payable.__table__))


def record_sale(sale: Sale) -> None:
    """Post who owes what for a paid order, and keep each merchant's share.

    Debits the enterprise (credit), the bank (points), the gateway (card) and the funders of
    discounts; credits merchants less commission, and the commission. An order that costs nothing
    posts nothing.
    """
    cny = Asset.CNY
    entries = [
        Entry(
            enterprise_receivable(sale.enterprise_public_id),
            cny,
            sum(line.credit_minor for line in sale.lines),
        ),
        Entry(bank_points_receivable(), cny, sum(line.points_minor for line in sale.lines)),
        Entry(gateway_clearing(sale.gateway), cny, sum(line.cash_minor for line in sale.lines)),
        Entry(platform_commission(), cny, -sum(line.commission_minor for line in sale.lines)),
    ]
    for line in sale.lines:
        owed = line.payable_minor - line.commission_minor
        entries.append(Entry(merchant_payable(line.merchant_public_id), cny, -owed))
    for (kind, funder, merchant), amount in sale.funded_discounts.items():
        entries.append(Entry(funder_discount(kind, funder), cny, amount))
        entries.append(Entry(merchant_payable(merchant), cny, -amount))
    if any(entry.amount for entry in entries):
        post(key=f"sale:{sale.order_id}", reason="sale", order_id=sale.order_id, entries=entries)
    _keep_payables(sale)


def _keep_payables(sale: Sale) -> None:
    rows: dict[int, dict[str, object]] = {}
    for line in sale.lines:
        row = rows.setdefault(
            line.merchant_id,
            {
                "order_id": sale.order_id,
                "merchant_id": line.merchant_id,
                "goods_minor": 0,
                "freight_minor": 0,
                "commission_minor": 0,
                "refunded_minor": 0,
                "refunded_commission_minor": 0,
                "recorded_at": clock.now(),
            },
        )
        column = "freight_minor" if line.kind == FREIGHT else "goods_minor"
        row[column] += line.payable_minor  # type: ignore[operator]  # the amounts are ints
        row["commission_minor"] += line.commission_minor  # type: ignore[operator]
    run(_INSERT_PAYABLES, list(rows.values()))


def record_refund(refund: SaleRefund, *, origin_id: int | None) -> None:
    """The opposite for what goes back; the card's part waits in transit for the gateway.

    A piece of a line that cost less than a fen a piece may give nothing back: nothing is posted.
    """
    cny = Asset.CNY
    entries = [
        Entry(
            enterprise_receivable(refund.enterprise_public_id),
            cny,
            -sum(line.credit_minor for line in refund.lines),
        ),
        Entry(bank_points_receivable(), cny, -sum(line.points_minor for line in refund.lines)),
        Entry(
            gateway_refunds_in_transit(refund.gateway),
            cny,
            -sum(line.cash_minor for line in refund.lines),
        ),
        Entry(platform_commission(), cny, sum(line.commission_minor for line in refund.lines)),
    ]
    for line in refund.lines:
        owed = line.total_minor - line.commission_minor
        entries.append(Entry(merchant_payable(line.merchant_public_id), cny, owed))
    if any(entry.amount for entry in entries):
        post(
            key=f"refund-sale:{refund.refund_id}",
            reason="refund_sale",
            order_id=refund.order_id,
            origin_id=origin_id,
            entries=entries,
        )
    run(
        update(Payable)
        .where(
            Payable.order_id == refund.order_id,
            Payable.merchant_id == bindparam("the_merchant", type_=BigInteger),
        )
        .values(
            refunded_minor=Payable.refunded_minor + bindparam("back", type_=BigInteger),
            refunded_commission_minor=Payable.refunded_commission_minor
            + bindparam("commission_back", type_=BigInteger),
        ),
        [
            {
                "the_merchant": line.merchant_id,
                "back": line.total_minor,
                "commission_back": line.commission_minor,
            }
            for line in refund.lines
        ],
    )


def settle_card_refund(*, order_id: str, refund_id: str, gateway: str, amount_minor: int) -> None:
    """The gateway has given the card's part back: it leaves what the gateway owes us."""
    post(
        key=f"refund-card:{refund_id}",
        reason="refund_card",
        order_id=order_id,
        entries=move(
            Asset.CNY,
            amount_minor,
            source=gateway_clearing(gateway),
            target=gateway_refunds_in_transit(gateway),
        ),
    )
