"""Every table there is, imported in one place for the migrations."""

import billing.models
import checkout.models
import enterprises.models
import kernel.audit.models
import kernel.auth.models
import kernel.clock
import kernel.idempotency
import kernel.ledger.models
import kernel.outbox
import kernel.schedule
import merchants.feeds.models
import merchants.models
import points.models
import search.models
import shop.models

__all__ = ["billing", "checkout", "enterprises", "kernel", "merchants", "points", "search", "shop"]
