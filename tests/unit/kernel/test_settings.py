"""A process that is set up wrongly does not start."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from kernel import settings as module
from kernel.settings import Environment, GatewayKind, Settings
from tests.factories.surroundings import PRODUCTION, settings_of


def _production_error(**changes: str) -> str:
    with pytest.raises(ValidationError) as caught, settings_of(**PRODUCTION | changes):
        pass
    return str(caught.value)


def test_defaults_follow_the_data_folder(tmp_path: Path) -> None:
    with settings_of(data_dir=str(tmp_path)) as settings:
        assert settings.database_url == f"sqlite:///{tmp_path}/mall.db"
        assert settings.is_sqlite
        assert settings.media_dir == tmp_path / "media"
        assert settings.index_dir == tmp_path / "index"
        assert settings.gateway_db == tmp_path / "gateway.db"


def test_a_relative_data_folder_is_made_absolute() -> None:
    with settings_of(data_dir="var") as settings:
        assert settings.data_dir == Path.cwd() / "var"


def test_another_database_is_no_sqlite() -> None:
    with settings_of(database_url="mysql+pymysql://mall@127.0.0.1/mall") as settings:
        assert not settings.is_sqlite


def test_lists_are_split_at_commas() -> None:
    with settings_of(
        gateway_webhook_secrets="whsec_a,whsec_b,", pii_keys="k2:Zg==,k1:Zg=="
    ) as settings:
        assert settings.gateway_webhook_secrets == ["whsec_a", "whsec_b"]
        assert list(settings.pii_keys) == ["k2", "k1"]


def test_values_may_come_ready_made() -> None:
    assert Settings._split_keys({"k": "Zg=="}) == {"k": "Zg=="}
    assert Settings._split_secrets(["a"]) == ["a"]


def test_a_wrong_start_tells_no_secret() -> None:
    message = _production_error(secret_key="the-secret-of-this-shop", gateway="sandbox")
    assert "sandbox" in message
    assert "the-secret-of-this-shop" not in message


@pytest.mark.parametrize(
    "wrong",
    [
        {"env": "staging"},
        {"gateway": "paypal"},
        {"port": "70000"},
        {"hold_minutes": "0"},
        {"web_threads": "0"},
        {"now_offset": "soon"},
        {"pii_keys": "no-colon"},
        {"pii_keys": ""},
        {"pii_keys": ","},
        {"pii_keys": "k1:"},
        {"pii_keys": "k1:not base64"},
    ],
)
def test_a_wrong_value_stops_the_process(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError), settings_of(**wrong):
        pass


def test_production_starts_with_values_of_its_own() -> None:
    with settings_of(**PRODUCTION) as settings:
        assert settings.env is Environment.PRODUCTION
        assert settings.gateway is GatewayKind.STRIPE


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("secret_key", module.DEMO_SECRET_KEY, "MALL_SECRET_KEY"),
        ("pii_keys", module.DEMO_PII_KEYS, "MALL_PII_KEYS"),
        ("gateway_api_key", module.DEMO_GATEWAY_KEY, "MALL_GATEWAY_API_KEY"),
        (
            "gateway_webhook_secrets",
            f"whsec_mine,{module.DEMO_WEBHOOK_SECRET}",
            "MALL_GATEWAY_WEBHOOK_SECRETS",
        ),
        ("gateway", "sandbox", "MALL_GATEWAY=sandbox"),
        ("now_offset", "60", "MALL_NOW_OFFSET"),
        ("fault", "order_after_hold", "MALL_FAULT"),
    ],
)
def test_production_refuses_each_demo_value_by_name(name: str, value: str, named: str) -> None:
    message = _production_error(**{name: value})
    refused = message.split("production refuses demo or empty values of ")[1].split(" [")[0]
    assert named in refused
    assert refused.count("MALL_") == named.count("MALL_") + (named == "MALL_NOW_OFFSET") + (
        named == "MALL_FAULT"
    )


def test_production_names_all_that_is_wrong_at_once() -> None:
    with pytest.raises(ValidationError) as caught, settings_of(env="production"):
        pass
    for name in ("SECRET_KEY", "PII_KEYS", "GATEWAY_API_KEY", "WEBHOOK_SECRETS", "sandbox"):
        assert name in str(caught.value)


def test_production_refuses_the_demo_key_behind_another() -> None:
    message = _production_error(pii_keys=f"{PRODUCTION['pii_keys']},{module.DEMO_PII_KEYS}")
    assert "MALL_PII_KEYS" in message


@pytest.mark.parametrize("name", ["secret_key", "gateway_api_key", "gateway_webhook_secrets"])
def test_production_refuses_an_empty_secret(name: str) -> None:
    assert f"MALL_{name.upper()}" in _production_error(**{name: ""})


def test_the_secret_settings_are_settings() -> None:
    assert set(Settings.model_fields) >= module.SECRET_SETTINGS


def test_the_gateways_url_is_what_a_running_mall_wrote_down(tmp_path: Path) -> None:
    (tmp_path / "gateway.url").write_text("http://127.0.0.1:40123\n", encoding="utf-8")
    with settings_of(data_dir=str(tmp_path)) as settings:
        assert settings.gateway_url == "http://127.0.0.1:40123"
    with settings_of(data_dir=str(tmp_path), gateway_url="http://127.0.0.1:9") as settings:
        assert settings.gateway_url == "http://127.0.0.1:9"
