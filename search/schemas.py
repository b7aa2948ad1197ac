"""What search takes and gives (load and dump apart)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema

from search import query_counts
from search.price_ranges import parse_price
from search.requests import MAX_LIMIT, SortBy
from shop.attributes import MAX_NAME, MAX_VALUE

_MAX_PRICE_MINOR = 10**12
_MAX_VALUES = 50
_MAX_ATTRIBUTES = 10
_ATTRIBUTE = "attribute."
MAX_SHELF = 30
# What is longer is cut for the search itself; this only bounds what is accepted at all.
_MAX_TEXT = 20_000


def _id_list() -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.Length(1, 40)),
        load_default=(),
        validate=validate.Length(max=_MAX_VALUES),
    )


def _price_bound() -> fields.Integer:
    return fields.Integer(load_default=None, validate=validate.Range(0, _MAX_PRICE_MINOR))


def _check_price(value: str) -> None:
    try:
        parse_price(value)
    except ValueError as error:
        raise ValidationError("价格区间应写作“最低-最高”，单位为分") from error


class SearchIn(Schema):
    """Query of ``GET /search``; several values of a facet are repeated parameters.

    Those of attributes are called ``attribute.<name>`` and are gathered under ``attribute``.
    """

    q = fields.String(load_default="", validate=validate.Length(max=_MAX_TEXT))
    category = _id_list()
    brand = _id_list()
    merchant = _id_list()
    price = fields.List(
        fields.String(validate=_check_price),
        load_default=(),
        validate=validate.Length(max=_MAX_VALUES),
    )
    attribute = fields.Dict(
        keys=fields.String(validate=validate.Length(1, MAX_NAME)),
        values=fields.List(
            fields.String(validate=validate.Length(1, MAX_VALUE)),
            validate=validate.Length(1, _MAX_VALUES),
        ),
        load_default=dict,
        validate=validate.Length(max=_MAX_ATTRIBUTES),
        metadata={
            "description": "Chosen values by the name of an attribute. Each name is a parameter of "
            "its own, repeated for several values: attribute.颜色=墨绿&attribute.颜色=米白"
        },
    )
    price_min = _price_bound()
    price_max = _price_bound()
    in_stock = fields.Boolean(load_default=False)
    pot = fields.String(load_default="", validate=validate.Length(max=40))
    verbatim = fields.Boolean(load_default=False)
    sort = fields.Enum(SortBy, by_value=True, load_default=None)
    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default="", validate=validate.Length(max=2_000))

    @pre_load
    def _gather_attributes(self, data: Any, **_: Any) -> dict[str, Any]:
        """``attribute.<name>`` parameters as one field; the query comes with all its values."""
        given = {name: data[name] for name in data if not name.startswith(_ATTRIBUTE)}
        given["attribute"] = {
            name.removeprefix(_ATTRIBUTE): data.getlist(name)
            for name in data
            if name.startswith(_ATTRIBUTE)
        }
        return given

    @validates_schema
    def _check_bounds(self, data: Mapping[str, Any], **_: Any) -> None:
        low, high = data["price_min"], data["price_max"]
        if low is not None and high is not None and low > high:
            raise ValidationError("最低价不能高于最高价", "price_min")


class SearchNamedOut(Schema):
    """Something by its outside id and its name."""

    id = fields.String()
    name = fields.String()


class _AsItIs(fields.List[Any]):
    """A list of dataclasses that have the fields of the schema within, which describes them.

    A page has hundreds of such entries, and dumping them one field at a time took longer than
    ranking them all.
    """

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> Any:
        return msgspec.to_builtins(value)


class PieceOut(Schema):
    """A piece of a title, and whether the query found it."""

    text = fields.String()
    hit = fields.Boolean()


class PotMarkOut(Schema):
    """Whether a pot of the signed-in person may pay."""

    pot_id = fields.String()
    name = fields.String()
    eligible = fields.Boolean()


class ItemOut(Schema):
    """A product on a page of results."""

    product_id = fields.String()
    title = fields.String()
    highlight = fields.List(fields.Nested(PieceOut))
    image = fields.String()
    price_minor = fields.Integer()
    list_price_minor = fields.Integer()
    brand = fields.Nested(SearchNamedOut, allow_none=True)
    category = fields.Nested(SearchNamedOut)
    merchants = fields.List(fields.Nested(SearchNamedOut))
    in_stock = fields.Boolean()
    sold = fields.Integer()
    pots = fields.List(fields.Nested(PotMarkOut))


class FacetValueOut(Schema):
    """A value to choose and what choosing it finds."""

    value = fields.String()
    label = fields.String()
    count = fields.Integer()


class RelatedCategoryOut(SearchNamedOut):
    """A category to go on with, and how many goods in it may be seen (and paid by the pot)."""

    count = fields.Integer()


class SearchOut(Schema):
    """Answer of ``GET /search``. ``matched_by``: all words, half, some, or browse.

    ``corrected_query`` was searched for instead of what was typed; ``price_words`` of it were
    taken for a price (``verbatim`` asks for neither). ``related_categories`` are to go on with
    where not all words were found; only the first page has any. ``degraded``: the index is away,
    and this is a bounded list from the database.
    """

    total = fields.Integer()
    items = _AsItIs(fields.Nested(ItemOut))
    facets = fields.Dict(
        keys=fields.String(),
        values=_AsItIs(fields.Nested(FacetValueOut)),
        metadata={
            "description": "By the parameter that chooses a value: category, brand, price, "
            "merchant, and attribute.<name> where the search is about one category"
        },
    )
    next_cursor = fields.String(allow_none=True)
    corrected_query = fields.String(allow_none=True)
    price_words = fields.String()
    related_categories = fields.List(fields.Nested(RelatedCategoryOut))
    matched_by = fields.String()
    took_ms = fields.Float()
    degraded = fields.Boolean()


class ClickIn(Schema):
    """A result that was opened: of which search, and its place in the list, from 1."""

    query = fields.String(required=True, validate=validate.Length(1, _MAX_TEXT))
    product_id = fields.String(required=True, validate=validate.Length(1, 40))
    position = fields.Integer(
        required=True, strict=True, validate=validate.Range(1, query_counts.MAX_PLACE)
    )


class ShelfIn(Schema):
    """Query of the shelves of a product page."""

    limit = fields.Integer(load_default=10, validate=validate.Range(1, MAX_SHELF))


class ShelfOut(Schema):
    """A shelf of a product page. ``degraded``: the index is away, and nothing was looked for."""

    items = _AsItIs(fields.Nested(ItemOut))
    degraded = fields.Boolean()


class SuggestIn(Schema):
    """Query of ``GET /suggest``."""

    q = fields.String(load_default="", validate=validate.Length(max=_MAX_TEXT))


class SuggestionOut(Schema):
    """A suggestion: what to search for, and what it is."""

    text = fields.String()
    kind = fields.String()


class SuggestOut(Schema):
    """Answer of ``GET /suggest``."""

    suggestions = fields.List(fields.Nested(SuggestionOut))
