"""Writes the demo catalogue as three merchants' feeds, in the ordinary feed format."""

import csv
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from app.demo.catalogue.barcodes import gtin_of
from app.demo.catalogue.definitions import ProductDefinition, SkuDefinition, load_products

COLUMNS = (
    "商品编码", "SKU编码", "商品名称", "类目", "品牌", "规格", "市场价", "售价", "库存", "单位",
    "关键词", "简介", "描述", "主图", "图集", "税收分类编码", "规格属性", "商品条码",
)  # fmt: skip
MERCHANTS = ("north", "south", "east")
# The scheme of a picture that the demo world has made itself; the importer finds it by its key.
PICTURE_SCHEME = "demo:"

# How a merchant that joins in prices the same thing, in thousandths of the first one's price.
_TURNS = (930, 955, 970, 985, 1015, 1030, 1045, 1060)


def write_feeds(folder: Path) -> dict[str, Path]:
    """Writes `north.csv`, `south.csv` and `east.csv` (UTF-8 with BOM) and returns their paths.

    The same bytes every time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for merchant in MERCHANTS:
        path = folder / f"{merchant}.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows_of(merchant))
        paths[merchant] = path
    return paths


def rows_of(merchant: str) -> Iterator[tuple[str, ...]]:
    """The rows of one merchant's feed, in the order of COLUMNS."""
    for product in load_products():
        if merchant in product.merchants:
            for sku in product.skus:
                yield _row(merchant, product, sku)


def _row(merchant: str, product: ProductDefinition, sku: SkuDefinition) -> tuple[str, ...]:
    price = offer_price(merchant, product, sku)
    code = f"{merchant[0].upper()}{_draw(product.key, 'code') % 900_000 + 100_000}"
    pictures = [f"{PICTURE_SCHEME}{other.key}" for other in product.skus if other is not sku]
    return (
        code,
        f"{code}-{sku.key[-2:]}",
        product.title,
        product.leaf.path,
        product.brand,
        sku.spec,
        _yuan(_list_price(product, price)),
        _yuan(price),
        str(_stock(merchant, sku)),
        product.unit,
        product.keywords,
        _subtitle(product),
        _description(product),
        f"{PICTURE_SCHEME}{sku.key}",
        "|".join(pictures[:4]),
        product.leaf.tax_code,
        ";".join(f"{name}:{value}" for name, value in sku.attributes),
        gtin_of(sku.key),
    )


def _subtitle(product: ProductDefinition) -> str:
    """The first clause of the description: what a listing has room for."""
    return re.split(r"[；。]", product.description, maxsplit=1)[0]


def _description(product: ProductDefinition) -> str:
    """The description, what can be chosen, and what holds for returning it."""
    lines = [product.description]
    for place, (axis, _) in enumerate(product.skus[0].attributes):
        values = dict.fromkeys(sku.attributes[place][1] for sku in product.skus)
        lines.append(f"{axis}：{'、'.join(values)}。")
    if product.leaf.no_reason_return:
        lines.append("售后：签收七天内，不影响二次销售可无理由退货。")
    else:
        lines.append("售后：拆封后不支持无理由退货；有质量问题请随时申请，我们承担运费。")
    return " ".join(lines)


def offer_price(merchant: str, product: ProductDefinition, sku: SkuDefinition) -> int:
    """What this merchant asks, in fen: the first one the plain price, the others near it."""
    if merchant == product.merchants[0]:
        return sku.price_minor
    turn = _TURNS[_draw(product.key, merchant) % len(_TURNS)]
    return _neat(sku.price_minor * turn // 1000)


def _list_price(product: ProductDefinition, price_minor: int) -> int:
    """The price it is said to have been sold at before: 15 to 45 per cent above, neatly."""
    return _neat(price_minor * (1150 + _draw(product.key, "list") % 301) // 1000)


def _neat(minor: int) -> int:
    """A price as shops write them: whole yuan from 50 up, else ending in 90 fen."""
    if minor >= 5000:
        return (minor + 50) // 100 * 100
    return max(minor // 100 * 100 + 90, 90)


def _stock(merchant: str, sku: SkuDefinition) -> int:
    draw = _draw(sku.key, f"stock {merchant}")
    return 0 if draw % 37 == 0 else 20 + draw // 37 % 481


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _draw(key: str, purpose: str) -> int:
    """A number that looks drawn at random but is always the same for this key and purpose."""
    return zlib.crc32(f"{purpose}:{key}".encode())
