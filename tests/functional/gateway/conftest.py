from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from checkout.gateways.sandbox.server import RunningGateway, running_sandbox
from tests.functional.gateway.parts import client_of


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One real gateway for all tests that send no webhooks: quick to settle, own file."""
    path = tmp_path_factory.mktemp("gateway") / "gateway.db"
    with running_sandbox(path, settle_seconds=0.1) as running:
        yield running


@pytest.fixture
def client(gateway: RunningGateway) -> stripe.StripeClient:
    return client_of(gateway)
