"""The gateway's signed notices (Domain rules 18 and 20): believed only by their signature."""

from __future__ import annotations

from flask import Response, request

from checkout.services.payments import take_event
from kernel.web import api_blueprint

blueprint = api_blueprint("webhooks", __name__)


@blueprint.route("/webhooks/gateway", methods=["POST"])
@blueprint.response(200)
def gateway_event() -> Response:
    """Take in one event; the raw body is what was signed."""
    take_event(
        raw_body=request.get_data(cache=False), signature=request.headers.get("Stripe-Signature")
    )
    return Response(b'{"received":true}', mimetype="application/json")
