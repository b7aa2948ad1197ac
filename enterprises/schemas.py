"""What the wallet's calls, and the operators' list of enterprises, take and give."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class WalletNameOut(Schema):
    id = fields.String()
    name = fields.String()


class CreditExpiryOut(Schema):
    lot_id = fields.String()
    source = fields.String()
    amount_minor = fields.Integer()
    granted_minor = fields.Integer()
    at = fields.String()


class EligibleOut(Schema):
    text = fields.String()
    categories = fields.List(fields.Nested(WalletNameOut))


class WalletPotOut(Schema):
    id = fields.String()
    name = fields.String()
    available_minor = fields.Integer()
    held_minor = fields.Integer()
    expires = fields.List(fields.Nested(CreditExpiryOut))
    eligible = fields.Nested(EligibleOut)
    billing_entity = fields.Nested(WalletNameOut)
    after_expiry = fields.String()


class PointExpiryOut(Schema):
    amount = fields.Integer()
    at = fields.String()


class WalletPointsOut(Schema):
    available = fields.Integer()
    held = fields.Integer()
    per_yuan = fields.Integer()
    expires = fields.List(fields.Nested(PointExpiryOut))


class WalletOut(Schema):
    pots = fields.List(fields.Nested(WalletPotOut))
    points = fields.Nested(WalletPointsOut)


class EnterprisesIn(Schema):
    """``q``: only enterprises with this in their name."""

    q = fields.String(load_default="", validate=validate.Length(max=120))
    cursor = fields.String(load_default=None, validate=validate.Length(1, 200))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class EnterpriseNameOut(Schema):
    id = fields.String()
    name = fields.String()


class EnterprisesOut(Schema):
    items = fields.List(fields.Nested(EnterpriseNameOut))
    next_cursor = fields.String(allow_none=True)


class StatementIn(Schema):
    pot = fields.String(load_default=None, validate=validate.Length(1, 40))
    cursor = fields.String(load_default=None, validate=validate.Length(1, 200))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class StatementRowOut(Schema):
    at = fields.String()
    kind = fields.String()
    asset = fields.String()
    amount_minor = fields.Integer()
    pot_id = fields.String(allow_none=True)
    pot_name = fields.String(allow_none=True)
    lot_id = fields.String()
    order_id = fields.String(allow_none=True)
    title = fields.String()


class StatementOut(Schema):
    items = fields.List(fields.Nested(StatementRowOut))
    next_cursor = fields.String(allow_none=True)
