"""What the shop's calls take and give."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class AddressIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 40))
    phone = fields.String(required=True, validate=validate.Length(5, 20))
    region_code = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{6}$"))
    detail = fields.String(required=True, validate=validate.Length(1, 200))
    is_default = fields.Boolean(load_default=False)


class AddressOut(Schema):
    address_id = fields.String(attribute="public_id")
    name = fields.String()
    phone = fields.String()
    region_code = fields.String()
    region_name = fields.String()
    detail = fields.String()
    is_default = fields.Boolean()


class AddressesOut(Schema):
    items = fields.List(fields.Nested(AddressOut))


class RegionsIn(Schema):
    parent = fields.String(load_default="", validate=validate.Length(0, 6))


class RegionOut(Schema):
    code = fields.String()
    name = fields.String()
    has_children = fields.Boolean()


class RegionsOut(Schema):
    items = fields.List(fields.Nested(RegionOut))


class CategoryOut(Schema):
    id = fields.String(attribute="public_id")
    name = fields.String()
    name_en = fields.String()
    object = fields.String()
    tint = fields.String()


class TopCategoryOut(CategoryOut):
    children = fields.List(fields.Nested(CategoryOut))


class CategoriesOut(Schema):
    items = fields.List(fields.Nested(TopCategoryOut))
