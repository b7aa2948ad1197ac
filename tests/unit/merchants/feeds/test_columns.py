"""Headers as merchants write them."""

from __future__ import annotations

import pytest

from merchants.feeds.columns import (
    SYNONYMS,
    detect_columns,
    fold_header,
    missing_columns,
    template_headers,
)


def test_the_template_finds_every_field_in_its_own_column() -> None:
    assert detect_columns(template_headers()) == {
        field: position for position, field in enumerate(SYNONYMS)
    }


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("售价（元）", "price"),
        (" 销售价 * ", "price"),
        ("Sale_Price", "price"),
        ("ＳＫＵ编码", "sku_code"),
        ("\ufeff商品编码", "product_code"),
        ("SKU ID", "sku_code"),
        ("库存[件]", "stock"),
        ("规格/型号", "spec"),
        ("颜色", None),
        ("", None),
    ],
)
def test_headers_are_recognised_however_they_are_dressed(written: str, field: str | None) -> None:
    assert detect_columns([written]) == ({field: 0} if field else {})


def test_what_is_remembered_goes_before_the_synonyms_and_the_first_column_counts() -> None:
    remembered = {fold_header("到手价"): "price", fold_header("名称"): "subtitle"}
    found = detect_columns(["名称", "到手价", "售价", "库存", "库存数量"], remembered)
    assert found == {"subtitle": 0, "price": 1, "stock": 3}
    assert missing_columns(found) == ["商品编码", "SKU编码", "商品名称"]


def test_no_two_fields_share_a_name() -> None:
    names = [fold_header(name) for group in SYNONYMS.values() for name in group]
    assert len(names) == len(set(names))
