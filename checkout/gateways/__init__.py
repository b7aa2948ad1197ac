"""Card gateways: what the cashier asks of one (``base``), Stripe (``stripe``), and a sandbox."""

from __future__ import annotations

from checkout.gateways.base import Gateway
from checkout.gateways.stripe import StripeGateway
from kernel.settings import GatewayKind, Settings

STRIPE_URL = "https://api.stripe.com"


def make_gateway(settings: Settings) -> Gateway:
    """The gateway that the settings name. Make one for a process and keep it.

    ``MALL_GATEWAY=stripe`` means Stripe itself unless ``MALL_GATEWAY_URL`` was given, to go
    through a proxy or to a mock.
    """
    url = settings.gateway_url
    if settings.gateway is GatewayKind.STRIPE and "gateway_url" not in settings.model_fields_set:
        url = STRIPE_URL
    return StripeGateway(
        name=settings.gateway.value,
        base_url=url,
        api_key=settings.gateway_api_key,
        webhook_secrets=settings.gateway_webhook_secrets,
    )
