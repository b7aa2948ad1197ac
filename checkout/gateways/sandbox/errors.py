"""Stripe's errors, as exceptions that know whether their answer is kept for a replay."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal in Stripe's shape.

    ``validation`` errors come before the work starts, so their answer isn't kept under the
    Idempotency-Key; all other 4xx answers are, with whatever the command has written.
    ``intent_id`` names the PaymentIntent that the error shows as it now stands.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        charge: str | None = None,
        intent_id: str | None = None,
        validation: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.charge = charge
        self.intent_id = intent_id
        self.validation = validation

    def to_dict(self) -> dict[str, Any]:
        """The ``error`` member, without what isn't set, as Stripe writes it."""
        members = {
            "charge": self.charge,
            "code": self.code,
            "decline_code": self.decline_code,
            "doc_url": f"https://stripe.com/docs/error-codes/{self.code}" if self.code else None,
            "message": self.message,
            "param": self.param,
            "type": self.kind,
        }
        return {name: value for name, value in members.items() if value is not None}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A parameter that can't be read or isn't allowed; found before the work starts."""
    return ApiError(message, param=param, code=code, validation=True)


def missing(param: str) -> ApiError:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def not_found(kind: str, object_id: str, *, param: str) -> ApiError:
    """404 for an id in the path, which Stripe calls ``resource_missing``."""
    return ApiError(
        f"No such {kind}: '{object_id}'", status=404, code="resource_missing", param=param
    )


def unauthorized(message: str) -> ApiError:
    return ApiError(message, status=401, validation=True)


def card_error(
    message: str,
    *,
    code: str,
    param: str | None = None,
    decline_code: str | None = None,
    charge: str | None = None,
    intent_id: str | None = None,
) -> ApiError:
    """402: the card or its details are at fault; nothing was charged."""
    return ApiError(
        message,
        status=402,
        kind="card_error",
        code=code,
        param=param,
        decline_code=decline_code,
        charge=charge,
        intent_id=intent_id,
    )
