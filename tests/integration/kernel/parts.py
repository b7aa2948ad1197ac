"""Redis for tests that are about it, and one that is away."""

from __future__ import annotations

import os

import pytest

NEEDS_REDIS = pytest.mark.skipif(
    not os.environ.get("MALL_REDIS_URL"),
    reason="NOT tested on Redis: MALL_REDIS_URL is not set (make test-stack sets it)",
)
# Nothing listens on the discard port.
NOBODY = "redis://127.0.0.1:9/0"
