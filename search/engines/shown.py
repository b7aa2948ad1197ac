"""What the second stage reads of a listing, as one text that every engine stores with it."""

from search.engines.base import Candidate, ListingDocument

_SEPARATOR = "\x1f"


def write_shown(listing: ListingDocument) -> bytes:
    """The text to store."""
    numbers = (
        listing.sales,
        int(listing.in_stock),
        listing.category_id,
        listing.merchant_id,
        listing.price_minor,
        listing.created_at,
    )
    parts = (listing.tokens.title, listing.tokens.extra, *map(str, numbers))
    return _SEPARATOR.join(parts).encode()


def read_shown(stored: bytes) -> Candidate:
    """The candidate that was stored."""
    title, extra, sales, in_stock, *ids = stored.decode().split(_SEPARATOR)
    category_id, merchant_id, price_minor, created_at = map(int, ids)
    return Candidate(
        title, extra, int(sales), in_stock == "1", category_id, merchant_id, price_minor, created_at
    )
