"""A real gateway on its own port and file, and a desk at which tests pay by card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from checkout.gateways.sandbox.server import RunningGateway, running_sandbox
from tests.factories.cashier import Mall, Shopper, build_mall
from tests.factories.surroundings import settings_of
from tests.functional.gateway.parts import API_KEY, SECRET, Receiver, receiving
from tests.integration.checkout.desk import CardDesk

# Far from any port that something listens on: connecting is refused at once.
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def _gateway(
    _receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    path = tmp_path_factory.mktemp("cashier") / "gateway.db"
    with running_sandbox(path, webhook_url=_receiver.url, settle_seconds=0.2) as running:
        yield running


@pytest.fixture
def desk(app: Flask, _gateway: RunningGateway, _receiver: Receiver) -> Iterator[CardDesk]:
    """The shop talks to the real gateway; its notices wait here until a test delivers them."""
    _gateway.faults.clear()
    _receiver.notices.clear()
    with settings_of(
        gateway_url=_gateway.url, gateway_api_key=API_KEY, gateway_webhook_secrets=SECRET
    ):
        yield CardDesk(app, _gateway, _receiver)


@pytest.fixture
def mall(desk: CardDesk) -> Mall:
    return build_mall()


@pytest.fixture
def buyer(app: Flask, mall: Mall) -> Shopper:
    return Shopper(app, mall.buyer, mall.address_id)
