"""Two approved merchants on the platform's categories, and feeds written row by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import Table

from kernel import outbox
from kernel.db import Base, db, write_transaction
from merchants.feeds import models
from merchants.services import approve_merchant, create_merchant
from shop.services.categories import load_categories

HEADER = (
    "商品编码", "SKU编码", "商品名称", "类目", "品牌", "规格", "市场价", "售价", "库存", "单位",
    "关键词", "简介", "主图", "图集", "商品条码", "税收分类编码", "规格属性",
)  # fmt: skip
ROW = {
    "商品编码": "P1",
    "SKU编码": "S1",
    "商品名称": "山野龙井茶",
    "类目": "茶饮 > 绿茶",
    "品牌": "山野",
    "规格": "100g",
    "市场价": "128.00",
    "售价": "99.00",
    "库存": "10",
    "单位": "盒",
}

WriteFeed = Callable[..., Path]


@pytest.fixture
def market(app: Flask) -> Flask:
    """``north`` and ``south`` sell, ``late`` has only applied."""
    tables = [
        cast("Table", model.__table__)
        for model in (
            models.FeedRun,
            models.FeedLastRow,
            models.FeedError,
            models.FeedHeader,
            models.FeedCategory,
        )
    ]
    with db.engine.begin() as connection:
        Base.metadata.create_all(connection, tables=tables)
    with write_transaction():
        load_categories()
        for code in ("north", "south", "late"):
            merchant = create_merchant(
                code=code, name=f"{code} 商户", tax_number="91330100MA2ABCDE0X", commission_bp=500
            )
            if code != "late":
                approve_merchant(merchant_id=merchant.id, freight_minor=0, free_from_minor=None)
    return app


@pytest.fixture
def write_feed(tmp_path: Path) -> WriteFeed:
    """``write_feed([{column: value}, …], name=…)``: each row is :data:`ROW` with some changes."""

    def write(
        rows: Sequence[dict[str, str]],
        *,
        name: str = "feed.csv",
        header: Sequence[str] = HEADER,
        encoding: str = "utf-8-sig",
    ) -> Path:
        path = tmp_path / name
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for row in rows:
                values = ROW | row
                writer.writerow([values.get(column, "") for column in header])
        return path

    return write


@pytest.fixture
def news(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the import told the outbox."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(outbox, "emit", lambda event, **ids: told.append({"event": event, **ids}))
    return told
