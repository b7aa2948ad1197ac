"""Draw an order's single invoice, reverse it, and find it again (Domain rules 11, 12, 27)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
from sqlalchemy import Table, func, insert, select

from billing.documents.invoice import InvoiceDocument, InvoiceKind
from billing.invoicing import (
    DetailMode,
    InvoiceLine,
    InvoiceSource,
    LineKind,
    Party,
    SourceLine,
    TaxClass,
    TaxTreatment,
    build_lines,
    invoice_number,
    reverse,
    split_freight,
    totals_of,
)
from billing.models import Invoice
from billing.sales import FREIGHT, GOODS, Sale, SaleLine, SaleRefund
from enterprises.services.companies import BillingEntityView, invoice_terms
from kernel import clock
from kernel.db import db, run
from kernel.errors import NotFound
from kernel.ids import public_id
from kernel.settings import get_settings

DRAWN = "drawn"
_INSERT = insert(cast("Table", Invoice.__table__))
# Blue and red invoices number different things, orders and refunds, so each has its channel.
_CHANNELS = {InvoiceKind.BLUE: "1", InvoiceKind.RED: "2"}


class NoEnterpriseInvoice(NotFound):
    code = "no_enterprise_invoice"
    title = "这张订单没有企业发票"


def draw_invoice(sale: Sale) -> str | None:
    """Draw the blue invoice of what credit paid, in the transaction that pays the order.

    Returns its number; None where no credit was used. The database holds one for each order.
    """
    if sale.billing_entity_id is None or not any(line.credit_minor for line in sale.lines):
        return None
    entity, detail = invoice_terms(entity_id=sale.billing_entity_id)
    at = clock.now()
    source = InvoiceSource(
        order_id=sale.order_id,
        buyer=_buyer(entity),
        seller=_seller(),
        drawn_at=at,
        detail=DetailMode(detail),
        lines=tuple(_source_lines(sale.lines)),
    )
    document = InvoiceDocument(
        number=_number(InvoiceKind.BLUE, at, sale.sequence),
        kind=InvoiceKind.BLUE,
        state=DRAWN,
        drawn_at=at,
        order_id=sale.order_id,
        buyer=source.buyer,
        seller=source.seller,
        lines=build_lines(source),
    )
    _keep(
        document,
        key=sale.order_id,
        enterprise_id=sale.enterprise_id,
        billing_entity_id=entity.public_id,
        origin_id=None,
    )
    return document.number


def _number(kind: InvoiceKind, at: datetime, sequence: int) -> str:
    return invoice_number(year=at.year, sequence=sequence, channel=_CHANNELS[kind])


def _buyer(entity: BillingEntityView) -> Party:
    return Party(
        name=entity.name,
        tax_number=entity.tax_number,
        address=entity.address_phone,
        bank=entity.bank_account,
    )


def _seller() -> Party:
    settings = get_settings()
    return Party(name=settings.seller_name, tax_number=settings.seller_tax_number)


def _source_lines(lines: Sequence[SaleLine]) -> Iterable[SourceLine]:
    """Goods in order, then each sub-order's freight over the rates of its goods (rule 26)."""
    goods: dict[int, list[SourceLine]] = {}
    for line in lines:
        if line.kind == GOODS:
            source = _source_line(line, LineKind.ITEM)
            goods.setdefault(line.merchant_id, []).append(source)
            yield source
    for line in lines:
        if line.kind == FREIGHT:
            yield from split_freight(
                _source_line(line, LineKind.FREIGHT), goods.get(line.merchant_id, [])
            )


def _source_line(line: SaleLine, kind: LineKind) -> SourceLine:
    return SourceLine(
        line_id=line.line_id,
        name=line.name,
        tax=TaxClass(
            code=line.tax_code,
            rate_bp=line.rate_bp,
            treatment=TaxTreatment(line.treatment),
            short_name=line.category_name,
        ),
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        payable_minor=line.payable_minor,
        credit_minor=line.credit_minor,
        spec=line.spec,
        unit=line.unit,
        kind=kind,
    )


def _keep(
    document: InvoiceDocument,
    *,
    key: str,
    enterprise_id: int,
    billing_entity_id: str,
    origin_id: int | None,
) -> None:
    totals = totals_of(document.lines)
    run(
        _INSERT,
        [
            {
                "public_id": public_id("inv"),
                "number": document.number,
                "key": key,
                "kind": document.kind.value,
                "order_id": document.order_id,
                "origin_id": origin_id,
                "enterprise_id": enterprise_id,
                "billing_entity_id": billing_entity_id,
                "net_minor": totals.net_minor,
                "tax_minor": totals.tax_minor,
                "gross_minor": totals.gross_minor,
                "document": msgspec.to_builtins(document),
                "state": document.state,
                "drawn_at": document.drawn_at,
            }
        ],
    )


def draw_red_invoice(refund: SaleRefund) -> str | None:
    """Reverse what of the blue invoice goes back; the refund does not wait for it (rule 15).

    Returns the red invoice's number; None where no credit goes back.
    """
    if not any(line.credit_minor for line in refund.lines):
        return None
    blue = db.session.scalars(
        select(Invoice).where(
            Invoice.order_id == refund.order_id, Invoice.kind == InvoiceKind.BLUE.value
        )
    ).one()
    original = _document(blue, ())
    after = dict(refund.credit_before)
    for line in refund.lines:
        after[line.line_id] = after.get(line.line_id, 0) + line.credit_minor
    at = clock.now()
    lines: tuple[InvoiceLine, ...] = reverse(
        original.lines, before=refund.credit_before, after=after
    )
    document = InvoiceDocument(
        number=_number(InvoiceKind.RED, at, refund.sequence),
        kind=InvoiceKind.RED,
        state=DRAWN,
        drawn_at=at,
        order_id=refund.order_id,
        buyer=original.buyer,
        seller=original.seller,
        lines=lines,
        red_of=blue.number,
    )
    _keep(
        document,
        key=refund.refund_id,
        enterprise_id=blue.enterprise_id,
        billing_entity_id=blue.billing_entity_id,
        origin_id=blue.id,
    )
    return document.number


def _document(row: Invoice, red: Sequence[tuple[str, int]]) -> InvoiceDocument:
    content = {**row.document, "state": row.state, "red": list(red)}
    return msgspec.convert(content, InvoiceDocument)


def find_invoice(*, order_id: str) -> InvoiceDocument:
    """The order's blue invoice with what was reversed. Raises :class:`NoEnterpriseInvoice`."""
    rows = db.session.scalars(
        select(Invoice).where(Invoice.order_id == order_id).order_by(Invoice.id)
    ).all()
    blue = next((row for row in rows if row.kind == InvoiceKind.BLUE.value), None)
    if blue is None:
        raise NoEnterpriseInvoice
    red = [(row.number, row.gross_minor) for row in rows if row.origin_id == blue.id]
    return _document(blue, red)


def find_red_invoice(*, order_id: str, number: str) -> InvoiceDocument:
    """A red invoice of the order by number. Raises :class:`NoEnterpriseInvoice`."""
    row = db.session.scalar(
        select(Invoice).where(
            Invoice.order_id == order_id,
            Invoice.number == number,
            Invoice.kind == InvoiceKind.RED.value,
        )
    )
    if row is None:
        raise NoEnterpriseInvoice
    return _document(row, ())


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    number: str
    kind: str
    state: str
    gross_minor: int
    red_minor: int
    rates: tuple[str, ...]


def invoice_summaries(*, order_ids: Sequence[str]) -> dict[str, InvoiceSummary]:
    """The blue invoice of each order, with the sum that was reversed (a negative amount)."""
    if not order_ids:
        return {}
    rows = db.session.scalars(select(Invoice).where(Invoice.order_id.in_(order_ids))).all()
    red: dict[str, int] = {}
    for row in rows:
        if row.kind == InvoiceKind.RED.value:
            red[row.order_id] = red.get(row.order_id, 0) + row.gross_minor
    return {
        row.order_id: InvoiceSummary(
            number=row.number,
            kind=row.kind,
            state=row.state,
            gross_minor=row.gross_minor,
            red_minor=red.get(row.order_id, 0),
            rates=_rates(row),
        )
        for row in rows
        if row.kind == InvoiceKind.BLUE.value
    }


def _rates(row: Invoice) -> tuple[str, ...]:
    found = {line.tax.rate_bp: line.tax.rate_text for line in _document(row, ()).lines}
    return tuple(found[bp] for bp in sorted(found, reverse=True))


def verify_invoices() -> list[str]:
    """Each order has at most one blue invoice, and red ones never go beyond it."""
    origin = Invoice.__table__.alias("origin")
    rows = db.session.execute(
        select(origin.c.number, origin.c.gross_minor, func.sum(Invoice.gross_minor).label("red"))
        .join(origin, origin.c.id == Invoice.origin_id)
        .group_by(origin.c.number, origin.c.gross_minor)
        .having(func.sum(Invoice.gross_minor) + origin.c.gross_minor < 0)
        .limit(20)
    )
    return [f"invoice {row.number}: {row.red} reversed of {row.gross_minor}" for row in rows]
