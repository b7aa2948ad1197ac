"""Bulk writes of a merchant's catalogue: a few statements over many rows, never the ORM.

The rows come from a feed that has already been compared with the merchant's last one, so only
what changed there is written here (Domain rule 33). Works in the caller's write transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BindParameter, Table, bindparam, func, insert, select, update

from kernel import outbox
from kernel.bulk import insert_rows, insert_with_ids, update_rows
from kernel.db import db, insert_once
from kernel.ids import public_id
from shop.attributes import join_attributes, split_attributes
from shop.models import Brand, Offer, Product, Sku, Stock
from shop.services.attributes import keep_attributes

BRAND = cast("Table", Brand.__table__)
PRODUCT = cast("Table", Product.__table__)
SKU = cast("Table", Sku.__table__)
OFFER = cast("Table", Offer.__table__)
STOCK = cast("Table", Stock.__table__)

PRODUCTS_CHANGED = "shop.products_changed"
DEFAULT_SPEC = "默认"

# Which columns of the tables a field of a row fills.
PRODUCT_FIELDS = {
    "title": "title",
    "subtitle": "subtitle",
    "description": "description",
    "keywords": "keywords",
    "category_id": "category_id",
    "brand": "brand_id",
    "image": "image",
}
SKU_FIELDS = {
    "spec": "name",
    "unit": "unit",
    "tax_code": "tax_code",
    "barcode": "barcode",
    "image": "image",
}
OFFER_FIELDS = {"price_minor": "price_minor", "list_price_minor": "list_price_minor"}

# Statements made once: every batch of a million rows asks the same.
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_MERCHANT: BindParameter[int] = bindparam("merchant_id")
_BRANDS = select(BRAND.c.name, BRAND.c.id).where(BRAND.c.name.in_(_KEYS))
_PRODUCTS = (
    select(OFFER.c.product_code, func.min(SKU.c.product_id))
    .join(SKU, SKU.c.id == OFFER.c.sku_id)
    .where(OFFER.c.merchant_id == _MERCHANT, OFFER.c.product_code.in_(_KEYS))
    .group_by(OFFER.c.product_code)
)
_SOLD_BY_MERCHANT = select(OFFER.c.sku_id).where(
    OFFER.c.merchant_id == _MERCHANT, OFFER.c.sku_id == SKU.c.id
)
_TWINS = (
    select(SKU.c.barcode, func.min(SKU.c.id), func.min(SKU.c.product_id))
    .where(SKU.c.barcode.in_(_KEYS), SKU.c.id.not_in(_SOLD_BY_MERCHANT))
    .group_by(SKU.c.barcode)
)


@dataclass(slots=True)
class CatalogueRow:
    """One offer as a feed describes it. Amounts in fen; ``stock`` is units that can be sold now."""

    product_code: str
    sku_code: str
    title: str
    category_id: int
    price_minor: int
    list_price_minor: int
    stock: int
    tax_code: str
    unit: str
    spec: str = ""
    brand: str = ""
    subtitle: str = ""
    description: str = ""
    keywords: str = ""
    image: str = ""
    barcode: str | None = None
    # Only for a new product: its attributes are the values of the rows that it begins with.
    attributes: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class RowChange:
    """A row to be applied: a new offer (``offer_id`` None), or the fields of a known one."""

    row: CatalogueRow
    offer_id: int | None = None
    changed: Collection[str] = ()


@dataclass(slots=True)
class _Known:
    """Where a known offer hangs, and whether this merchant may change what others see too."""

    product_id: int
    sku_id: int


def apply_rows(*, merchant_id: int, changes: Sequence[RowChange], at: datetime) -> list[int]:
    """Write the changes and tell the outbox of the products whose listing they change.

    Returns the offers' ids, in the order of ``changes``. A new row joins the product that the
    merchant's product code already has, or the SKU of another merchant with the same barcode.
    """
    new = [change.row for change in changes if change.offer_id is None]
    known = [change for change in changes if change.offer_id is not None]
    brands = _brand_ids({change.row.brand for change in changes})
    touched: set[int] = set()
    created: set[int] = set()
    offer_ids: dict[str, int] = {}
    if new:
        offer_ids = _insert_offers(merchant_id, new, brands, at, created, touched)
    if known:
        _update_known(merchant_id, known, brands, at, touched)
    if touched:
        _raise_versions(touched, at)
    if created or touched:
        outbox.emit(PRODUCTS_CHANGED, product_ids=sorted(created | touched))
    return [
        offer_ids[change.row.sku_code] if change.offer_id is None else change.offer_id
        for change in changes
    ]


def _brand_ids(names: Iterable[str]) -> dict[str, int | None]:
    """Ids by name, making the brands that are missing; no name, no brand."""
    wanted = sorted({name for name in names if name})
    if not wanted:
        return {"": None}
    found = _named_brands(wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        for name in missing:
            # Another merchant's import may make the same brand at this moment.
            insert_once(insert(BRAND), {"public_id": public_id("brd"), "name": name})
        found |= _named_brands(missing)
    return {"": None, **found}


def _named_brands(names: Collection[str]) -> dict[str, int]:
    return dict(db.session.execute(_BRANDS, {"keys": names}).tuples().all())


def _insert_offers(
    merchant_id: int,
    rows: Sequence[CatalogueRow],
    brands: Mapping[str, int | None],
    at: datetime,
    created: set[int],
    touched: set[int],
) -> dict[str, int]:
    """New offers with what is missing above them. Returns offer ids by SKU code."""
    twins = _twins_by_barcode(merchant_id, rows)
    products = _products_by_code(merchant_id, {row.product_code for row in rows})
    for row in rows:
        if row.sku_code in twins:
            products.setdefault(row.product_code, twins[row.sku_code][1])
    fresh: dict[str, list[CatalogueRow]] = {}
    for row in rows:
        if row.product_code not in products:
            fresh.setdefault(row.product_code, []).append(row)
    # The version of a new product is 1; one that gains an offer is raised with the others.
    touched.update(products.values())
    touched.update(product_id for _, product_id in twins.values())
    made = _insert_products(fresh, brands, at)
    products |= made
    created.update(made.values())
    skus = {code: sku_id for code, (sku_id, _) in twins.items()}
    skus |= _insert_skus([row for row in rows if row.sku_code not in twins], products)
    return _insert_offer_rows(merchant_id, rows, skus, at)


def _products_by_code(merchant_id: int, codes: Collection[str]) -> dict[str, int]:
    """The products that this merchant's product codes already have."""
    wanted = {"merchant_id": merchant_id, "keys": codes}
    return dict(db.session.execute(_PRODUCTS, wanted).tuples().all())


def _twins_by_barcode(merchant_id: int, rows: Sequence[CatalogueRow]) -> dict[str, tuple[int, int]]:
    """(SKU, product) of other merchants with a row's barcode, by the row's SKU code.

    A merchant that gives one barcode to several of its SKUs means several things: only the first
    joins, and none where the merchant sells that SKU already.
    """
    first: dict[str, str] = {}
    for row in rows:
        if row.barcode:
            first.setdefault(row.barcode, row.sku_code)
    if not first:
        return {}
    wanted = {"merchant_id": merchant_id, "keys": list(first)}
    return {
        first[barcode]: (sku_id, product_id)
        for barcode, sku_id, product_id in db.session.execute(_TWINS, wanted)
    }


def _insert_products(
    fresh: Mapping[str, Sequence[CatalogueRow]],
    brands: Mapping[str, int | None],
    at: datetime,
) -> dict[str, int]:
    if not fresh:
        return {}
    ids = {code: public_id("prd") for code in fresh}
    values: list[dict[str, Any]] = []
    for code, members in fresh.items():
        first = members[0]
        values.append(
            {
                "public_id": ids[code],
                "title": first.title,
                "subtitle": first.subtitle,
                "description": first.description,
                "keywords": first.keywords,
                "category_id": first.category_id,
                "brand_id": brands[first.brand],
                "image": first.image,
                "attributes": join_attributes(member.attributes for member in members),
                "state": "live",
                "version": 1,
                "sold_count": 0,
                "created_at": at,
                "updated_at": at,
            }
        )
    keep_attributes(pair for value in values for pair in split_attributes(value["attributes"]))
    made = insert_with_ids(PRODUCT, values)
    return {code: made[public] for code, public in ids.items()}


def _insert_skus(rows: Sequence[CatalogueRow], products: Mapping[str, int]) -> dict[str, int]:
    if not rows:
        return {}
    ids = {row.sku_code: public_id("sku") for row in rows}
    values = [
        {
            "public_id": ids[row.sku_code],
            "product_id": products[row.product_code],
            "name": row.spec or DEFAULT_SPEC,
            "unit": row.unit,
            "tax_code": row.tax_code,
            "barcode": row.barcode,
            "image": row.image,
        }
        for row in rows
    ]
    made = insert_with_ids(SKU, values)
    return {code: made[public] for code, public in ids.items()}


def _insert_offer_rows(
    merchant_id: int, rows: Sequence[CatalogueRow], skus: Mapping[str, int], at: datetime
) -> dict[str, int]:
    ids = {row.sku_code: public_id("off") for row in rows}
    values = [
        {
            "public_id": ids[row.sku_code],
            "sku_id": skus[row.sku_code],
            "merchant_id": merchant_id,
            "product_code": row.product_code,
            "sku_code": row.sku_code,
            "price_minor": row.price_minor,
            "list_price_minor": row.list_price_minor,
            "state": "live",
            "updated_at": at,
        }
        for row in rows
    ]
    made = insert_with_ids(OFFER, values)
    offers = {code: made[public] for code, public in ids.items()}
    insert_rows(
        STOCK,
        [
            {"offer_id": offers[row.sku_code], "on_hand": row.stock, "held": 0, "sold": 0}
            for row in rows
        ],
    )
    return offers


def _update_known(
    merchant_id: int,
    changes: Sequence[RowChange],
    brands: Mapping[str, int | None],
    at: datetime,
    touched: set[int],
) -> None:
    places = _places([change.offer_id for change in changes if change.offer_id is not None])
    owned = _owned(merchant_id, places)
    touched.update(
        places[cast("int", change.offer_id)].product_id
        for change in changes
        if set(change.changed) - {"stock"}
    )
    # Offer, stock, product: an order locks them in this order too.
    _update_columns(
        OFFER,
        OFFER_FIELDS,
        changes,
        lambda change, _: cast("int", change.offer_id),
        places,
        brands,
        extra={"updated_at": at},
    )
    crossed = _update_stock(changes)
    touched.update(places[offer_id].product_id for offer_id in crossed)
    own_products = [c for c in changes if places[cast("int", c.offer_id)].product_id in owned[0]]
    own_skus = [c for c in changes if places[cast("int", c.offer_id)].sku_id in owned[1]]
    _update_columns(
        PRODUCT, PRODUCT_FIELDS, own_products, lambda _, place: place.product_id, places, brands
    )
    _update_columns(SKU, SKU_FIELDS, own_skus, lambda _, place: place.sku_id, places, brands)


def _places(offer_ids: Collection[int]) -> dict[int, _Known]:
    query = (
        select(OFFER.c.id, SKU.c.product_id, SKU.c.id)
        .join(SKU, SKU.c.id == OFFER.c.sku_id)
        .where(OFFER.c.id.in_(offer_ids))
    )
    return {row[0]: _Known(*row[1:]) for row in db.session.execute(query)}


def _owned(merchant_id: int, places: Mapping[int, _Known]) -> tuple[set[int], set[int]]:
    """Products and SKUs whose first offer is this merchant's: their text is theirs to change."""
    skus = {place.sku_id for place in places.values()}
    products = {place.product_id for place in places.values()}
    first_of_product = (
        select(SKU.c.product_id, func.min(OFFER.c.id).label("offer_id"))
        .join(OFFER, OFFER.c.sku_id == SKU.c.id)
        .where(SKU.c.product_id.in_(products))
        .group_by(SKU.c.product_id)
        .subquery()
    )
    first_of_sku = (
        select(OFFER.c.sku_id, func.min(OFFER.c.id).label("offer_id"))
        .where(OFFER.c.sku_id.in_(skus))
        .group_by(OFFER.c.sku_id)
        .subquery()
    )
    owned = []
    for first in (first_of_product, first_of_sku):
        query = (
            select(first.c[0])
            .join(OFFER, OFFER.c.id == first.c.offer_id)
            .where(OFFER.c.merchant_id == merchant_id)
        )
        owned.append(set(db.session.scalars(query)))
    return owned[0], owned[1]


def _update_stock(changes: Sequence[RowChange]) -> list[int]:
    """What a feed says can be sold now, beside what is held for orders under way.

    Rows are locked in the order of their key. Returns the offers whose stock crossed zero.
    """
    wanted = {
        cast("int", change.offer_id): change.row.stock
        for change in changes
        if "stock" in change.changed
    }
    if not wanted:
        return []
    locked = db.session.execute(
        select(STOCK.c.offer_id, STOCK.c.on_hand, STOCK.c.held)
        .where(STOCK.c.offer_id.in_(wanted))
        .order_by(STOCK.c.offer_id)
        .with_for_update()
    ).all()
    update_rows(
        STOCK,
        [{"offer_id": r.offer_id, "on_hand": wanted[r.offer_id] + r.held} for r in locked],
        key=("offer_id",),
    )
    return [r.offer_id for r in locked if (r.on_hand > r.held) != (wanted[r.offer_id] > 0)]


def _update_columns(
    table: Table,
    fields: Mapping[str, str],
    changes: Sequence[RowChange],
    id_of: Callable[[RowChange, _Known], int],
    places: Mapping[int, _Known],
    brands: Mapping[str, int | None],
    *,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """One statement for each set of columns that changed together."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for change in changes:
        names = tuple(name for name in fields if name in change.changed)
        if names:
            values = {fields[name]: _value(change.row, name, brands) for name in names}
            values["id"] = id_of(change, places[cast("int", change.offer_id)])
            groups.setdefault(names, []).append({**values, **(extra or {})})
    for rows in groups.values():
        update_rows(table, sorted(rows, key=lambda row: cast("int", row["id"])))


def _value(row: CatalogueRow, name: str, brands: Mapping[str, int | None]) -> Any:
    if name == "brand":
        return brands[row.brand]
    if name == "spec":
        return row.spec or DEFAULT_SPEC
    return getattr(row, name)


def _raise_versions(product_ids: Collection[int], at: datetime) -> None:
    db.session.execute(
        update(PRODUCT)
        .where(PRODUCT.c.id.in_(sorted(product_ids)))
        .values(version=PRODUCT.c.version + 1, updated_at=at)
    )
