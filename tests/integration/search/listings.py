"""Listings made directly, for tests of the engines without a catalogue."""

from typing import Any

from search.engines.base import ListingDocument, ProductChange
from search.tokens import tokenise


def listing(
    product_id: int, *, version: int = 1, title: str = "保温杯", **fields: Any
) -> ListingDocument:
    values: dict[str, Any] = {
        "tokens": fields.get("tokens") or tokenise(title),
        "merchant_id": 1,
        "price_minor": 1_000 + product_id,
        "in_stock": True,
        "cheaper": (),
        "categories": (1, 10 + product_id % 3),
        "category_id": 0,
        "brand_id": product_id % 5,
        "assortments": (),
        "attributes": (),
        "sales": product_id % 7,
        "created_at": 1_700_000_000,
    }
    values.update(fields)
    return ListingDocument(product_id=product_id, version=version, **values)


def change(product_id: int, *, version: int = 1, **fields: Any) -> ProductChange:
    return ProductChange(
        product_id,
        version,
        (listing(product_id, version=version, **fields),),
    )


def group(product_id: int, *, version: int, merchants: tuple[int, ...]) -> ProductChange:
    """A product at several merchants, the cheapest first."""
    return ProductChange(
        product_id,
        version,
        tuple(
            listing(product_id, version=version, merchant_id=merchant, cheaper=merchants[:rank])
            for rank, merchant in enumerate(merchants)
        ),
    )
