"""Invoices that several tests look at."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from billing.documents.fonts import FontFolders
from billing.documents.invoice import InvoiceDocument, InvoiceKind
from billing.invoicing import (
    DetailMode,
    InvoiceSource,
    Party,
    SourceLine,
    TaxClass,
    TaxTreatment,
    build_lines,
    invoice_number,
    reverse,
)

FONT_DIR = Path(
    os.environ.get("MALL_FONT_DIR", "frontend/node_modules/@expo-google-fonts/noto-sans-sc")
)
BEDDING = TaxClass("1040105020000000000", 1300, short_name="纺织产品")
TEA = TaxClass("1030307010000000000", 900, short_name="茶叶")
BOOKS = TaxClass("1060105010000000000", 0, TaxTreatment.EXEMPT, short_name="印刷品")

BUYER = Party(
    "阿尔法科技（杭州）有限公司工会委员会",
    "81330100MC1234567X",
    "杭州市西湖区文三路 100 号",
    "0571-88880000",
    "招商银行杭州分行 571900000010001",
)
SELLER = Party("福满福利商城有限公司", "91330100MA2FUMAN0X")
DUVET = "云栖长绒棉四件套 60支贡缎床单被套 简约北欧风 星空蓝 适用1.8米床 附收纳袋"


def source_line(
    line_id: str,
    name: str,
    tax: TaxClass,
    price: int,
    *,
    quantity: int = 1,
    payable: int | None = None,
    credit: int | None = None,
    spec: str = "",
    unit: str = "件",
) -> SourceLine:
    payable = price * quantity if payable is None else payable
    return SourceLine(
        line_id=line_id,
        name=name,
        tax=tax,
        quantity=quantity,
        unit_price_minor=price,
        payable_minor=payable,
        credit_minor=payable if credit is None else credit,
        spec=spec,
        unit=unit,
    )


def blue(*lines: SourceLine, notice: str | None = None) -> InvoiceDocument:
    source = InvoiceSource(
        order_id="ord_01k2abcdefghjkmnpqrstvwxyz",
        buyer=BUYER,
        seller=SELLER,
        drawn_at=datetime(2026, 11, 24, 17, 30, tzinfo=UTC),
        detail=DetailMode.ITEMS,
        lines=lines,
    )
    document = InvoiceDocument(
        number=invoice_number(year=2026, sequence=1234),
        kind=InvoiceKind.BLUE,
        state="drawn",
        drawn_at=source.drawn_at,
        order_id=source.order_id,
        buyer=BUYER,
        seller=SELLER,
        lines=build_lines(source),
    )
    if notice is None:
        return document
    fields = {name: getattr(document, name) for name in document.__slots__}
    return InvoiceDocument(**{**fields, "notice": notice})


def mixed() -> InvoiceDocument:
    """Three rates, a discount, a line paid in part."""
    return blue(
        source_line(
            "a", DUVET, BEDDING, 69_900, payable=66_900, credit=50_000, spec="1.8m床", unit="套"
        ),
        source_line("b", "山野明前龙井茶", TEA, 12_800, quantity=2, spec="100g×2罐", unit="盒"),
        source_line("c", "儿童绘本", BOOKS, 8_800, credit=4_400, spec="全12册", unit="套"),
    )


def red_of(document: InvoiceDocument, after: dict[str, int]) -> InvoiceDocument:
    return InvoiceDocument(
        number=invoice_number(year=2026, sequence=1250),
        kind=InvoiceKind.RED,
        state="drawn",
        drawn_at=document.drawn_at,
        order_id=document.order_id,
        buyer=document.buyer,
        seller=document.seller,
        lines=reverse(document.lines, before={}, after=after),
        red_of=document.number,
        remark="退货",
    )


def font_folders(prepared: Path) -> FontFolders:
    return FontFolders(source=FONT_DIR, prepared=prepared)
