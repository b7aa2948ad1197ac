"""Who may call what. Every route of the application stands here; a test holds it to that."""

from __future__ import annotations

from kernel.auth.policy import PUBLIC, SIGNED_IN, Access, Policy, Role

EMPLOYEE = Access.of(Role.EMPLOYEE)
ENTERPRISE = Access.of(Role.HR, Role.FINANCE)
OPERATOR = Access.of(Role.OPERATOR)

POLICY: Policy = {
    # Sign-in
    "auth.login": PUBLIC,
    "auth.logout": SIGNED_IN,
    "auth.me": SIGNED_IN,
    "auth.switch": SIGNED_IN,
    "auth.show_settings": SIGNED_IN,
    "auth.change_settings": SIGNED_IN,
    # Catalogue, address book, wallet
    "shop.list_categories": SIGNED_IN,
    "shop.list_regions": SIGNED_IN,
    "shop.list_addresses": SIGNED_IN,
    "shop.add_address": SIGNED_IN,
    "shop.change_address": SIGNED_IN,
    "shop.delete_address": SIGNED_IN,
    "wallet.wallet": SIGNED_IN,
    "wallet.wallet_statement": SIGNED_IN,
    # Finding and choosing
    "search.search_goods": SIGNED_IN,
    "search.suggest_text": SIGNED_IN,
    "search.count_result_click": SIGNED_IN,
    "search.similar_goods": SIGNED_IN,
    "search.bought_together": SIGNED_IN,
    "shopping.show_product": SIGNED_IN,
    "shopping.show_cart": EMPLOYEE,
    "shopping.put_item": EMPLOYEE,
    "shopping.delete_item": EMPLOYEE,
    # The cashier
    "checkout.create_quote": EMPLOYEE,
    "checkout.place_order": EMPLOYEE,
    "checkout.own_orders": SIGNED_IN,
    "checkout.own_order": SIGNED_IN,
    "checkout.cancel_order": SIGNED_IN,
    "checkout.confirm_receipt": SIGNED_IN,
    "checkout.preview_after_sale": SIGNED_IN,
    "checkout.ask_after_sale": SIGNED_IN,
    "webhooks.gateway_event": PUBLIC,  # proved by its signature
    # Invoices and the enterprise's console
    "invoices.show_invoice": SIGNED_IN,
    "invoices.invoice_pdf": SIGNED_IN,
    "invoices.invoice_xml": SIGNED_IN,
    "invoices.enterprise_orders": ENTERPRISE,
    "enterprise_insights.enterprise_overview": ENTERPRISE,
    # The operator's search desk
    "search_operator.list_synonyms": OPERATOR,
    "search_operator.add_synonym": OPERATOR,
    "search_operator.change_synonym": OPERATOR,
    "search_operator.delete_synonym": OPERATOR,
    "search_operator.list_rules": OPERATOR,
    "search_operator.add_rule": OPERATOR,
    "search_operator.change_rule": OPERATOR,
    "search_operator.delete_rule": OPERATOR,
    "search_operator.withdraw_rule": OPERATOR,
    "search_operator.publish_rules": OPERATOR,
    "search_operator.preview_list": OPERATOR,
    "search_operator.zero_results": OPERATOR,
    "search_operator.low_clicks": OPERATOR,
    "enterprises_operator.find_enterprises": OPERATOR,
    # Health, documents, pages
    "pages.healthz": PUBLIC,
    "pages.readyz": PUBLIC,
    "pages.api_docs": PUBLIC,
    "pages.demo_logins": PUBLIC,
    "pages.media": PUBLIC,
    "pages.gateway_proxy": PUBLIC,
    "pages.console": PUBLIC,
    "pages.console_asset": PUBLIC,
    "pages.mall": PUBLIC,
    "api-docs.openapi_json": PUBLIC,
}
