"""A row is cleaned or refused, and compared column by column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants.feeds.columns import SYNONYMS, template_headers
from merchants.feeds.rows import (
    BadRow,
    FeedRow,
    RowParser,
    changed_fields,
    encode_row,
    parse_attributes,
)
from merchants.feeds.seen import SeenCodes

FIELDS = list(SYNONYMS)
PARSER = RowParser({field: i for i, field in enumerate(FIELDS)}, len(template_headers()))
GOOD = {
    "product_code": "P1",
    "sku_code": "S1",
    "title": "龙井茶",
    "category": "茶饮 > 绿茶",
    "brand": "山野",
    "spec": "100g",
    "list_price": "128.00",
    "price": "99.9",
    "stock": "12",
    "unit": "盒",
}


def parse(**cells: str) -> FeedRow:
    values = GOOD | cells
    return PARSER.parse([values.get(field, "") for field in FIELDS])


def test_a_row_becomes_whole_numbers_and_clean_text() -> None:
    row = parse(title=" 龙井\t茶\x00 ", subtitle="a\u200bb", barcode="6901234567892")
    assert row.title == "龙井 茶"
    assert row.subtitle == "a b"
    assert (row.price_minor, row.list_price_minor, row.stock) == (9_990, 12_800, 12)
    assert row.barcode == "6901234567892"


@pytest.mark.parametrize(
    ("text", "minor"),
    [("99", 9_900), ("99.9", 9_990), ("0.01", 1), ("¥1,299.50", 129_950), ("88元", 8_800)],
)
def test_prices_as_merchants_write_them(text: str, minor: int) -> None:
    assert parse(price=text).price_minor == minor


def test_without_a_market_price_it_is_the_price() -> None:
    assert parse(list_price="").list_price_minor == 9_990


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"price": "0"}, "售价必须大于 0"),
        ({"price": "-1"}, "超出范围"),
        ({"price": "9.999"}, "不是金额"),
        ({"price": "面议"}, "不是金额"),
        ({"price": ""}, "不是金额"),
        ({"price": "1e30"}, "不是金额"),
        ({"price": "NaN"}, "不是金额"),
        ({"price": "200000000"}, "超出范围"),
        ({"list_price": "x"}, "市场价"),
        ({"stock": "-1"}, "库存"),
        ({"stock": "1.5"}, "库存"),
        ({"stock": ""}, "库存"),
        ({"stock": "9999999999"}, "库存最多"),
        ({"title": " "}, "商品名称不能为空"),
        ({"title": "长" * 301}, "最多 300"),
        ({"sku_code": ""}, "SKU编码不能为空"),
        ({"product_code": "x" * 65}, "商品编码最多 64"),
        ({"sku_code": "a\x00b"}, "控制字符"),
        ({"barcode": "6901234567890"}, "条码"),
        ({"barcode": "abc"}, "条码"),
        ({"tax_code": "10301"}, "税收分类编码"),
        ({"brand": "坏\ufffd字"}, "无法识别的字符"),
    ],
)
def test_a_bad_row_says_what_is_wrong(cells: dict[str, str], says: str) -> None:
    with pytest.raises(BadRow, match=says):
        parse(**cells)


def test_a_row_of_another_width_is_refused_unless_only_empty_cells_are_too_many() -> None:
    cells = [GOOD.get(field, "") for field in FIELDS]
    assert PARSER.parse([*cells, "", ""]) == PARSER.parse(cells)
    with pytest.raises(BadRow, match="应有 18 列，实有 19 列"):
        PARSER.parse([*cells, "x"])
    with pytest.raises(BadRow, match="应有 18 列，实有 17 列"):
        PARSER.parse(cells[:-1])


def test_codes_of_one_article_are_equal_however_many_digits_they_are_written_with() -> None:
    assert parse(barcode="036000291452").barcode == "0036000291452"
    assert parse(barcode="00036000291452").barcode == "0036000291452"
    assert parse(tax_code="1030307").tax_code == "1030307000000000000"


def test_only_the_columns_that_differ_are_named() -> None:
    before = encode_row(parse())
    assert changed_fields(before, parse()) == frozenset()
    assert changed_fields(before, parse(stock="0", price="88")) == {"stock", "price_minor"}
    assert encode_row(parse(price="99.90")) == before


def test_a_row_kept_before_a_column_was_added_can_still_be_compared() -> None:
    assert changed_fields('["P1","S1","龙井茶",9990,12800,12]', parse()) == {
        "category",
        "brand",
        "spec",
        "unit",
    }


def test_attributes_are_names_with_values() -> None:
    assert parse_attributes("颜色:墨绿；容量：350ml;乱写;空:") == [
        {"name": "颜色", "value": "墨绿"},
        {"name": "容量", "value": "350ml"},
    ]


@given(st.lists(st.text(max_size=12), max_size=300))
def test_seen_codes_say_what_a_set_says(codes: list[str]) -> None:
    seen, truth = SeenCodes(), set[str]()
    for code in codes:
        assert seen.add(code) == (code not in truth)
        truth.add(code)


def test_seen_codes_grow() -> None:
    seen = SeenCodes()
    assert all(seen.add(str(i)) for i in range(20_000))
    assert not any(seen.add(str(i)) for i in range(20_000))
