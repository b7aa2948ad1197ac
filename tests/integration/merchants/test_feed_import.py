"""Imports on a real database: what lands, what is counted, and what stays as it was."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from kernel import faults
from kernel.db import db, read_only, write_transaction
from kernel.errors import Problem
from kernel.settings import get_settings
from merchants.feeds import importing
from merchants.feeds.importing import ImportResult, import_feed
from merchants.feeds.memory import remember_category, remember_headers
from tests.integration.merchants.conftest import HEADER, WriteFeed


def rows_of(query: str, **values: Any) -> list[tuple[Any, ...]]:
    with read_only():
        return [tuple(row) for row in db.session.execute(text(query), values)]


def one(query: str, **values: Any) -> Any:
    ((value,),) = rows_of(query, **values)
    return value


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    progress = result.progress
    return (progress.new, progress.changed, progress.unchanged, progress.bad)


def north(path: Path, **options: Any) -> ImportResult:
    return import_feed(merchant_code="north", path=path, **options)


def numbered(count: int) -> list[dict[str, str]]:
    return [{"商品编码": f"P{i // 2}", "SKU编码": f"S{i}", "库存": str(i)} for i in range(count)]


def everything() -> dict[str, int]:
    tables = ("product", "sku", "offer", "stock", "brand", "feed_run", "feed_last_row")
    return {table: one(f"SELECT count(*) FROM {table}") for table in tables}


def test_the_real_feed_twice_changes_nothing_the_second_time(
    market: Flask, test_data: Path
) -> None:
    feed = test_data / "yanxuan_feed.csv"
    assert counts(north(feed)) == (244, 0, 0, 0)
    assert everything() | {"brand": 0} == {
        "product": 239,
        "sku": 244,
        "offer": 244,
        "stock": 244,
        "brand": 0,
        "feed_run": 1,
        "feed_last_row": 244,
    }
    versions = rows_of("SELECT id, version, updated_at FROM product")
    assert counts(north(feed)) == (0, 0, 244, 0)
    assert rows_of("SELECT id, version, updated_at FROM product") == versions
    assert (
        one(
            "SELECT count(*) FROM product p JOIN category c ON c.id = p.category_id "
            "WHERE c.key = 'other.misc'"
        )
        == 0
    )
    assert rows_of(
        "SELECT p.title, k.name, k.unit, o.price_minor, o.list_price_minor, s.on_hand "
        "FROM offer o JOIN sku k ON k.id = o.sku_id JOIN product p ON p.id = k.product_id "
        "JOIN stock s ON s.offer_id = o.id WHERE o.sku_code = '1'"
    ) == [("母亲节礼物-舒适安睡组合", "1.5m床垫*1+枕头*2/浅杏粉", "件", 99_900, 261_800, 100)]


def test_a_new_row_is_a_product_with_the_categorys_tax_code(
    market: Flask, write_feed: WriteFeed, news: list[dict[str, Any]]
) -> None:
    path = write_feed(
        [
            {"单位": "", "规格属性": "净含量:100g"},
            {"SKU编码": "S2", "规格": "250g", "规格属性": "净含量:250g"},
        ]
    )
    assert counts(north(path)) == (2, 0, 0, 0)
    assert rows_of(
        "SELECT p.title, p.version, p.attributes, b.name, c.key FROM product p "
        "JOIN brand b ON b.id = p.brand_id JOIN category c ON c.id = p.category_id"
    ) == [
        (
            "山野龙井茶",
            1,
            '[{"name":"净含量","value":"100g / 250g"}]',
            "山野",
            "tea.green-tea",
        )
    ]
    assert rows_of("SELECT name, unit, tax_code FROM sku ORDER BY id") == [
        ("100g", "盒", "1030309000000000000"),
        ("250g", "盒", "1030309000000000000"),
    ]
    assert news == [
        {"event": "shop.products_changed", "product_ids": [one("SELECT id FROM product")]}
    ]


def test_stock_is_written_only_when_its_column_changed(
    market: Flask, write_feed: WriteFeed, news: list[dict[str, Any]]
) -> None:
    north(write_feed([{}]))
    with write_transaction():
        # Three are held for orders under way, four have been sold.
        db.session.execute(text("UPDATE stock SET on_hand = 6, held = 3, sold = 4"))
    news.clear()
    assert counts(north(write_feed([{}]))) == (0, 0, 1, 0)
    assert counts(north(write_feed([{"售价": "98"}]))) == (0, 1, 0, 0)
    assert rows_of("SELECT on_hand, held, sold FROM stock") == [(6, 3, 4)]
    assert rows_of("SELECT price_minor FROM offer") == [(9_800,)]
    assert one("SELECT version FROM product") == 2
    assert counts(north(write_feed([{"售价": "98", "库存": "20"}]))) == (0, 1, 0, 0)
    assert rows_of("SELECT on_hand, held, sold FROM stock") == [(23, 3, 4)]
    # Stock that doesn't cross zero is no news for search.
    assert one("SELECT version FROM product") == 2
    assert len(news) == 1


@pytest.mark.parametrize(("before", "after"), [("0", "5"), ("5", "0")])
def test_stock_that_crosses_zero_raises_the_version(
    market: Flask, write_feed: WriteFeed, news: list[dict[str, Any]], before: str, after: str
) -> None:
    north(write_feed([{"库存": before}]))
    news.clear()
    north(write_feed([{"库存": after}]))
    assert one("SELECT version FROM product") == 2
    assert len(news) == 1


def test_only_changed_columns_are_written(market: Flask, write_feed: WriteFeed) -> None:
    north(write_feed([{}]))
    with write_transaction():
        db.session.execute(text("UPDATE product SET title = '运营改过的标题'"))
    north(write_feed([{"简介": "明前采摘", "规格": "125g"}]))
    assert rows_of("SELECT title, subtitle, version FROM product") == [
        ("运营改过的标题", "明前采摘", 2)
    ]
    assert rows_of("SELECT name FROM sku") == [("125g",)]


def test_the_same_barcode_is_the_same_product_of_another_merchant(
    market: Flask, write_feed: WriteFeed
) -> None:
    code = "6901234567892"
    north(write_feed([{"商品条码": code}]))
    south = write_feed(
        [
            {
                "商品编码": "X",
                "SKU编码": "Y",
                "商品名称": "别家的标题",
                "商品条码": code,
                "售价": "95",
            },
            {"商品编码": "X", "SKU编码": "Z", "规格": "500g"},
        ],
        name="south.csv",
    )
    result = import_feed(merchant_code="south", path=south)
    assert counts(result) == (2, 0, 0, 0)
    assert rows_of("SELECT title, version FROM product") == [("山野龙井茶", 2)]
    assert rows_of(
        "SELECT k.name, o.price_minor FROM sku k JOIN offer o ON o.sku_id = k.id ORDER BY o.id"
    ) == [("100g", 9_900), ("100g", 9_500), ("500g", 9_900)]
    # The text is the first merchant's; the second one's changes reach only its own offer.
    changed = write_feed(
        [{"商品编码": "X", "SKU编码": "Y", "商品名称": "又改", "商品条码": code, "售价": "90"}],
        name="south.csv",
    )
    import_feed(merchant_code="south", path=changed)
    assert rows_of("SELECT title, version FROM product") == [("山野龙井茶", 3)]
    assert one("SELECT price_minor FROM offer WHERE sku_code = 'Y'") == 9_000


def test_one_barcode_on_several_skus_of_a_merchant_keeps_them_apart(
    market: Flask, write_feed: WriteFeed
) -> None:
    code = "6901234567892"
    rows = [{"SKU编码": f"S{i}", "规格": f"{i}g", "商品条码": code} for i in range(3)]
    north(write_feed(rows[:1]))
    north(write_feed(rows))
    assert one("SELECT count(DISTINCT sku_id) FROM offer") == 3
    assert one("SELECT count(*) FROM product") == 1


def test_categories_by_memory_then_by_name_else_other_with_a_warning(
    market: Flask, write_feed: WriteFeed
) -> None:
    merchant_id = one("SELECT id FROM merchant WHERE code = 'north'")
    pillow = one("SELECT id FROM category WHERE `key` = 'bedding.pillow'")
    with write_transaction():
        remember_category(merchant_id, name="绿茶", category_id=pillow)
    result = north(
        write_feed(
            [
                {"商品编码": "A", "SKU编码": "A", "类目": "绿茶"},
                {"商品编码": "B", "SKU编码": "B", "类目": "随便 / 枕头"},
                {"商品编码": "C", "SKU编码": "C", "类目": "火星特产"},
            ]
        )
    )
    assert rows_of(
        "SELECT o.sku_code, c.key FROM offer o JOIN sku k ON k.id = o.sku_id "
        "JOIN product p ON p.id = k.product_id JOIN category c ON c.id = p.category_id "
        "ORDER BY o.id"
    ) == [("A", "bedding.pillow"), ("B", "bedding.pillow"), ("C", "other.misc")]
    assert result.to_json()["warnings"] == [
        {"text": "类目“火星特产”没有对应，放入“其他商品”", "rows": 1}
    ]


def test_a_tax_code_of_the_row_counts_and_an_unknown_one_makes_it_bad(
    market: Flask, write_feed: WriteFeed
) -> None:
    result = north(
        write_feed(
            [
                {"税收分类编码": "1040201"},
                {"SKU编码": "S2", "税收分类编码": "9999999999999999999"},
            ]
        )
    )
    assert counts(result) == (1, 0, 0, 1)
    assert rows_of("SELECT tax_code FROM sku") == [("1040201000000000000",)]


def test_bad_rows_come_back_as_they_stood_with_the_reason(
    market: Flask, write_feed: WriteFeed, tmp_path: Path
) -> None:
    rows = [{"SKU编码": f"S{i}"} for i in range(5)]
    rows[1] = {"SKU编码": "S1", "售价": "面议"}
    rows[3] = {"SKU编码": "S0", "规格": "又一次"}
    path = write_feed(rows)
    errors = tmp_path / "errors.csv"
    for dry_run in (True, False):
        result = north(path, errors_path=errors, dry_run=dry_run)
        assert counts(result) == (3, 0, 0, 2)
        with errors.open(encoding="utf-8-sig", newline="") as file:
            header, *bad = csv.reader(file)
        assert header == [*HEADER, "错误"]
        assert [(r[1], r[7], r[-1]) for r in bad] == [
            ("S1", "面议", "第 2 行：售价“面议”不是金额（元，最多两位小数）"),
            ("S0", "99.00", "第 4 行：SKU编码 S0 在文件里出现了不止一次"),
        ]
    assert counts(north(path)) == (0, 0, 3, 2)


def test_a_dry_run_counts_and_moves_nothing(market: Flask, write_feed: WriteFeed) -> None:
    north(write_feed([{}]))
    before = everything()
    result = north(
        write_feed([{"售价": "1"}, {"SKU编码": "S2"}, {"SKU编码": "S3", "库存": "x"}]),
        dry_run=True,
    )
    assert counts(result) == (1, 1, 0, 1)
    assert everything() == before
    assert one("SELECT price_minor FROM offer") == 9_900


def test_a_sku_does_not_move_to_another_product(market: Flask, write_feed: WriteFeed) -> None:
    north(write_feed([{}]))
    assert counts(north(write_feed([{"商品编码": "P2"}]))) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "feed_empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "feed_not_a_table"),
        ("这只是一段文字。\n没有表头。\n".encode(), "feed_headers_missing"),
        ("商品编码,SKU编码,商品名称,库存\n1,2,x,3\n".encode(), "feed_headers_missing"),
        ("商品编码,SKU编码,商品名称,售价,库存\n".encode(), "feed_empty"),
        (
            "商品编码,SKU编码,商品名称,售价,库存\n1,1,x,9,1\n".encode("utf-16"),
            "feed_encoding_unknown",
        ),
    ],
)
def test_what_is_no_feed_moves_nothing(
    market: Flask, tmp_path: Path, data: bytes, code: str
) -> None:
    path = tmp_path / "feed.csv"
    path.write_bytes(data)
    with pytest.raises(Problem) as caught:
        north(path)
    assert caught.value.code == code
    assert everything() | {"feed_run": 0} == dict.fromkeys(everything(), 0)


def test_a_missing_header_is_named(market: Flask, write_feed: WriteFeed) -> None:
    header = [name for name in HEADER if name not in ("售价", "库存")]
    with pytest.raises(Problem) as caught:
        north(write_feed([{}], header=header))
    assert caught.value.errors == [
        {"field": "售价", "message": "缺少这一列"},
        {"field": "库存", "message": "缺少这一列"},
    ]


def test_only_an_approved_merchant_may_import(market: Flask, write_feed: WriteFeed) -> None:
    for merchant, code in (("late", "merchant_not_approved"), ("nobody", "not_found")):
        with pytest.raises(Problem) as caught:
            import_feed(merchant_code=merchant, path=write_feed([{}]))
        assert caught.value.code == code


def test_headers_that_were_taught_are_remembered(market: Flask, write_feed: WriteFeed) -> None:
    header = ["到手价" if name == "售价" else name for name in HEADER]
    with pytest.raises(Problem):
        north(write_feed([{"到手价": "5"}], header=header))
    with write_transaction():
        remember_headers(one("SELECT id FROM merchant WHERE code = 'north'"), {"到手价": "price"})
    assert counts(north(write_feed([{"到手价": "5"}], header=header))) == (1, 0, 0, 0)
    assert one("SELECT price_minor FROM offer") == 500


def test_a_gb18030_file_is_the_same_feed(market: Flask, write_feed: WriteFeed) -> None:
    north(write_feed([{}]))
    assert counts(north(write_feed([{}], encoding="gb18030"))) == (0, 0, 1, 0)


def test_a_file_of_errors_stops_before_anything_moves(market: Flask, write_feed: WriteFeed) -> None:
    rows = numbered(400)
    for row in rows[::3]:
        row["售价"] = "x"
    with pytest.raises(Problem) as caught:
        north(write_feed(rows))
    assert caught.value.code == "feed_too_many_errors"
    assert caught.value.extra == {"new": 0, "changed": 0, "unchanged": 0, "bad": 134}
    assert one("SELECT count(*) FROM offer") == 0
    assert one("SELECT state FROM feed_run") == "stopped"
    assert counts(north(write_feed(rows), max_bad_share=0.5)) == (266, 0, 0, 134)


def test_one_import_of_a_merchant_at_a_time(market: Flask, write_feed: WriteFeed) -> None:
    merchant_id = one("SELECT id FROM merchant WHERE code = 'north'")
    path = write_feed([{}])
    with importing._only_one_import(merchant_id):
        with pytest.raises(Problem) as caught:
            north(path)
        assert caught.value.code == "feed_import_running"
        assert counts(import_feed(merchant_code="south", path=path)) == (1, 0, 0, 0)


KILLED = """
import sys
from pathlib import Path
from app.factory import create_app
from merchants.feeds import importing
from merchants.feeds.importing import import_feed
importing.SERVER_BATCH_ROWS = importing.BATCH_ROWS
with create_app().app_context():
    import_feed(merchant_code="north", path=Path(sys.argv[1]))
"""


def test_a_killed_import_goes_on_where_it_was(
    market: Flask, write_feed: WriteFeed, tmp_path: Path
) -> None:
    rows = numbered(1_500)
    rows[700]["售价"] = "x"
    rows[1_200]["SKU编码"] = "S3"  # stands twice; its first time is before the kill
    path = write_feed(rows)
    environment = os.environ | {
        "MALL_FAULT": "feed_import_after_batch:3",
        "MALL_DATA_DIR": str(get_settings().data_dir),
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], env=environment, check=False, timeout=120
    )
    assert killed.returncode == 86
    landed = one("SELECT count(*) FROM offer")
    assert 700 < landed < 1_000
    assert rows_of("SELECT state, new, bad FROM feed_run") == [("running", landed, 1)]
    errors = tmp_path / "errors.csv"
    result = north(path, errors_path=errors)
    assert result.resumed_from == landed + 1
    assert counts(result) == (1_498, 0, 0, 2)
    assert one("SELECT count(*) FROM offer") == 1_498
    assert one("SELECT sum(on_hand) FROM stock") == sum(range(1_500)) - 700 - 1_200
    assert rows_of("SELECT state, new, bad FROM feed_run") == [("done", 1_498, 2)]
    assert len(errors.read_text(encoding="utf-8-sig").splitlines()) == 3
    assert counts(north(path)) == (0, 0, 1_498, 2)


def test_another_file_leaves_an_interrupted_run_behind(
    market: Flask, write_feed: WriteFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        pass

    def cut(_name: str) -> None:
        raise PowerCut

    monkeypatch.setattr(importing, "SERVER_BATCH_ROWS", importing.BATCH_ROWS)
    path = write_feed(numbered(500))
    with monkeypatch.context() as patch:
        patch.setattr(faults, "point", cut)
        with pytest.raises(PowerCut):
            north(path)
    other = write_feed([{"SKU编码": "new"}], name="other.csv")
    assert counts(north(other)) == (1, 0, 0, 0)
    assert rows_of("SELECT state FROM feed_run ORDER BY id") == [("left",), ("done",)]
    # The first file from its beginning: what had landed is unchanged.
    result = north(path)
    assert result.resumed_from == 0
    assert counts(result) == (200, 0, 300, 0)


def test_values_of_attributes_are_numbered_once(market: Flask, write_feed: WriteFeed) -> None:
    north(
        write_feed(
            [
                {"规格属性": "净含量:100g;包装:罐装"},
                {"商品编码": "P2", "SKU编码": "S2", "规格属性": "包装:罐装;产地:狮峰"},
                {"商品编码": "P3", "SKU编码": "S3", "规格属性": ""},
                {"商品编码": "P4", "SKU编码": "S4", "规格属性": f"备注:{'长' * 81}"},
            ]
        )
    )
    numbered = rows_of("SELECT id, name, value FROM attribute_value")
    north(write_feed([{"商品编码": "P5", "SKU编码": "S5", "规格属性": "净含量:100g;净含量:250g"}]))

    pairs = [("产地", "狮峰"), ("净含量", "100g"), ("包装", "罐装")]
    assert sorted(row[1:] for row in numbered) == pairs
    after = rows_of("SELECT id, name, value FROM attribute_value")
    assert set(numbered) <= set(after)
    assert [row[1:] for row in after if row not in numbered] == [("净含量", "250g")]
