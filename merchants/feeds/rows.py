"""One row of a feed: checked, cleaned, and compared with the row before it.

Rows are msgspec structs: a million of them pass through here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from kernel.money import parse_yuan

MAX_CODE, MAX_TITLE, MAX_TEXT, MAX_DESCRIPTION = 64, 300, 300, 20_000
MAX_SPEC, MAX_BRAND, MAX_UNIT, MAX_LINKS = 200, 80, 8, 4_000
MAX_PRICE_MINOR = 10**10
MAX_STOCK = 10**9

_PLAIN_PRICE = re.compile(r"\d{1,9}(?:\.\d{1,2})?")
_WHOLE_NUMBER = re.compile(r"\d{1,10}(?:\.0+)?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff\ud800-\udfff]+")
_BARCODE = re.compile(r"\d{8}|\d{12,14}")
_TAX_CODE = re.compile(r"\d{7,19}")


class BadRow(ValueError):
    """What is wrong with a row, in words for the merchant."""


class FeedRow(msgspec.Struct, array_like=True, frozen=True):
    """A row after cleaning. Kept as a JSON array, so fields are only ever added at the end."""

    product_code: str
    sku_code: str
    title: str
    price_minor: int
    list_price_minor: int
    stock: int
    category: str = ""
    brand: str = ""
    spec: str = ""
    unit: str = ""
    keywords: str = ""
    subtitle: str = ""
    description: str = ""
    image: str = ""
    gallery: str = ""
    barcode: str = ""
    tax_code: str = ""
    attributes: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(FeedRow)


def encode_row(row: FeedRow) -> str:
    """The row as it is kept; equal rows give equal text."""
    return _encoder.encode(row).decode()


def changed_fields(before: str, row: FeedRow) -> frozenset[str]:
    """The fields in which ``row`` differs from the kept one."""
    old = _decoder.decode(before)
    return frozenset(
        name for name in FeedRow.__struct_fields__ if getattr(old, name) != getattr(row, name)
    )


class RowParser:
    """Turns cells into rows by the layout of one file."""

    def __init__(self, columns: Mapping[str, int], width: int) -> None:
        self._columns = dict(columns)
        self._width = width

    def parse(self, cells: Sequence[str]) -> FeedRow:
        """Raises :class:`BadRow`."""
        if len(cells) != self._width:
            if len(cells) < self._width or any(cells[self._width :]):
                raise BadRow(f"应有 {self._width} 列，实有 {len(cells)} 列")
        elif "\ufffd" in "".join(cells):
            raise BadRow("有无法识别的字符，请检查文件编码")
        values = {name: cells[position].strip() for name, position in self._columns.items()}
        price = _price(values["price"], "售价")
        if price == 0:
            raise BadRow("售价必须大于 0")
        get = values.get
        list_price = get("list_price", "")
        return FeedRow(
            product_code=_code(values["product_code"], "商品编码"),
            sku_code=_code(values["sku_code"], "SKU编码"),
            title=_title(values["title"]),
            price_minor=price,
            list_price_minor=_price(list_price, "市场价") if list_price else price,
            stock=_stock(values["stock"]),
            category=_text(get("category", ""), MAX_TEXT),
            brand=_text(get("brand", ""), MAX_BRAND),
            spec=_text(get("spec", ""), MAX_SPEC),
            unit=_text(get("unit", ""), MAX_UNIT),
            keywords=_text(get("keywords", ""), MAX_TEXT),
            subtitle=_text(get("subtitle", ""), MAX_TEXT),
            description=_text(get("description", ""), MAX_DESCRIPTION),
            image=_text(get("image", ""), MAX_LINKS),
            gallery=_text(get("gallery", ""), MAX_LINKS),
            barcode=_barcode(get("barcode", "")),
            tax_code=_tax_code(get("tax_code", "")),
            attributes=_text(get("attributes", ""), MAX_TEXT),
        )


def _clean(text: str) -> str:
    # Nearly every text is printable; only then is the slow way spared.
    return text if text.isprintable() else _CONTROLS.sub(" ", text).strip()


def _text(text: str, longest: int) -> str:
    """An optional text. What is too long is cut: it is no reason to lose the goods."""
    if not text:
        return ""
    return _clean(text)[:longest]


def _code(text: str, name: str) -> str:
    if not text:
        raise BadRow(f"{name}不能为空")
    if len(text) > MAX_CODE or not text.isprintable():
        raise BadRow(f"{name}最多 {MAX_CODE} 个字符，不能有控制字符")
    return text


def _title(text: str) -> str:
    title = _clean(text)
    if not title:
        raise BadRow("商品名称不能为空")
    if len(title) > MAX_TITLE:
        raise BadRow(f"商品名称最多 {MAX_TITLE} 个字符")
    return title


def _price(text: str, name: str) -> int:
    """Yuan to fen, in whole numbers all the way."""
    if _PLAIN_PRICE.fullmatch(text) and text.isascii():
        yuan, _, fen = text.partition(".")
        minor = int(yuan) * 100 + int(fen.ljust(2, "0") if fen else 0)
    else:
        try:
            minor = parse_yuan(text.removesuffix("元"))
        except ValueError:
            raise BadRow(f"{name}“{text[:20]}”不是金额（元，最多两位小数）") from None
    if not 0 <= minor <= MAX_PRICE_MINOR:
        raise BadRow(f"{name}“{text[:20]}”超出范围")
    return minor


def _stock(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise BadRow(f"库存“{text[:20]}”不是 0 或正整数")
    stock = int(text.partition(".")[0])
    if stock > MAX_STOCK:
        raise BadRow(f"库存最多 {MAX_STOCK}")
    return stock


def _barcode(text: str) -> str:
    if not text:
        return ""
    if not (_BARCODE.fullmatch(text) and text.isascii() and _check_digit_fits(text)):
        raise BadRow(f"商品条码“{text[:20]}”不是有效的国际条码")
    # The same article number is written with 12, 13 or 14 digits; zeros in front say nothing.
    return text.lstrip("0").zfill(13) if len(text) > 8 else text


def _check_digit_fits(digits: str) -> bool:
    weighted = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(reversed(digits)))
    return weighted % 10 == 0


def _tax_code(text: str) -> str:
    if not text:
        return ""
    if not (_TAX_CODE.fullmatch(text) and text.isascii()):
        raise BadRow(f"税收分类编码“{text[:20]}”不是 7 到 19 位数字")
    return text.ljust(19, "0")


def parse_attributes(text: str) -> list[dict[str, str]]:
    """``颜色:墨绿;容量:350ml`` as names and values; anything else in it is left out."""
    found = []
    for part in re.split(r"[;；|]", text):
        name, colon, value = part.replace("：", ":").partition(":")
        if colon and name.strip() and value.strip():
            found.append({"name": name.strip(), "value": value.strip()})
    return found
