"""An invoice as it is shown: what the page, the PDF and the XML all take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.documents.capitals import capitals
from billing.invoicing import InvoiceLine, InvoiceTotals, Party, totals_of

# China has one time zone without summer time; an invoice's date is the date there.
CHINA = timezone(timedelta(hours=8))
BILLING_NOTICE = (
    "账单凭证，非税务发票。接入税务机关开票服务之前，本凭证仅供对账，不能用于报销入账或抵扣。"
)


class InvoiceKind(StrEnum):
    BLUE = "blue"
    RED = "red"


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """``drawn_at`` is aware; ``red_of`` is the number of the blue invoice that a red one reverses.

    ``notice`` is printed on the face; it is empty only where a real issuer gave the number.
    ``red`` are the ``(number, gross_minor)`` of the red invoices drawn against a blue one so far.
    """

    number: str
    kind: InvoiceKind
    state: str
    drawn_at: datetime
    order_id: str
    buyer: Party
    seller: Party
    lines: tuple[InvoiceLine, ...]
    red_of: str = ""
    remark: str = ""
    notice: str = BILLING_NOTICE
    drawer: str = "系统"
    red: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.drawn_at.tzinfo is None:
            raise ValueError("drawn_at must be aware")
        if (self.kind is InvoiceKind.RED) != bool(self.red_of):
            raise ValueError("a red invoice, and only a red one, names the blue one")

    @property
    def totals(self) -> InvoiceTotals:
        return totals_of(self.lines)

    @property
    def is_red(self) -> bool:
        return self.kind is InvoiceKind.RED

    @property
    def drawn_on(self) -> str:
        """The date in China as people write it: ``2026年11月24日``."""
        day = self.drawn_at.astimezone(CHINA)
        return f"{day.year}年{day.month:02d}月{day.day:02d}日"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the remark block says, one entry a line."""
        says = [f"订单号：{self.order_id}"]
        if self.red_of:
            says.append(f"被红冲蓝字发票号码：{self.red_of}")
        return (*says, self.remark) if self.remark else tuple(says)


def decimal_text(number: Decimal | None) -> str:
    """A decimal without an exponent or trailing zeros; empty for None."""
    if number is None:
        return ""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_json(document: InvoiceDocument) -> dict[str, Any]:
    """The invoice for the API: money in fen, quantities and net unit prices as decimal strings."""
    totals = document.totals
    return {
        "number": document.number,
        "kind": document.kind.value,
        "state": document.state,
        "drawn_at": document.drawn_at,
        "order_id": document.order_id,
        "red_of": document.red_of or None,
        "buyer": _party(document.buyer),
        "seller": _party(document.seller),
        "lines": [_line(line) for line in document.lines],
        "net_minor": totals.net_minor,
        "tax_minor": totals.tax_minor,
        "gross_minor": totals.gross_minor,
        "gross_capitals": capitals(totals.gross_minor),
        "remark": "\n".join(document.remarks),
        "notice": document.notice,
        "red": [{"number": number, "gross_minor": gross} for number, gross in document.red],
    }


def _party(party: Party) -> dict[str, str]:
    return {
        "name": party.name,
        "tax_number": party.tax_number,
        "address": party.address,
        "phone": party.phone,
        "bank": party.bank,
    }


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "kind": line.kind.value,
        "name": line.full_name,
        "tax_code": line.tax.code,
        "spec": line.spec,
        "unit": line.unit,
        "quantity": decimal_text(line.quantity),
        "unit_price_minor": line.unit_price_minor,
        "unit_price": decimal_text(line.net_unit_price),
        "rate": line.tax.rate_text,
        "rate_bp": line.tax.rate_bp,
        "treatment": line.tax.treatment.value,
        "net_minor": line.net_minor,
        "tax_minor": line.tax_minor,
        "gross_minor": line.gross_minor,
    }
