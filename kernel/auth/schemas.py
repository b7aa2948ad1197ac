"""What sign-in takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class LoginIn(Schema):
    login = fields.String(required=True, validate=validate.Length(1, 190))
    password = fields.String(required=True, validate=validate.Length(1, 200))


class SwitchIn(Schema):
    membership_id = fields.String(required=True, validate=validate.Length(1, 40))


class TenantOut(Schema):
    kind = fields.String()
    id = fields.String()
    name = fields.String()


class UserOut(Schema):
    id = fields.String()
    login = fields.String()
    name = fields.String()
    roles = fields.List(fields.String())
    tenant = fields.Nested(TenantOut)


class MembershipOut(Schema):
    membership_id = fields.String()
    tenant = fields.Nested(TenantOut)
    roles = fields.List(fields.String())
    active = fields.Boolean()


class SettingsIn(Schema):
    personalisation = fields.Boolean(required=True)


class SettingsOut(Schema):
    """What a person has chosen for themselves, whichever membership they act for."""

    personalisation = fields.Boolean()


class MeOut(Schema):
    csrf_token = fields.String()
    user = fields.Nested(UserOut)
    settings = fields.Nested(SettingsOut)
    memberships = fields.List(fields.Nested(MembershipOut))
