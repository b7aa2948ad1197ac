"""The process's card gateway, and the problems of talking to it."""

from __future__ import annotations

from datetime import timedelta

from checkout.gateways import make_gateway
from checkout.gateways.base import Gateway
from kernel.errors import Problem, ServiceUnavailable
from kernel.settings import Settings, get_settings

CURRENCY = "cny"
# What the gateway could not say now it is asked again after this.
ASK_AGAIN = timedelta(minutes=2)


class BadWebhook(Problem):
    code = "bad_webhook"
    status = 400
    title = "网关通知无效"


class GatewayDown(ServiceUnavailable):
    code = "gateway_unavailable"
    title = "银行卡网关暂时不可用，没有扣款，请稍后再试"


_made: tuple[Settings, Gateway] | None = None


def gateway() -> Gateway:
    """The process's gateway, made once for its settings."""
    global _made
    settings = get_settings()
    if _made is None or _made[0] is not settings:
        _made = (settings, make_gateway(settings))
    return _made[1]
