"""The invoice on paper: A4 landscape, laid out as people know Chinese electronic invoices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.documents.canvas import Align, Canvas, Colour, Column
from billing.documents.capitals import capitals
from billing.documents.fonts import FontFolders, choose_fonts
from billing.documents.invoice import InvoiceDocument, decimal_text
from billing.invoicing import InvoiceLine, InvoiceTotals, LineKind, Party, TaxTreatment, totals_of
from kernel.money import format_yuan

TITLE = "电子发票（普通发票）"
LEFT, TOP, WIDTH, BOTTOM = 10.0, 9.0, 277.0, 201.0
HEAD_HEIGHT, SLIM_HEAD_HEIGHT = 23.0, 14.0
PARTY_HEIGHT = 29.0
TABLE_HEAD_HEIGHT = 8.0
LINE_HEIGHT, ROW_PADDING = 4.4, 2.2
SUM_HEIGHT, GROSS_HEIGHT = 8.0, 10.0
REMARK_LINE_HEIGHT, REMARK_MIN_HEIGHT = 4.8, 20.0
FOOT_HEIGHT = 11.0
LABEL_WIDTH = 8.0
BODY_SIZE = 9.0

COLUMNS = (
    Column("项目名称", 92.0, Align.LEFT),
    Column("规格型号", 42.0, Align.LEFT),
    Column("单位", 12.0, Align.CENTRE),
    Column("数量", 25.0, Align.RIGHT),
    Column("单价", 30.0, Align.RIGHT),
    Column("金额", 30.0, Align.RIGHT),
    Column("税率/征收率", 20.0, Align.CENTRE),
    Column("税额", 26.0, Align.RIGHT),
)
SIGNED_COLUMNS = (3, 5, 7)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the invoice, wrapped into the table's columns."""

    line: InvoiceLine
    cells: tuple[tuple[str, ...], ...]

    @property
    def height(self) -> float:
        return max(len(cell) for cell in self.cells) * LINE_HEIGHT + ROW_PADDING


def render_pdf(document: InvoiceDocument, *, fonts: FontFolders | None = None) -> bytes:
    """The PDF's bytes, the same for the same document; fonts by settings unless given.

    Raises InvoiceFontMissing.
    """
    folders = fonts or FontFolders.from_settings()
    canvas = Canvas(choose_fonts(folders, _texts(document)))
    canvas.describe(
        title=f"{TITLE} {document.number}", author=document.seller.name, made_at=document.drawn_at
    )
    rows = [_wrap(canvas, line) for line in document.lines]
    end_height = SUM_HEIGHT + GROSS_HEIGHT + _remark_height(document) + FOOT_HEIGHT
    pages = _paginate(rows, end_height)
    for number, page in enumerate(pages, start=1):
        canvas.new_page()
        y = _draw_head(canvas, document) if number == 1 else _draw_slim_head(canvas, document)
        _draw_table(canvas, y, page)
        if number == len(pages):
            _frame(canvas, y, BOTTOM - end_height)
            _draw_end(canvas, document, BOTTOM - end_height)
        else:
            _frame(canvas, y, BOTTOM - FOOT_HEIGHT)
        _draw_foot(canvas, document, number, len(pages))
    return canvas.to_bytes()


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def _with_sign(minor: int) -> str:
    return f"{'-' if minor < 0 else ''}¥{format_yuan(abs(minor))}"


def _tax_text(treatment: TaxTreatment, minor: int) -> str:
    """Three stars, as invoices print, where there is no tax to speak of; 0.00 at the zero rate."""
    untaxed = treatment in (TaxTreatment.EXEMPT, TaxTreatment.NON_TAXABLE)
    return "***" if untaxed else format_yuan(minor)


def _price_text(price: Decimal | None) -> str:
    """At least two decimals, so that prices line up; up to eight where they are needed."""
    text = decimal_text(price)
    if not text:
        return ""
    whole, _, places = text.partition(".")
    return f"{whole}.{places.ljust(2, '0')}"


def _texts(document: InvoiceDocument) -> Iterator[str]:
    """Everything from outside that will be set; labels of ours are common characters."""
    for party in (document.buyer, document.seller):
        yield from (party.name, party.tax_number, party.address, party.phone, party.bank)
    for line in document.lines:
        yield from (_clean(line.full_name), _clean(line.spec), line.unit)
    yield from (*map(_clean, document.remarks), document.notice, document.drawer)


def _wrap(canvas: Canvas, line: InvoiceLine) -> Row:
    prefix = "折扣 · " if line.kind is LineKind.DISCOUNT else ""
    texts = (
        prefix + _clean(line.full_name),
        _clean(line.spec),
        _clean(line.unit),
        decimal_text(line.quantity),
        _price_text(line.net_unit_price),
        format_yuan(line.net_minor),
        line.tax.rate_text,
        _tax_text(line.tax.treatment, line.tax_minor),
    )
    cells = (
        canvas.wrap(text, column.inner_width, BODY_SIZE)
        for text, column in zip(texts, COLUMNS, strict=True)
    )
    return Row(line, tuple(cells))


def _paginate(rows: Sequence[Row], end_height: float) -> list[list[Row]]:
    """Rows by page; a discount stays with its item, and the last page has room for the totals."""
    pages: list[list[Row]] = [[]]
    room = BOTTOM - FOOT_HEIGHT - TOP - HEAD_HEIGHT - PARTY_HEIGHT - TABLE_HEAD_HEIGHT
    next_room = BOTTOM - FOOT_HEIGHT - TOP - SLIM_HEAD_HEIGHT - TABLE_HEAD_HEIGHT
    tail = end_height - FOOT_HEIGHT
    groups = _groups(rows)
    for index, group in enumerate(groups):
        height = sum(row.height for row in group)
        is_last = index == len(groups) - 1
        if height + (tail if is_last else 0) > room and pages[-1]:
            pages.append([])
            room = next_room
        pages[-1] += group
        room -= height
    return pages


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    groups: list[list[Row]] = []
    for row in rows:
        if row.line.kind is LineKind.DISCOUNT and groups:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _draw_head(canvas: Canvas, document: InvoiceDocument) -> float:
    canvas.mark(LEFT, TOP + 1, 13, "福")
    canvas.text(LEFT + 16, TOP + 2.2, 60, "福满", 13, Colour.INK, bold=True)
    canvas.text(LEFT + 16, TOP + 8.6, 60, "企业福利商城", 8, Colour.MUTE)
    canvas.text(LEFT, TOP + 1, WIDTH, TITLE, 20, Colour.DEEP, Align.CENTRE, bold=True)
    middle, half = LEFT + WIDTH / 2, 40.0
    canvas.rule(middle - half, TOP + 11.4, middle + half, Colour.DEEP, 0.35)
    canvas.rule(middle - half, TOP + 12.2, middle + half, Colour.DEEP, 0.12)
    tags = [("红字发票", Colour.WHITE, Colour.BRAND)] if document.is_red else []
    if document.notice:
        tags.append(("账单凭证 · 非税务发票", Colour.DEEP, Colour.TINT))
    canvas.tags(middle, TOP + 14.0, tags)
    _facts(
        canvas,
        LEFT + WIDTH - 72,
        TOP + 2.0,
        [("发票号码", document.number), ("开票日期", document.drawn_on)]
        + ([("对应蓝字发票", document.red_of)] if document.is_red else []),
    )
    y = TOP + HEAD_HEIGHT
    half_width = WIDTH / 2
    _frame(canvas, y, y + PARTY_HEIGHT)
    _draw_party(canvas, LEFT, y, half_width, "购买方信息", document.buyer)
    canvas.upright(LEFT + half_width, y, y + PARTY_HEIGHT, Colour.DEEP)
    _draw_party(canvas, LEFT + half_width, y, half_width, "销售方信息", document.seller)
    return y + PARTY_HEIGHT


def _facts(canvas: Canvas, x: float, y: float, facts: Sequence[tuple[str, str]]) -> None:
    for label, value in facts:
        canvas.text(x, y, 24, f"{label}：", 9, Colour.DEEP, Align.RIGHT)
        canvas.text(x + 24.5, y, 48, value, 9, Colour.INK, bold=label == "发票号码")
        y += 5.2


def _draw_slim_head(canvas: Canvas, document: InvoiceDocument) -> float:
    title = f"{TITLE} 红字" if document.is_red else TITLE
    canvas.text(LEFT, TOP + 1, 110, title, 13, Colour.DEEP, bold=True)
    canvas.text(LEFT, TOP + 7.6, 150, f"购买方：{document.buyer.name}", 8, Colour.MUTE)
    right = f"发票号码：{document.number}"
    canvas.text(LEFT, TOP + 1.6, WIDTH, right, 9, Colour.INK, Align.RIGHT)
    day = f"开票日期：{document.drawn_on}"
    canvas.text(LEFT, TOP + 7.2, WIDTH, day, 9, Colour.INK, Align.RIGHT)
    return TOP + SLIM_HEAD_HEIGHT


def _frame(canvas: Canvas, top: float, bottom: float) -> None:
    canvas.box(LEFT, top, WIDTH, bottom - top, Colour.DEEP)


def _draw_party(canvas: Canvas, x: float, y: float, width: float, label: str, party: Party) -> None:
    canvas.vertical_label(x, y, LABEL_WIDTH, PARTY_HEIGHT, label)
    facts = [("名称", party.name), ("统一社会信用代码/纳税人识别号", party.tax_number)]
    contact = "　".join(part for part in (party.address, party.phone) if part)
    facts += [("地址、电话", contact)] if contact else []
    facts += [("开户行及账号", party.bank)] if party.bank else []
    step = 6.1 if len(facts) == 4 else 7.4
    top = y + (PARTY_HEIGHT - step * len(facts)) / 2 + (step - 4.4) / 2
    inner = width - LABEL_WIDTH - 5
    for index, (name, value) in enumerate(facts):
        row = top + index * step
        label_text = f"{name}："
        label_width = canvas.width_of(label_text, BODY_SIZE)
        canvas.text(x + LABEL_WIDTH + 3, row, label_width, label_text, BODY_SIZE, Colour.DEEP)
        fitted = canvas.fit(_clean(value), inner - label_width, BODY_SIZE, smallest=6.0)
        canvas.text(
            x + LABEL_WIDTH + 3 + label_width,
            row + (BODY_SIZE - fitted) * 0.16,
            inner - label_width,
            _clean(value),
            fitted,
            Colour.INK,
            bold=index == 0,
        )


def _draw_table(canvas: Canvas, y: float, rows: Sequence[Row]) -> None:
    """The header and the rows, without the frame around them."""
    canvas.fill(LEFT, y, WIDTH, TABLE_HEAD_HEIGHT, Colour.TINT)
    _frame(canvas, y, y + TABLE_HEAD_HEIGHT)
    x = LEFT
    for column in COLUMNS:
        canvas.text(x + 2, y + 1.9, column.inner_width, column.title, 9, Colour.DEEP, column.align)
        x += column.width
    y += TABLE_HEAD_HEIGHT
    for index, row in enumerate(rows):
        if index and row.line.kind is not LineKind.DISCOUNT:
            canvas.rule(LEFT + 2, y, LEFT + WIDTH - 2, Colour.LINE, 0.12)
        _draw_row(canvas, y, row)
        y += row.height


def _draw_row(canvas: Canvas, y: float, row: Row) -> None:
    x = LEFT
    colour = Colour.BRAND if row.line.gross_minor < 0 else Colour.INK
    for index, (column, cell) in enumerate(zip(COLUMNS, row.cells, strict=True)):
        tone = colour if index in SIGNED_COLUMNS else Colour.INK
        if row.line.kind is LineKind.DISCOUNT and index < 3:
            tone = Colour.MUTE
        for number, text in enumerate(cell):
            top = y + ROW_PADDING / 2 + number * LINE_HEIGHT
            canvas.text(x + 2, top, column.inner_width, text, BODY_SIZE, tone, column.align)
        x += column.width


def _draw_end(canvas: Canvas, document: InvoiceDocument, y: float) -> None:
    """Totals, amount in capitals and remarks, at the foot of the last page."""
    totals = document.totals
    tone = Colour.BRAND if document.is_red else Colour.INK
    _frame(canvas, y, y + SUM_HEIGHT)
    canvas.text(LEFT + 2, y + 1.9, 80, "合　　计", 9, Colour.DEEP)
    _column_amount(canvas, y + 1.7, 5, _with_sign(totals.net_minor), tone)
    _column_amount(canvas, y + 1.7, 7, _with_sign(totals.tax_minor), tone)
    y += SUM_HEIGHT
    _frame(canvas, y, y + GROSS_HEIGHT)
    canvas.text(LEFT + 2, y + 2.8, 40, "价税合计（大写）", 9, Colour.DEEP)
    words = capitals(totals.gross_minor)
    size = canvas.fit(words, 118, 12, smallest=7)
    canvas.text(LEFT + 40, y + 2.2 + (12 - size) * 0.16, 120, words, size, tone, bold=True)
    canvas.text(LEFT + 168, y + 2.8, 24, "（小写）", 9, Colour.DEEP, Align.RIGHT)
    amount = _with_sign(totals.gross_minor)
    canvas.text(LEFT + 193, y + 1.7, 82, amount, 14, tone, bold=True)
    y += GROSS_HEIGHT
    height = _remark_height(document)
    _frame(canvas, y, y + height)
    canvas.vertical_label(LEFT, y, LABEL_WIDTH, height, "备注")
    for index, text in enumerate(document.remarks):
        top = y + 2.2 + index * REMARK_LINE_HEIGHT
        canvas.text(LEFT + LABEL_WIDTH + 3, top, 150, _clean(text), 9, Colour.INK)
    _draw_rates(canvas, document, y + 2.2, tone)


def _column_amount(canvas: Canvas, y: float, index: int, text: str, tone: Colour) -> None:
    x = LEFT + sum(column.width for column in COLUMNS[:index])
    canvas.text(x + 2, y, COLUMNS[index].inner_width, text, 9, tone, Align.RIGHT, bold=True)


def _by_rate(document: InvoiceDocument) -> list[tuple[str, TaxTreatment, InvoiceTotals]]:
    groups: dict[tuple[str, TaxTreatment], list[InvoiceLine]] = {}
    for line in sorted(document.lines, key=lambda line: -line.tax.rate_bp):
        groups.setdefault((line.tax.rate_text, line.tax.treatment), []).append(line)
    return [(*key, totals_of(lines)) for key, lines in groups.items()]


def _remark_height(document: InvoiceDocument) -> float:
    rates = len(_by_rate(document))
    lines = max(len(document.remarks), rates + 1 if rates > 1 else 1)
    return max(REMARK_MIN_HEIGHT, lines * REMARK_LINE_HEIGHT + 4.4)


def _draw_rates(canvas: Canvas, document: InvoiceDocument, y: float, tone: Colour) -> None:
    """Net and tax by rate, where there are several, right below the columns they add up."""
    rates = _by_rate(document)
    if len(rates) < 2:
        return
    for index, title in ((5, "金额"), (6, "按税率"), (7, "税额")):
        x = LEFT + sum(column.width for column in COLUMNS[:index])
        column = COLUMNS[index]
        canvas.text(x + 2, y, column.inner_width, title, 8, Colour.DEEP, column.align)
    for number, (rate, treatment, totals) in enumerate(rates, start=1):
        row = y + number * REMARK_LINE_HEIGHT
        tax = _tax_text(treatment, totals.tax_minor)
        for index, text in ((5, format_yuan(totals.net_minor)), (6, rate), (7, tax)):
            x = LEFT + sum(column.width for column in COLUMNS[:index])
            column = COLUMNS[index]
            canvas.text(x + 2, row, column.inner_width, text, 8, tone, column.align)


def _draw_foot(canvas: Canvas, document: InvoiceDocument, number: int, count: int) -> None:
    y = BOTTOM - FOOT_HEIGHT + 2.6
    canvas.text(LEFT + 2, y, 60, f"开票人：{document.drawer}", 9, Colour.INK)
    canvas.text(LEFT, y + 0.2, WIDTH, document.notice, 8, Colour.DEEP, Align.CENTRE)
    pages = f"第 {number} 页 / 共 {count} 页" + ("，接下页" if number < count else "")
    canvas.text(LEFT, y + 0.2, WIDTH - 2, pages, 8, Colour.MUTE, Align.RIGHT)
