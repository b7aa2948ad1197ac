"""All settings, typed, in one place. The process refuses to start when one is wrong."""

from __future__ import annotations

import base64
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# Build products such as fonts stand beside the code, wherever the command is run from.
_ROOT = Path(__file__).resolve().parent.parent

DEMO_SECRET_KEY = "demo-secret-key-not-for-production"
DEMO_PII_KEYS = "k1:ZGVtby1waWkta2V5LW5vdC1mb3ItcHJvZHVjdGlvbiE="
DEMO_GATEWAY_KEY = "sk_test_demo_2026"
DEMO_WEBHOOK_SECRET = "whsec_demo_2026"
DEMO_PASSWORD = "demo-mall-2026"


class Environment(StrEnum):
    DEMO = "demo"
    PRODUCTION = "production"
    TEST = "test"


class GatewayKind(StrEnum):
    SANDBOX = "sandbox"
    STRIPE = "stripe"


class Settings(BaseSettings):
    """Read from environment variables with the prefix ``MALL_``."""

    # What is wrong is told without its value: a start-up log is no place for secrets.
    model_config = SettingsConfigDict(env_prefix="MALL_", extra="ignore", hide_input_in_errors=True)

    env: Environment = Field(Environment.DEMO, description="demo, production or test")
    data_dir: Path = Field(Path("var"), description="where databases, indexes and media live")
    database_url: str = Field("", description="default: SQLite MALL_DATA_DIR/mall.db")
    search_url: str = Field("embedded:", description="embedded: or http://host:port")
    redis_url: str = Field("", description="redis://…; empty: in process")
    broker_url: str = Field("", description="amqp://…; empty: the local worker")
    namespace: str = Field(
        "mall",
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="prefix of indexes, keys and queues, where several malls share servers",
    )
    gateway: GatewayKind = Field(GatewayKind.SANDBOX, description="sandbox or stripe")
    gateway_url: str = Field("http://127.0.0.1:8001", description="the gateway's base URL")
    gateway_api_key: str = Field(DEMO_GATEWAY_KEY, description="the gateway's secret key")
    gateway_webhook_secrets: Annotated[list[str], NoDecode] = Field(
        [DEMO_WEBHOOK_SECRET], description="comma-separated; several during rotation"
    )
    secret_key: str = Field(DEMO_SECRET_KEY, description="signs cursors and chains the audit log")
    pii_keys: Annotated[dict[str, str], NoDecode] = Field(
        DEMO_PII_KEYS,  # parsed by the validator below
        validate_default=True,
        description="id:base64 of 32 bytes, comma-separated; the first encrypts, all decrypt",
    )
    demo_password: str = Field(DEMO_PASSWORD, description="of every login of the demo world")
    port: int = Field(8000, ge=0, le=65535, description="web port of `make up` (also PORT)")
    now_offset: int = Field(0, description="seconds added to business time (demo and test)")
    fault: str = Field("", description="name[:count]: end the process at that point")
    hold_minutes: int = Field(30, ge=1, description="how long an unpaid order keeps its goods")
    quote_minutes: int = Field(15, ge=1, description="how long a quote stands")
    session_hours: int = Field(12, ge=1, description="how long a sign-in lasts")
    max_body_bytes: int = Field(1_048_576, ge=1024, description="largest request body accepted")
    seller_name: str = Field("福满福利商城有限公司", description="seller of record on invoices")
    seller_tax_number: str = Field("91330100MA2FUMAN0X", description="its tax number")
    seller_taxpayer: str = Field("general", description="general or small_scale")
    bind: str = Field("127.0.0.1", description="address that web listens on")
    web_threads: int = Field(8, ge=1, le=64, description="threads of a web process")
    web_processes: int = Field(
        0, ge=0, le=64, description="web processes; 0: two with Redis, else one"
    )
    trusted_proxies: int = Field(
        0, ge=0, le=4, description="proxies in front whose X-Forwarded-* headers are believed"
    )
    sign_ins_per_minute: int = Field(3_000, ge=0, description="by address; 0: no limit")
    searches_per_minute: int = Field(60_000, ge=0, description="by person; 0: no limit")
    commands_per_minute: int = Field(60_000, ge=0, description="by person; 0: no limit")
    objects_dir: Path = Field(
        _ROOT / "frontend/node_modules/@lobehub/fluent-emoji-3d/assets",
        description="3-D objects of the demo pictures",
    )
    font_dir: Path = Field(
        _ROOT / "frontend/node_modules/@expo-google-fonts/noto-sans-sc",
        description="Chinese font embedded in PDF",
    )

    @field_validator("gateway_webhook_secrets", mode="before")
    @classmethod
    def _split_secrets(cls, value: object) -> object:
        return [s for s in value.split(",") if s] if isinstance(value, str) else value

    @field_validator("pii_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.split(":", 1) for part in value.split(",") if part]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise ValueError("give id:base64key pairs, comma-separated")
        if not all(base64.b64decode(key, validate=True) for _, key in pairs):
            raise ValueError("a key is empty")
        return dict(pairs)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.data_dir = self.data_dir.absolute()
        if not self.database_url:
            self.database_url = f"sqlite:///{self.data_dir / 'mall.db'}"
        if "gateway_url" not in self.model_fields_set and self.gateway_url_file.is_file():
            self.gateway_url = self.gateway_url_file.read_text(encoding="utf-8").strip()
        if self.env is Environment.PRODUCTION:
            self._refuse_demo_values()
        return self

    def _refuse_demo_values(self) -> None:
        demo_keys = {part.partition(":")[2] for part in DEMO_PII_KEYS.split(",")}
        refused = {
            "MALL_SECRET_KEY": self.secret_key in {"", DEMO_SECRET_KEY},
            "MALL_PII_KEYS": not demo_keys.isdisjoint(self.pii_keys.values()),
            "MALL_GATEWAY_API_KEY": self.gateway_api_key in {"", DEMO_GATEWAY_KEY},
            "MALL_GATEWAY_WEBHOOK_SECRETS": not self.gateway_webhook_secrets
            or DEMO_WEBHOOK_SECRET in self.gateway_webhook_secrets,
            "MALL_GATEWAY=sandbox": self.gateway is GatewayKind.SANDBOX,
            "MALL_NOW_OFFSET/MALL_FAULT": bool(self.now_offset or self.fault),
        }
        wrong = [name for name, is_wrong in refused.items() if is_wrong]
        if wrong:
            raise ValueError("production refuses demo or empty values of " + ", ".join(wrong))

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def web_process_count(self) -> int:
        """Several web processes need a place that they share."""
        return self.web_processes or (2 if self.redis_url else 1)

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"

    @property
    def index_dir(self) -> Path:
        return self.data_dir / "index"

    @property
    def gateway_db(self) -> Path:
        """The sandbox gateway's own file, beside the data."""
        return self.data_dir / "gateway.db"

    @property
    def gateway_url_file(self) -> Path:
        """Where a running mall says which port its sandbox gateway got, for command lines."""
        return self.data_dir / "gateway.url"


SECRET_SETTINGS = frozenset(
    {"gateway_api_key", "gateway_webhook_secrets", "secret_key", "pii_keys", "demo_password"}
)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings; tests change the environment and call ``cache_clear``."""
    return Settings()  # type: ignore[call-arg]  # every field has a default
