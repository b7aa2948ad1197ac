"""Signed webhooks that really travel over HTTP, with retries that survive a restart."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
import stripe

from checkout.gateways.sandbox.server import running_sandbox
from tests.functional.gateway.parts import (
    Notice,
    client_of,
    eventually,
    get,
    post,
    receiving,
)

BODY = {"amount": "700", "currency": "cny", "metadata[order_id]": "ord_1"}
PAID = BODY | {"confirm": "true", "payment_method": "pm_card_visa"}
JOURNEY = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def signed_by(notice: Notice, secret: str, tolerance: int = 300) -> bool:
    try:
        stripe.WebhookSignature.verify_header(notice.raw, notice.signature, secret, tolerance)
    except stripe.SignatureVerificationError:
        return False
    return True


def test_every_change_is_told_once_and_signed(tmp_path: Path) -> None:
    with (
        receiving() as shop,
        running_sandbox(tmp_path / "gateway.db", webhook_url=shop.url) as gateway,
    ):
        intent = post(gateway, "/v1/payment_intents", PAID).json()
        post(gateway, "/v1/refunds", {"payment_intent": intent["id"], "amount": "200"})
        eventually(lambda: len(shop.notices) == 5)
        assert sorted(shop.types()) == sorted([*JOURNEY, "refund.created", "charge.refunded"])
        succeeded = next(n.event for n in shop.notices if n.event.type.endswith("t.succeeded"))
        told = succeeded.data.object
        assert (told["id"], told["amount_received"], told["status"]) == (
            intent["id"],
            700,
            "succeeded",
        )
        assert told["metadata"]["order_id"] == "ord_1"
        eventually(
            lambda: client_of(gateway).v1.events.retrieve(succeeded.id).pending_webhooks == 0
        )
        time.sleep(0.2)
        assert len(shop.notices) == 5


def test_a_receiver_that_fails_first_hears_it_again(tmp_path: Path) -> None:
    with (
        receiving() as shop,
        running_sandbox(
            tmp_path / "gateway.db", webhook_url=shop.url, retry_base_seconds=0.2
        ) as gateway,
    ):
        shop.script = [500, 302, 404]
        post(gateway, "/v1/payment_intents", BODY)
        eventually(lambda: len(shop.notices) == 4)
        ids = {notice.event.id for notice in shop.notices}
        assert len(ids) == 1
        assert len({notice.raw for notice in shop.notices}) == 1
        times = [notice.at for notice in shop.notices]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        # 0.2, 0.4, 0.8 seconds at the least; a busy machine may add to them.
        assert all(gap >= least for gap, least in zip(gaps, (0.2, 0.4, 0.8), strict=True))
        time.sleep(0.3)
        assert len(shop.notices) == 4


def test_each_try_is_signed_anew_with_all_secrets_of_the_day(tmp_path: Path) -> None:
    with (
        receiving() as shop,
        running_sandbox(
            tmp_path / "gateway.db",
            webhook_url=shop.url,
            secrets=("whsec_old",),
            retry_base_seconds=1.1,
        ) as gateway,
    ):
        shop.script = [500]
        post(gateway, "/v1/payment_intents", BODY)
        eventually(lambda: len(shop.notices) == 1)
        gateway.config.webhook_secrets = ("whsec_new", "whsec_old")
        eventually(lambda: len(shop.notices) == 2)
        first, second = shop.notices
        assert signed_by(first, "whsec_old")
        assert not signed_by(first, "whsec_new")
        assert signed_by(second, "whsec_old")
        assert signed_by(second, "whsec_new")
        assert not signed_by(second, "whsec_other")
        assert first.signature.split(",")[0] != second.signature.split(",")[0]


def test_what_was_not_delivered_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    with receiving() as shop:
        shop.script = [503] * 3
        with running_sandbox(path, webhook_url=shop.url, retry_base_seconds=60) as gateway:
            intent = post(gateway, "/v1/payment_intents", PAID).json()
            eventually(lambda: len(shop.notices) == 3)
        shop.notices.clear()
        with running_sandbox(path, webhook_url=shop.url, retry_base_seconds=60) as gateway:
            eventually(lambda: len(shop.notices) == 3)
            assert sorted(shop.types()) == sorted(JOURNEY)
            assert get(gateway, f"/v1/payment_intents/{intent['id']}").json() == intent


def test_a_settlement_due_while_it_was_down_comes_after_the_restart(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    body = BODY | {"confirm": "true", "payment_method": "pm_card_bypassPending"}
    with running_sandbox(path, settle_seconds=0.3) as gateway:
        intent = post(gateway, "/v1/payment_intents", body).json()
        assert intent["status"] == "processing"
    time.sleep(0.4)
    with running_sandbox(path, settle_seconds=60) as gateway:
        where = f"/v1/payment_intents/{intent['id']}"
        eventually(lambda: get(gateway, where).json()["status"] == "succeeded")


def test_a_slow_receiver_holds_up_no_request(tmp_path: Path) -> None:
    with (
        receiving() as shop,
        running_sandbox(tmp_path / "gateway.db", webhook_url=shop.url) as gateway,
    ):
        shop.gate.clear()
        started = time.monotonic()
        for _ in range(10):
            assert post(gateway, "/v1/payment_intents", BODY).status_code == 200
        assert time.monotonic() - started < 2.0
        assert len(shop.notices) <= 4
        shop.gate.set()
        eventually(lambda: len({notice.raw for notice in shop.notices}) == 10)


def test_nobody_there_then_somebody(tmp_path: Path) -> None:
    with receiving() as shop:
        url = shop.url
    port = int(url.split(":")[2].split("/")[0])
    with running_sandbox(
        tmp_path / "gateway.db", webhook_url=url, retry_base_seconds=0.1
    ) as gateway:
        post(gateway, "/v1/payment_intents", BODY)
        time.sleep(0.3)
        with receiving(port=port) as shop:
            eventually(lambda: shop.types() == ["payment_intent.created"])


def test_it_gives_up_in_the_end(tmp_path: Path) -> None:
    with (
        receiving() as shop,
        running_sandbox(
            tmp_path / "gateway.db",
            webhook_url=shop.url,
            retry_base_seconds=0.05,
            give_up_seconds=0.3,
        ) as gateway,
    ):
        shop.script = [500] * 100
        post(gateway, "/v1/payment_intents", BODY)
        time.sleep(1.0)
        tries = len(shop.notices)
        assert 3 <= tries <= 6
        time.sleep(0.5)
        assert len(shop.notices) == tries


def test_a_webhook_needs_a_secret(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="secret"),
        running_sandbox(tmp_path / "gateway.db", webhook_url="http://127.0.0.1:1/", secrets=()),
    ):
        raise AssertionError("it must not start")
