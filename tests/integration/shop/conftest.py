from __future__ import annotations

import pytest
from flask import Flask

from kernel.db import write_transaction
from merchants.services import MerchantView
from tests.factories.catalogue import build_categories, build_merchant


@pytest.fixture
def north(app: Flask) -> MerchantView:
    """An approved merchant, on the platform's categories."""
    with write_transaction():
        build_categories()
        return build_merchant("north", freight_minor=800, free_from_minor=9_900)
