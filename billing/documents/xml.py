"""The invoice for machines, by the published schema ``billing/schema/invoice-1.xsd``."""

from __future__ import annotations

import re
from datetime import UTC
from decimal import Decimal
from pathlib import Path

from lxml import etree

from billing.documents.capitals import capitals
from billing.documents.invoice import InvoiceDocument, decimal_text
from billing.invoicing import InvoiceLine, Party

NAMESPACE = "urn:fuman:billing:invoice:1"
SCHEMA_PATH = Path(__file__).parents[1] / "schema" / "invoice-1.xsd"

# What XML 1.0 cannot hold even escaped; a merchant's title may carry any of it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_xml(document: InvoiceDocument) -> bytes:
    """UTF-8 with declaration. Characters that XML cannot hold are left out of names and remarks."""
    root = etree.XML(f'<Invoice xmlns="{NAMESPACE}"/>')
    root.set("version", "1")
    root.set("kind", document.kind.value)
    _text(root, "Number", document.number)
    _text(root, "State", document.state)
    moment = document.drawn_at.astimezone(UTC).replace(microsecond=0)
    _text(root, "DrawnAt", moment.isoformat().replace("+00:00", "Z"))
    _text(root, "OrderId", document.order_id)
    if document.red_of:
        _text(root, "Reverses", document.red_of)
    _text(root, "Currency", "CNY")
    _party(root, "Buyer", document.buyer)
    _party(root, "Seller", document.seller)
    lines = _element(root, "Lines")
    for number, line in enumerate(document.lines, start=1):
        _line(lines, number, line)
    totals = document.totals
    block = _element(root, "Totals")
    _text(block, "Net", yuan(totals.net_minor))
    _text(block, "Tax", yuan(totals.tax_minor))
    _text(block, "Gross", yuan(totals.gross_minor))
    _text(block, "GrossInCapitals", capitals(totals.gross_minor))
    _text(root, "Remark", "\n".join(document.remarks))
    if document.notice:
        _text(root, "Notice", document.notice)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def yuan(minor: int) -> str:
    """Fen as yuan with exactly two places and no separators: ``-1234.50``."""
    whole, fen = divmod(abs(minor), 100)
    return f"{'-' if minor < 0 else ''}{whole}.{fen:02d}"


def _party(parent: etree._Element, tag: str, party: Party) -> None:
    block = _element(parent, tag)
    _text(block, "Name", party.name)
    _text(block, "TaxNumber", party.tax_number)
    for name, value in (
        ("Address", party.address),
        ("Phone", party.phone),
        ("Bank", party.bank),
    ):
        if value:
            _text(block, name, value)


def _line(parent: etree._Element, number: int, line: InvoiceLine) -> None:
    block = _element(parent, "Line", no=str(number), kind=line.kind.value)
    _text(block, "Name", line.name)
    if line.tax.short_name:
        _text(block, "TaxCategory", line.tax.short_name)
    _text(block, "TaxCode", line.tax.code)
    for name, value in (("Specification", line.spec), ("Unit", line.unit)):
        if value:
            _text(block, name, value)
    if line.quantity is not None and line.unit_price_minor is not None:
        _text(block, "Quantity", decimal_text(line.quantity))
        _text(block, "UnitPrice", yuan(line.unit_price_minor))
        _text(block, "NetUnitPrice", decimal_text(line.net_unit_price))
    _text(block, "Net", yuan(line.net_minor))
    _text(block, "TaxTreatment", line.tax.treatment.value)
    _text(block, "RatePercent", decimal_text(Decimal(line.tax.rate_bp) / 100))
    _text(block, "Tax", yuan(line.tax_minor))
    _text(block, "Gross", yuan(line.gross_minor))


def _element(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}", attributes)


def _text(parent: etree._Element, tag: str, value: str) -> None:
    # A name made of nothing but such characters still needs a place holder to be a name.
    cleaned = _NOT_XML.sub("", value)
    _element(parent, tag).text = cleaned if cleaned or not value else "\ufffd"
