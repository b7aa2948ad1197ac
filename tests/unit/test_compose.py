"""The compose file runs what `make stack` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from servers.kinds import KINDS
from servers.place import Place
from servers.versions import PARTS, PORT_BASE

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_same_servers_in_the_same_versions() -> None:
    images = {name: service.get("image") for name, service in COMPOSE["services"].items()}
    front, mall = images.pop("front"), images.pop("mall")
    assert images == {name: part.image for name, part in PARTS.items()}
    assert all(part.image.split(":")[1].lstrip("v") == part.version for part in PARTS.values())
    assert front.startswith("nginx:")
    assert mall is None
    assert COMPOSE["services"]["mall"]["build"] == "."


def test_same_settings() -> None:
    """Every setting that the script exports for the mall is set in the compose file too."""
    place = Place(Path("/nowhere"), PORT_BASE, None)
    exported = {name for kind in KINDS for name in kind(place).exports()}
    given = COMPOSE["services"]["mall"]["environment"]
    assert {name for name in exported if name.startswith("MALL_")} <= set(given)
    for name, scheme in {
        "MALL_DATABASE_URL": "mysql+pymysql://mall:",
        "MALL_SEARCH_URL": "http://elasticsearch:",
        "MALL_REDIS_URL": "redis://redis:",
        "MALL_BROKER_URL": "amqp://mall:",
    }.items():
        assert given[name].startswith(scheme)


def test_mariadb_starts_with_the_same_rules() -> None:
    """What keeps money right on the database is not left to a default."""
    source = (ROOT / "scripts" / "servers" / "kinds.py").read_text(encoding="utf-8")
    for flag in (
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_nopad_bin",
        "--transaction-isolation=READ-COMMITTED",
        "--innodb-flush-log-at-trx-commit=1",
    ):
        assert flag in source
        assert flag in COMPOSE["services"]["mariadb"]["command"]
