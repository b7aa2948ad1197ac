"""The blueprints of every room, in the order of the house."""

from __future__ import annotations

from flask_smorest import Blueprint

from checkout.api import blueprint as checkout
from checkout.invoice_api import blueprint as invoices
from checkout.shop_api import blueprint as shopping
from checkout.webhook_api import blueprint as webhooks
from enterprises.admin_api import blueprint as enterprises_operator
from enterprises.api import blueprint as wallet
from insights.enterprise_api import blueprint as enterprise_insights
from kernel.auth.api import blueprint as auth
from search.api import blueprint as search
from search.operator_api import blueprint as search_operator
from shop.api import blueprint as shop

BLUEPRINTS: tuple[Blueprint, ...] = (
    auth,
    shop,
    wallet,
    search,
    shopping,
    checkout,
    invoices,
    webhooks,
    enterprise_insights,
    search_operator,
    enterprises_operator,
)
