"""What one sandbox gateway is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DAY = 86_400


@dataclass(slots=True)
class GatewayConfig:
    """Settings of one gateway. ``webhook_secrets`` and ``webhook_url`` may change while it runs.

    ``public_url`` is the base under which browsers reach the pages (``https://host/gateway``);
    without it the request's own host is used. ``webhook_events`` are the types that are posted, as
    an endpoint at Stripe subscribes to them (empty: all). ``fee_basis_points`` is what the
    gateway keeps of each captured charge, in hundredths of a percent. Times are in seconds.
    """

    db_path: Path
    api_key: str
    webhook_secrets: tuple[str, ...] = ()
    webhook_url: str | None = None
    webhook_events: tuple[str, ...] = ()
    public_url: str | None = None
    shop_name: str = "福满"
    settle_seconds: float = 2.0
    retry_base_seconds: float = 1.0
    retry_cap_seconds: float = 300.0
    give_up_seconds: float = 3.0 * DAY
    keep_answers_seconds: float = 2.0 * DAY
    fee_basis_points: int = 60
    faults_allowed: bool = True

    @property
    def publishable_key(self) -> str:
        """The key a browser may show: it opens nothing without an intent's client secret."""
        return "pk" + self.api_key.removeprefix("sk")
