"""What the cashier's calls take."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from checkout.states import OrderState
from kernel import cursors
from kernel.money import MAX_MINOR
from shop.services.cart import MAX_QUANTITY

_ID = validate.Length(1, 40)


class MaxOrInteger(fields.Field[Any]):
    """A whole number, or the word ``max``."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | None:
        if value == "max":
            return None
        if type(value) is not int or not 0 <= value <= MAX_MINOR:
            raise ValidationError('Give a whole number that is not negative, or "max".')
        return value


class ItemIn(Schema):
    offer_id = fields.String(required=True, validate=_ID)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_QUANTITY))


class QuoteIn(Schema):
    address_id = fields.String(required=True, validate=_ID)
    items = fields.List(
        fields.Nested(ItemIn), load_default=None, allow_none=True, validate=validate.Length(1, 100)
    )
    credit_minor = MaxOrInteger(load_default=None)
    points = MaxOrInteger(load_default=0)
    coupons = fields.List(
        fields.String(validate=_ID), load_default=list, validate=validate.Length(0, 20)
    )


class OrderIn(Schema):
    quote_id = fields.String(required=True, validate=_ID)


class OrdersIn(Schema):
    state = fields.String(
        load_default=None, validate=validate.OneOf([state.value for state in OrderState])
    )
    cursor = fields.String(load_default=None, validate=validate.Length(1, 200))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class ReturnItemIn(Schema):
    line_id = fields.String(required=True, validate=_ID)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_QUANTITY))


class AfterSaleIn(Schema):
    items = fields.List(
        fields.Nested(ReturnItemIn), required=True, validate=validate.Length(1, 100)
    )
    kind = fields.String(
        load_default="refund", validate=validate.OneOf(["refund", "return", "exchange"])
    )
    reason = fields.String(load_default="", validate=validate.Length(0, 200))


class CartItemIn(Schema):
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_QUANTITY))
    chosen = fields.Boolean(load_default=None, allow_none=True)


class EnterpriseOrdersIn(Schema):
    cursor = fields.String(load_default=None, validate=validate.Length(1, 200))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    month = fields.String(
        load_default=None, validate=validate.Regexp(r"^20[0-9]{2}-(0[1-9]|1[0-2])$")
    )


def position(cursor: str | None) -> int | None:
    """Where a page of orders begins. Raises BadCursor also for the cursor of another list."""
    found = cursors.unpack(cursor)
    if found is not None and type(found) is not int:
        raise cursors.BadCursor
    return found
