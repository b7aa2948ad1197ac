"""Who may call what. Every route of the application stands here; a test holds it to that."""

from __future__ import annotations

from kernel.auth.policy import PUBLIC, SIGNED_IN, Access, Policy, Role

EMPLOYEE = Access.of(Role.EMPLOYEE)
ENTERPRISE = Access.of(Role.HR, Role.FINANCE)

POLICY: Policy = {
    # Sign-in
    "auth.login": PUBLIC,
    "auth.logout": SIGNED_IN,
    "auth.me": SIGNED_IN,
    "auth.switch": SIGNED_IN,
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
