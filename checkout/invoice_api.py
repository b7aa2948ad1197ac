"""An order's invoice as page, PDF and XML, for the enterprise's finance and for the buyer.

It stands in checkout because who may see it follows from the order; drawing and rendering are
billing's.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from flask import Response, request

from billing.documents.invoice import CHINA, InvoiceDocument, to_json
from billing.documents.pdf import render_pdf
from billing.documents.xml import render_xml
from billing.services.invoices import NoEnterpriseInvoice, find_invoice, find_red_invoice
from checkout.answers import EnterpriseOrdersOut, InvoiceOut
from checkout.schemas import EnterpriseOrdersIn, position
from checkout.services.views import (
    find_enterprise_order,
    find_order,
    list_enterprise_orders,
)
from enterprises.services.companies import find_enterprise
from kernel import cursors
from kernel.auth.policy import Role, TenantKind
from kernel.cache import get_cache
from kernel.clock import rfc3339
from kernel.errors import NotFound
from kernel.web import api_blueprint, current_actor

blueprint = api_blueprint("invoices", __name__)

_PDF_KEPT_SECONDS = 600


def _document(order_id: str) -> InvoiceDocument:
    """404 for whoever may not see the order; ``?red=NUMBER`` asks for one of its red invoices."""
    actor = current_actor()
    if actor.has(Role.FINANCE, Role.HR) and actor.tenant_kind is TenantKind.ENTERPRISE:
        try:
            order = find_order(actor=actor, order_id=order_id)
        except NotFound:
            order = find_enterprise_order(enterprise_id=actor.tenant_id, order_id=order_id)
    else:
        order = find_order(actor=actor, order_id=order_id)
        if not find_enterprise(enterprise_id=order.enterprise_id).employee_sees_invoice:
            raise NoEnterpriseInvoice
    red = request.args.get("red", "")
    if red:
        return find_red_invoice(order_id=order.public_id, number=red)
    return find_invoice(order_id=order.public_id)


@blueprint.route("/orders/<order_id>/invoice")
@blueprint.response(200, InvoiceOut)
def show_invoice(order_id: str) -> dict[str, Any]:
    """The enterprise's single invoice of an order."""
    document = _document(order_id)
    return to_json(document) | {"drawn_at": rfc3339(document.drawn_at)}


def _file(content: bytes, mimetype: str, name: str) -> Response:
    response = Response(content, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


@blueprint.route("/orders/<order_id>/invoice.pdf")
@blueprint.alt_response(200, description="PDF with an embedded Chinese font")
def invoice_pdf(order_id: str) -> Response:
    """The invoice for people."""
    document = _document(order_id)
    # Named by all that is drawn, so there is nothing to forget when something changes.
    drawn = sha256(repr(document).encode()).hexdigest()
    content = get_cache().get_or_compute(
        "invoice-pdf", drawn, lambda: render_pdf(document), seconds=_PDF_KEPT_SECONDS
    )
    return _file(content, "application/pdf", f"invoice-{document.number}.pdf")


@blueprint.route("/orders/<order_id>/invoice.xml")
@blueprint.alt_response(200, description="XML by the published schema")
def invoice_xml(order_id: str) -> Response:
    """The invoice for machines."""
    document = _document(order_id)
    return _file(render_xml(document), "application/xml", f"invoice-{document.number}.xml")


def _month(text: str | None) -> tuple[datetime, datetime] | None:
    """``2026-11`` as the month's first moment in China and the next month's."""
    if text is None:
        return None
    year, month = map(int, text.split("-"))
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=CHINA), datetime(*following, 1, tzinfo=CHINA)


@blueprint.route("/enterprise/orders")
@blueprint.arguments(EnterpriseOrdersIn, location="query")
@blueprint.response(200, EnterpriseOrdersOut)
def enterprise_orders(query: dict[str, Any]) -> dict[str, Any]:
    """Orders that the enterprise's credit paid, each with its invoice; no employee is named."""
    rows, total = list_enterprise_orders(
        enterprise_id=current_actor().tenant_id,
        month=_month(query["month"]),
        before=position(query["cursor"]),
        limit=query["limit"] + 1,
    )
    page = rows[: query["limit"]]
    more = len(rows) > len(page)
    return {
        "items": [view for _, view in page],
        "total": total,
        "next_cursor": cursors.pack(page[-1][0]) if more else None,
    }
