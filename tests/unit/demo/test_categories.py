"""The category tree: complete, unambiguous, and able to take a real merchant's categories."""

import csv
import json
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from app.demo.catalogue.leaves import load_leaves
from app.demo.pictures import known_objects


def _tree() -> dict[str, Any]:
    text = files("shop").joinpath("categories.json").read_text(encoding="utf-8")
    tree: dict[str, Any] = json.loads(text)
    return tree


def _leaf_for(text: str) -> str | None:
    """As the importer maps: the whole path first, then its last step."""
    names: dict[str, str] = {}
    for leaf in load_leaves().values():
        for name in (leaf.name, *leaf.aliases):
            names.setdefault(name, leaf.key)
    return names.get(text) or names.get(text.rsplit(" > ", maxsplit=1)[-1])


def test_keys_and_names_are_unique() -> None:
    tree = _tree()
    keys = [top["key"] for top in tree["categories"]] + list(load_leaves())
    assert len(keys) == len(set(keys)) == 17 + 102
    names = [leaf.name for leaf in load_leaves().values()]
    assert len(names) == len(set(names))


def test_no_alias_means_two_leaves() -> None:
    owners = defaultdict(set)
    for leaf in load_leaves().values():
        for name in (leaf.name, *leaf.aliases):
            owners[name].add(leaf.key)
    assert {name: keys for name, keys in owners.items() if len(keys) > 1} == {}


def test_a_tax_code_has_one_rate() -> None:
    rates = defaultdict(set)
    for leaf in load_leaves().values():
        assert len(leaf.tax_code) == 19
        assert leaf.tax_code.isdigit()
        rates[leaf.tax_code].add(leaf.tax_rate_bp)
    assert {code: rate for code, rate in rates.items() if len(rate) > 1} == {}
    assert set().union(*rates.values()) == {900, 1300}


def test_rates_that_the_law_lowers() -> None:
    leaves = load_leaves()
    lowered = {key for key, leaf in leaves.items() if leaf.tax_rate_bp == 900}
    assert {"grocery.rice", "grocery.oil", "grocery.fresh", "office.books"} <= lowered
    assert {"snack.mooncake", "tea.green-tea", "bedding.quilt"} & lowered == set()


def test_what_may_not_be_returned_without_reason() -> None:
    leaves = load_leaves()
    excepted = {key for key, leaf in leaves.items() if not leaf.no_reason_return}
    assert {"grocery.fresh", "clothing.underwear", "snack.mooncake"} <= excepted
    assert {"bedding.quilt", "clothing.coats", "kitchen.pots"} & excepted == set()


def test_every_category_has_an_object_and_a_soft_tint() -> None:
    for top in _tree()["categories"]:
        parts = [int(top["tint"][place : place + 2], 16) for place in (1, 3, 5)]
        assert min(parts) >= 0xC8, top["key"]
        for node in (top, *top["children"]):
            assert node["object"] in known_objects(), node["key"]


def test_the_festival_food_list_names_top_categories() -> None:
    tree = _tree()
    assert tree["festival_food"] == ["tea", "snack", "grocery"]
    assert set(tree["festival_food"]) <= {top["key"] for top in tree["categories"]}
    assert tree["fallback"] in load_leaves()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("居家 > 被枕", "bedding.quilt"),
        ("居家 > 床品件套", "bedding.bedset"),
        ("居家 > 布艺软装", "home.soft"),
        ("居家 > 宠物", "pets.pet-care"),
        ("婴童 > 服饰", "kids.baby-wear"),
        ("服装 > 内裤", "clothing.underwear"),
        ("志趣 > 魔兽世界", "other.hobby"),
        ("饮食 > 糕点", "snack.pastry"),
        ("没有这个类目", None),
    ],
)
def test_names_map(text: str, key: str | None) -> None:
    assert _leaf_for(text) == key


def test_all_categories_of_the_real_feed_map(test_data: Path) -> None:
    with (test_data / "yanxuan_feed.csv").open(encoding="utf-8-sig", newline="") as file:
        categories = {row["类目"] for row in csv.DictReader(file)}
    assert len(categories) == 16
    assert {text for text in categories if _leaf_for(text) is None} == set()
