"""The demo catalogue and the three feeds made of it."""

import csv
import json
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

import pytest

from app.demo.catalogue import HIDDEN_BRAND, HIDDEN_CATEGORY
from app.demo.catalogue.barcodes import check_digit, gtin_of, is_gtin13
from app.demo.catalogue.definitions import BadDefinition, load_products, parse
from app.demo.catalogue.feeds import COLUMNS, MERCHANTS, offer_price, rows_of, write_feeds
from app.demo.catalogue.leaves import load_leaves
from app.demo.pictures import known_objects

Rows = dict[str, list[dict[str, str]]]


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    paths = write_feeds(tmp_path_factory.mktemp("feeds"))
    rows = {}
    for merchant, path in paths.items():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows[merchant] = list(csv.DictReader(file))
    return rows


def test_enough_of_everything() -> None:
    products = load_products()
    assert len(products) >= 330
    assert sum(len(product.skus) for product in products) >= 660
    assert len({product.brand for product in products}) >= 30
    assert {product.leaf.key for product in products} == load_leaves().keys()


def test_every_product_is_written_out() -> None:
    for product in load_products():
        assert 6 <= len(product.title) <= 40, product.key
        assert len(product.description) >= 8, product.key
        assert product.description.endswith("。"), product.key
        assert product.keywords.split(), product.key
        assert product.object in known_objects(), product.key
    titles = Counter(product.title for product in load_products())
    assert [title for title, count in titles.items() if count > 1] == []


def test_skus_of_a_product_differ_and_cost_something() -> None:
    for product in load_products():
        specs = [sku.spec for sku in product.skus]
        assert len(specs) == len(set(specs)), product.key
        for sku in product.skus:
            assert 500 <= sku.price_minor <= 500_000, sku.key


def test_columns_are_the_feed_format(feeds: Rows) -> None:
    assert COLUMNS[:11] == (
        "商品编码", "SKU编码", "商品名称", "类目", "品牌", "规格", "市场价", "售价", "库存",
        "单位", "关键词",
    )  # fmt: skip
    assert {"简介", "主图", "图集", "税收分类编码", "规格属性", "商品条码"} <= set(COLUMNS)
    assert list(feeds) == list(MERCHANTS) == ["north", "south", "east"]
    assert list(feeds["north"][0]) == list(COLUMNS)


def test_codes_are_unique_within_a_merchant(feeds: Rows) -> None:
    for rows in feeds.values():
        assert len({row["SKU编码"] for row in rows}) == len(rows)
        titles = defaultdict(set)
        for row in rows:
            titles[row["商品编码"]].add(row["商品名称"])
        assert all(len(names) == 1 for names in titles.values())


def test_prices_and_stock_are_believable(feeds: Rows) -> None:
    for rows in feeds.values():
        for row in rows:
            yuan, fen = row["售价"].split(".")
            assert len(fen) == 2
            price = int(yuan) * 100 + int(fen)
            list_yuan, list_fen = row["市场价"].split(".")
            assert price < int(list_yuan) * 100 + int(list_fen), row
            assert row["库存"] == "0" or 20 <= int(row["库存"]) <= 500
        sold_out = sum(row["库存"] == "0" for row in rows)
        assert 3 <= sold_out <= len(rows) // 15


def test_barcodes_are_valid_and_mean_one_sku(feeds: Rows) -> None:
    meaning = defaultdict(set)
    for rows in feeds.values():
        for row in rows:
            assert is_gtin13(row["商品条码"])
            assert 690 <= int(row["商品条码"][:3]) <= 699
            meaning[row["商品条码"]].add((row["商品名称"], row["规格"]))
    assert len(meaning) == sum(len(product.skus) for product in load_products())
    assert all(len(goods) == 1 for goods in meaning.values())


@pytest.mark.parametrize(
    ("code", "valid"),
    [("6901234567892", True), ("6901234567893", False), ("690123456789", False), ("", False)],
)
def test_gtin_check(code: str, *, valid: bool) -> None:
    assert is_gtin13(code) is valid


def test_check_digit_wants_twelve_digits() -> None:
    assert check_digit("690123456789") == 2
    with pytest.raises(ValueError, match="twelve digits"):
        check_digit("69012345678")
    assert gtin_of("zisha-pot-01") == gtin_of("zisha-pot-01")


def test_some_goods_are_sold_by_several_merchants_at_different_prices() -> None:
    shared = [product for product in load_products() if len(product.merchants) > 1]
    assert 25 <= len(shared) <= 60
    for product in shared:
        prices = {
            merchant: offer_price(merchant, product, product.skus[0])
            for merchant in product.merchants
        }
        assert prices[product.merchants[0]] == product.skus[0].price_minor
        assert all(
            abs(price - product.skus[0].price_minor) * 10 <= product.skus[0].price_minor
            for price in prices.values()
        )
    assert any(
        offer_price(product.merchants[1], product, product.skus[0]) != product.skus[0].price_minor
        for product in shared
    )


def test_each_merchant_sells_food_bedding_and_what_beta_hides(feeds: Rows) -> None:
    tree = json.loads(files("shop").joinpath("categories.json").read_text(encoding="utf-8"))
    names = {top["key"]: top["name"] for top in tree["categories"]}
    food = {names[key] for key in tree["festival_food"]}
    for rows in feeds.values():
        tops = {row["类目"].split(" > ")[0] for row in rows}
        assert food <= tops
        assert {names["bedding"], names[HIDDEN_CATEGORY]} <= tops
        assert len(tops) >= 12
        assert any(row["品牌"] == HIDDEN_BRAND for row in rows)


def test_pictures_name_skus(feeds: Rows) -> None:
    keys = {sku.key for product in load_products() for sku in product.skus}
    for rows in feeds.values():
        for row in rows:
            assert row["主图"].removeprefix("demo:") in keys
            gallery = row["图集"].split("|") if row["图集"] else []
            assert {link.removeprefix("demo:") for link in gallery} <= keys
            assert row["主图"] not in gallery


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = write_feeds(tmp_path / "one"), write_feeds(tmp_path / "two")
    for merchant in MERCHANTS:
        assert first[merchant].read_bytes() == second[merchant].read_bytes()
        assert first[merchant].read_bytes().startswith(b"\xef\xbb\xbf")


def test_codes_do_not_move_when_other_goods_do() -> None:
    row = next(row for row in rows_of("south") if row[2].startswith("手作紫砂小壶"))
    assert row[0] == "S660571"
    assert row[7] == "243.00"


def test_a_definition_is_read() -> None:
    text = (
        "[kitchen.cups]\n"
        "cup | 杯子 大 | 器隅 | mug:蓝 | ns | unit=只\n"
        "  ~ 杯子\n"
        "  > 好杯子。\n"
        "  容量: 350ml =89, 500ml =109.5\n"
        "  颜色: 墨绿, 金边 =+10\n"
    )
    (product,) = parse(text, "x.txt")
    assert (product.key, product.unit, product.leaning) == ("cup", "只", "蓝")
    assert product.merchants == ("north", "south")
    assert [(sku.spec, sku.price_minor) for sku in product.skus] == [
        ("350ml/墨绿", 8900),
        ("350ml/金边", 9900),
        ("500ml/墨绿", 10950),
        ("500ml/金边", 11950),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cup | 杯子 | 器隅 | mug | n\n", "before the first category"),
        ("[kitchen.nothing]\n", "kitchen.nothing"),
        ("[kitchen.cups]\ncup | 杯子 | 器隅 | mug | n\n  容量: 1L =1.234\n", "finer than a fen"),
        ("[kitchen.cups]\ncup | 杯子 | 器隅 | mug | n\n  容量: 1L\n", "one axis"),
        ("[kitchen.cups]\ncup | 杯子 | 器隅 | mug | n\n  无用的话\n", "neither keywords"),
    ],
)
def test_a_broken_definition_says_where(text: str, message: str) -> None:
    with pytest.raises(BadDefinition, match=message):
        list(parse(text, "x.txt"))
