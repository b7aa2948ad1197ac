"""What the operator's search desk takes and gives (load and dump apart)."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from search.merchandising import Action
from search.rules import MAX_BOOST, MAX_PLACE, RuleState
from search.schemas import SearchNamedOut
from search.synonyms import MAX_WORDS, SynonymKind

# Longer than what is kept: normalising may shorten a text.
_MAX_TEXT = 200
_ID = validate.Length(max=40)


class _PageIn(Schema):
    cursor = fields.String(load_default=None, validate=validate.Length(1, 400))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class SynonymsIn(_PageIn):
    """``q``: only entries in which this word stands."""

    q = fields.String(load_default="", validate=validate.Length(max=_MAX_TEXT))


class SynonymIn(Schema):
    """A group of words that mean the same, or an alias ``word`` that stands for ``words``."""

    kind = fields.Enum(SynonymKind, by_value=True, required=True)
    word = fields.String(load_default="", validate=validate.Length(max=_MAX_TEXT))
    words = fields.List(
        fields.String(validate=validate.Length(max=_MAX_TEXT)),
        required=True,
        validate=validate.Length(1, MAX_WORDS),
    )
    active = fields.Boolean(load_default=True)


class SynonymOut(Schema):
    synonym_id = fields.String(attribute="public_id")
    kind = fields.Enum(SynonymKind, by_value=True)
    word = fields.String()
    words = fields.List(fields.String())
    active = fields.Boolean()
    changed_by = fields.String()
    changed_at = fields.String()


class SynonymsOut(Schema):
    items = fields.List(fields.Nested(SynonymOut))
    next_cursor = fields.String(allow_none=True)


class ListIn(Schema):
    """Names a list: that of a query, or that of a category (its id)."""

    query = fields.String(load_default="", validate=validate.Length(max=_MAX_TEXT))
    category = fields.String(load_default="", validate=_ID)

    @validates_schema
    def _check_list(self, data: Mapping[str, Any], **_: Any) -> None:
        if bool(data["query"].strip()) == bool(data["category"]):
            raise ValidationError("搜索词和类目填一个", "query")


class RulesIn(_PageIn):
    """Rules of one list, or without either of all."""

    query = fields.String(load_default="", validate=validate.Length(max=_MAX_TEXT))
    category = fields.String(load_default="", validate=_ID)
    state = fields.Enum(RuleState, by_value=True, load_default=None)


class RuleIn(ListIn):
    """``amount``: the place of a pin (from 1), the percent of a boost, 0 to bury.

    ``publish``: in force at once, without a draft.
    """

    product_id = fields.String(required=True, validate=validate.Length(1, 40))
    action = fields.Enum(Action, by_value=True, required=True)
    amount = fields.Integer(
        load_default=0, strict=True, validate=validate.Range(0, max(MAX_PLACE, MAX_BOOST))
    )
    valid_from = fields.AwareDateTime(format="iso", load_default=None, allow_none=True)
    valid_until = fields.AwareDateTime(format="iso", load_default=None, allow_none=True)


class NewRuleIn(RuleIn):
    publish = fields.Boolean(load_default=False)


class RuleProductOut(Schema):
    """``live``: the product is for sale; a rule of one that is not waits for it."""

    id = fields.String()
    title = fields.String()
    live = fields.Boolean()


class RuleOut(Schema):
    rule_id = fields.String()
    query = fields.String()
    category = fields.Nested(SearchNamedOut, allow_none=True)
    product = fields.Nested(RuleProductOut)
    action = fields.Enum(Action, by_value=True)
    amount = fields.Integer()
    valid_from = fields.String(allow_none=True)
    valid_until = fields.String(allow_none=True)
    state = fields.Enum(RuleState, by_value=True)
    in_force = fields.Boolean()
    changed_by = fields.String()
    changed_at = fields.String()


class RulesOut(Schema):
    items = fields.List(fields.Nested(RuleOut))
    next_cursor = fields.String(allow_none=True)


class PublishedOut(Schema):
    """How many drafts are in force now."""

    published = fields.Integer()


class PreviewIn(ListIn):
    """``enterprise``: as its people see the list; without, of all goods."""

    enterprise = fields.String(load_default="", validate=_ID)


class PreviewItemOut(Schema):
    """A product of a list, and the rule that put it where it is, if one did."""

    product_id = fields.String()
    title = fields.String()
    image = fields.String()
    price_minor = fields.Integer()
    in_stock = fields.Boolean()
    action = fields.Enum(Action, by_value=True, allow_none=True)


class PreviewListOut(Schema):
    """``ruled_query``: the query of which rules arranged the list, empty where none did."""

    ruled_query = fields.String()
    total = fields.Integer()
    items = fields.List(fields.Nested(PreviewItemOut))


class PreviewOut(Schema):
    """The present list, and the same with the drafts in force."""

    query = fields.String()
    category = fields.Nested(SearchNamedOut, allow_none=True)
    enterprise = fields.Nested(SearchNamedOut, allow_none=True)
    drafts = fields.Integer()
    present = fields.Nested(PreviewListOut)
    draft = fields.Nested(PreviewListOut)


class ReportIn(_PageIn):
    """Days in China, both included; by default the thirty days that end today."""

    first = fields.Date(load_default=None)
    last = fields.Date(load_default=None)


class LowClicksIn(ReportIn):
    min_searches = fields.Integer(load_default=20, validate=validate.Range(1, 1_000_000))
    below_percent = fields.Integer(load_default=10, validate=validate.Range(1, 100))


class ReportRowOut(Schema):
    """``click_share``: clicks for each search that found something. ``handled``: a rule or a
    synonym for this query is in use."""

    query = fields.String()
    searches = fields.Integer()
    found_nothing = fields.Integer()
    clicks = fields.Integer()
    click_share = fields.Float(allow_none=True)
    mean_place = fields.Float(allow_none=True)
    handled = fields.Boolean()


class ReportOut(Schema):
    first = fields.String()
    last = fields.String()
    items = fields.List(fields.Nested(ReportRowOut))
    next_cursor = fields.String(allow_none=True)
