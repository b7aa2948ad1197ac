"""A thin drawing surface over fpdf2: millimetres, the design's colours, text that is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from fpdf import FPDF
from fpdf.fonts import TTFFont

from billing.documents.fonts import FontFiles

CELL_PADDING = 2.0
MM_PER_POINT = 25.4 / 72
FAMILY = "noto"


class Colour(Enum):
    """The design's tokens that a printed page needs, as red, green, blue."""

    INK = (0x21, 0x1C, 0x18)
    MUTE = (0x6B, 0x62, 0x5A)
    LINE = (0xE8, 0xE1, 0xD8)
    BRAND = (0xC8, 0x32, 0x1F)
    DEEP = (0x9E, 0x24, 0x16)
    TINT = (0xFC, 0xE9, 0xE5)
    WHITE = (0xFF, 0xFF, 0xFF)


class Align(Enum):
    LEFT = "L"
    CENTRE = "C"
    RIGHT = "R"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its title, width in millimetres and alignment."""

    title: str
    width: float
    align: Align

    @property
    def inner_width(self) -> float:
        return self.width - 2 * CELL_PADDING


class Canvas:
    """Pages of A4 landscape; all lengths are millimetres, font sizes are points."""

    def __init__(self, fonts: FontFiles) -> None:
        pdf = FPDF(orientation="landscape", unit="mm", format="A4")
        pdf.set_auto_page_break(False)
        pdf.c_margin = 0
        pdf.set_lang("zh-CN")
        pdf.add_font(FAMILY, "", fonts.regular)
        pdf.add_font(FAMILY, "B", fonts.bold)
        self._pdf = pdf

    def describe(self, *, title: str, author: str, made_at: datetime) -> None:
        """Set the file's properties; the moment is the document's, so bytes are reproducible."""
        self._pdf.set_title(title)
        self._pdf.set_author(author)
        self._pdf.set_creation_date(made_at)

    def new_page(self) -> None:
        self._pdf.add_page()

    def to_bytes(self) -> bytes:
        data = bytes(self._pdf.output())
        # fpdf2 leaves the font files open; a long-lived process would gather them.
        for font in self._pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()
        return data

    def width_of(self, text: str, size: float, *, bold: bool = False) -> float:
        self._pdf.set_font(FAMILY, "B" if bold else "", size)
        return float(self._pdf.get_string_width(text))

    def fit(self, text: str, width: float, size: float, *, smallest: float) -> float:
        """The largest font size, up to ``size``, at which the text is no wider than ``width``."""
        actual = self.width_of(text, size, bold=True)
        return size if actual <= width else max(smallest, size * width / actual)

    def wrap(self, text: str, width: float, size: float) -> tuple[str, ...]:
        """The text in lines no wider than ``width``; a Latin word or number is kept whole if it
        fits on a line of its own, Chinese breaks anywhere.
        """
        lines, line, used = [], "", 0.0
        for piece in _pieces(text):
            wide = self.width_of(piece, size)
            if used + wide <= width:
                line, used = line + piece, used + wide
                continue
            if line.strip():
                lines.append(line.strip())
            line, used = "", 0.0
            for character in piece.lstrip():
                wide = self.width_of(character, size)
                if line and used + wide > width:
                    lines.append(line)
                    line, used = "", 0.0
                line, used = line + character, used + wide
        if line.strip() or not lines:
            lines.append(line.strip())
        return tuple(lines)

    def text(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        size: float,
        colour: Colour,
        align: Align = Align.LEFT,
        *,
        bold: bool = False,
    ) -> None:
        """One line of text whose box begins at (x, y)."""
        if not text:
            return
        self._pdf.set_font(FAMILY, "B" if bold else "", size)
        self._pdf.set_text_color(*colour.value)
        self._pdf.set_xy(x, y)
        self._pdf.cell(w=width, h=size * MM_PER_POINT * 1.32, text=text, align=align.value)

    def rule(self, x1: float, y: float, x2: float, colour: Colour, thickness: float) -> None:
        self._pen(colour, thickness)
        self._pdf.line(x1, y, x2, y)

    def upright(self, x: float, y1: float, y2: float, colour: Colour) -> None:
        self._pen(colour, 0.25)
        self._pdf.line(x, y1, x, y2)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self._pen(colour, 0.25)
        self._pdf.rect(x, y, width, height)

    def fill(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self._pdf.set_fill_color(*colour.value)
        self._pdf.rect(x, y, width, height, style="F")

    def mark(self, x: float, y: float, side: float, character: str) -> None:
        """The shop's mark: one character on a rounded square of the brand's colour."""
        self._rounded(x, y, side, side, side * 0.24, Colour.BRAND)
        size = side * 0.62 / MM_PER_POINT
        self.text(x, y + side * 0.09, side, character, size, Colour.WHITE, Align.CENTRE, bold=True)

    def tags(self, middle: float, y: float, tags: Sequence[tuple[str, Colour, Colour]]) -> None:
        """Small rounded tags beside each other, centred: (text, its colour, ground)."""
        size, height, gap, padding = 8.0, 5.2, 2.0, 2.6
        widths = [self.width_of(text, size) + 2 * padding for text, _, _ in tags]
        x = middle - (sum(widths) + gap * (len(tags) - 1)) / 2
        for (text, colour, ground), width in zip(tags, widths, strict=True):
            self._rounded(x, y, width, height, 1.4, ground)
            self.text(x, y + 0.75, width, text, size, colour, Align.CENTRE)
            x += width + gap

    def vertical_label(self, x: float, y: float, width: float, height: float, label: str) -> None:
        """A label set downwards, one character below the other, with a line at its right."""
        self.upright(x + width, y, y + height, Colour.DEEP)
        step = min(5.0, (height - 2) / len(label))
        top = y + (height - step * len(label)) / 2
        for index, character in enumerate(label):
            self.text(x, top + index * step, width, character, 9, Colour.DEEP, Align.CENTRE)

    def _pen(self, colour: Colour, thickness: float) -> None:
        self._pdf.set_draw_color(*colour.value)
        self._pdf.set_line_width(thickness)

    def _rounded(
        self, x: float, y: float, width: float, height: float, radius: float, colour: Colour
    ) -> None:
        self._pdf.set_fill_color(*colour.value)
        self._pdf.rect(x, y, width, height, style="F", round_corners=True, corner_radius=radius)


def _pieces(text: str) -> list[str]:
    """Words of letters and digits whole, everything else character by character."""
    pieces: list[str] = []
    for character in text:
        joins = character.isascii() and not character.isspace()
        last = pieces[-1][-1] if pieces else ""
        if joins and last and last.isascii() and not last.isspace():
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces
