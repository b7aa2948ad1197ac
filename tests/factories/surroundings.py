"""Other settings for the length of a block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from kernel.settings import Settings, get_settings

# What production accepts: no value of the demo among them.
PRODUCTION = {
    "env": "production",
    "secret_key": "a secret key that only this test knows",
    "pii_keys": "p1:cHJvZHVjdGlvbi1waWkta2V5LW9mLXRoaXJ0eXR3byE=",
    "gateway": "stripe",
    "gateway_api_key": "sk_live_of_this_test",
    "gateway_webhook_secrets": "whsec_of_this_test",
}


@contextmanager
def settings_of(**values: str) -> Iterator[Settings]:
    """``settings_of(pii_keys="k1:…")``: ``MALL_PII_KEYS`` inside the block, as before after it."""
    with patch.dict(os.environ, {f"MALL_{name.upper()}": text for name, text in values.items()}):
        get_settings.cache_clear()
        try:
            yield get_settings()
        finally:
            get_settings.cache_clear()
