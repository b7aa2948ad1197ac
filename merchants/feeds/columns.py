"""Which column of a merchant's table is which field: detected by header, corrected by memory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

# The first name of each is the template's own; the others are what merchants write.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "product_code": ("商品编码", "商品编号", "商品货号", "货号", "spu编码", "spu", "product code",
                     "product id", "item id"),
    "sku_code": ("SKU编码", "sku编号", "sku", "sku id", "sku code", "规格编码", "商家编码"),
    "title": ("商品名称", "商品标题", "名称", "标题", "品名", "title", "name", "product name"),
    "category": ("类目", "商品类目", "分类", "商品分类", "类别", "category"),
    "brand": ("品牌", "品牌名称", "brand"),
    "spec": ("规格", "规格型号", "销售规格", "规格名称", "spec", "specification", "variant"),
    "list_price": ("市场价", "原价", "划线价", "吊牌价", "list price", "market price", "msrp"),
    "price": ("售价", "销售价", "价格", "现价", "单价", "price", "sale price"),
    "stock": ("库存", "库存数量", "可售库存", "数量", "stock", "quantity", "inventory"),
    "unit": ("单位", "计量单位", "unit"),
    "keywords": ("关键词", "关键字", "搜索词", "keywords"),
    "subtitle": ("简介", "副标题", "卖点", "商品简介", "subtitle", "summary"),
    "description": ("描述", "详情", "商品描述", "商品详情", "description"),
    "image": ("主图", "商品主图", "图片", "image", "image link", "picture"),
    "gallery": ("图集", "商品图集", "附图", "轮播图", "additional images", "gallery"),
    "barcode": ("商品条码", "条码", "条形码", "国际条码", "barcode", "gtin", "ean", "upc"),
    "tax_code": ("税收分类编码", "税收编码", "税务编码", "商品和服务税收分类编码", "tax code"),
    "attributes": ("规格属性", "属性", "商品属性", "attributes"),
}  # fmt: skip
REQUIRED = ("product_code", "sku_code", "title", "price", "stock")

_REMARK = re.compile(r"[(\[【].*?[)\]】]")
_FILLING = re.compile(r"[\s_\-*:：/]+")


def fold_header(header: str) -> str:
    """A header as it is compared: ``售价（元）*`` → ``售价``, ``List_Price`` → ``listprice``."""
    plain = unicodedata.normalize("NFKC", header).casefold().strip("\ufeff \t")
    return _FILLING.sub("", _REMARK.sub("", plain))


_DETECTED = {fold_header(name): field for field, names in SYNONYMS.items() for name in names}


def detect_columns(
    headers: Sequence[str], remembered: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Field → position. ``remembered`` (folded header → field) goes before the synonyms; of two
    columns for one field the first counts; unknown columns are left out.
    """
    memory = remembered or {}
    found: dict[str, int] = {}
    for position, header in enumerate(headers):
        folded = fold_header(header)
        field = memory.get(folded) or _DETECTED.get(folded)
        if field in SYNONYMS and field not in found:
            found[field] = position
    return found


def missing_columns(found: Mapping[str, int]) -> list[str]:
    """Template names of the required columns that are not there."""
    return [SYNONYMS[field][0] for field in REQUIRED if field not in found]


def template_headers() -> list[str]:
    """The header of the feed's template."""
    return [names[0] for names in SYNONYMS.values()]
