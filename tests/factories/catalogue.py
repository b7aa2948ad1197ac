"""Merchants that may sell, and goods written the way a feed writes them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from kernel import clock
from kernel.auth.policy import Actor, Role
from merchants.services import MerchantView, approve_merchant, create_merchant
from shop.services.catalogue import OfferView, offers_of_ids
from shop.services.catalogue_import import CatalogueRow, RowChange, apply_rows
from shop.services.categories import CategoryNode, category_tree, load_categories
from tests.factories.people import build_member

_numbers = count(1)


def build_categories() -> None:
    """The platform's tree and tax rates; safe to call again."""
    load_categories()


def category(key: str = "bedding.quilt") -> CategoryNode:
    return category_tree().by_key[key]


def build_merchant(
    code: str | None = None,
    *,
    freight_minor: int = 0,
    free_from_minor: int | None = None,
    commission_bp: int = 500,
    approved: bool = True,
) -> MerchantView:
    """A merchant; its goods are sold only where it is approved."""
    code = code or f"merchant{next(_numbers)}"
    merchant = create_merchant(
        code=code, name=f"{code} 商户", tax_number="91330100MA2ABCDE0X", commission_bp=commission_bp
    )
    if approved:
        approve_merchant(
            merchant_id=merchant.id, freight_minor=freight_minor, free_from_minor=free_from_minor
        )
    return merchant


def build_seller(merchant: MerchantView, login: str | None = None) -> Actor:
    """An owner of a merchant."""
    return build_member(merchant.id, Role.MERCHANT_OWNER, login=login)


def build_offer(
    merchant: MerchantView,
    *,
    title: str = "桑蚕丝夏被",
    price_minor: int = 9_900,
    list_price_minor: int | None = None,
    stock: int = 100,
    category_key: str = "bedding.quilt",
    brand: str = "",
    spec: str = "200×230cm",
    product_code: str | None = None,
    barcode: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> OfferView:
    """A product, SKU, offer and stock.

    With the ``product_code`` of an earlier offer it joins that product; with another merchant's
    ``barcode``, that SKU. Needs :func:`build_categories` before.
    """
    leaf = category(category_key)
    number = next(_numbers)
    row = CatalogueRow(
        product_code=product_code or f"P{number}",
        sku_code=f"S{number}",
        title=title,
        category_id=leaf.id,
        price_minor=price_minor,
        list_price_minor=list_price_minor or price_minor,
        stock=stock,
        tax_code=leaf.tax_code,
        unit=leaf.unit,
        spec=spec,
        brand=brand,
        barcode=barcode,
        attributes=[{"name": name, "value": value} for name, value in (attributes or {}).items()],
    )
    [offer_id] = apply_rows(merchant_id=merchant.id, changes=[RowChange(row)], at=clock.now())
    return offers_of_ids([offer_id])[offer_id]
