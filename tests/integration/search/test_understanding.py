"""Queries that are not what they say: typos, pinyin, prices in words, other scripts."""

import dataclasses
from typing import Any

import pytest

from search.explaining import explain
from search.indexing import suggestion_file, write_suggestions
from search.requests import SearchRequest, SortBy
from search.services import SearchResult, search
from search.typos import KINDS, letters_of, make_typos, measure_typos
from shop.rules import GoodsRule
from tests.integration.search.world import World, add_product, index, viewer

NAMES = ("保温杯", "蚕丝被", "手机壳", "乳胶枕头", "火锅底料", "臭豆腐")


def find(text: str = "", **fields: Any) -> SearchResult:
    return search(viewer=viewer(), request=dataclasses.replace(SearchRequest(text), **fields))


@pytest.fixture
def shelf(world: World) -> World:
    """Each kind of goods from four makers, and bottles by their size."""
    for number, name in enumerate(NAMES):
        for maker in ("华为", "小天鹅", "富光", "乐高"):
            add_product(
                world,
                f"{maker}{name}家用",
                category=("kitchen.pots", "bedding.quilt")[number % 2],
                brand=maker,
                offers=[("north", 5_000 + number * 2_500, 3)],
            )
    for colour in "红蓝绿":
        add_product(world, f"{colour}色玻璃水瓶500毫升", offers=[("north", 3_000, 1)])
    index(world)
    write_suggestions()
    return world


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("保温怀", "保温杯"),
        ("残丝被", "蚕丝被"),
        ("shoujike", "手机壳"),
        ("臭豆付", "臭豆腐"),
        ("富光保温怀", "富光保温杯"),
        # A brand's initials alone mean the brand, whatever else begins with these letters.
        ("hw", "华为"),
        ("xiaotiane", "小天鹅"),
    ],
)
def test_what_finds_nothing_is_corrected_and_said(shelf: World, typed: str, meant: str) -> None:
    result = find(typed)

    clean = find(meant)
    assert (result.corrected_query, clean.corrected_query) == (meant, None)
    assert (result.total, result.matched_by) == (clean.total, clean.matched_by)
    assert [item.product_id for item in result.items] == [item.product_id for item in clean.items]
    assert all(any(piece["hit"] for piece in item.highlight) for item in result.items)


@pytest.mark.parametrize("typed", ["保温杯", "手机壳 家用", "华为", "sjk", "阿拉斯加"])
def test_what_finds_something_or_means_nothing_stays_as_it_is(shelf: World, typed: str) -> None:
    assert find(typed).corrected_query is None


def test_as_it_was_typed_where_that_is_wanted(shelf: World) -> None:
    assert find("残丝被", verbatim=True).corrected_query is None


def test_all_pages_are_of_the_corrected_query(shelf: World) -> None:
    for sort in (SortBy.RELEVANCE, SortBy.PRICE_ASC):
        first = find("保温怀", sort=sort, limit=3)
        assert first.next_cursor
        second = find("保温怀", sort=sort, limit=3, cursor=first.next_cursor)
        found = [item.product_id for item in (*first.items, *second.items)]
        whole = find("保温杯", sort=sort, limit=10)
        assert found == [item.product_id for item in whole.items]
        assert first.corrected_query == second.corrected_query == "保温杯"


def test_nothing_hidden_is_corrected_to(shelf: World) -> None:
    pots = GoodsRule(exclude={"categories": frozenset({shelf.categories["kitchen.pots"]})})
    result = search(viewer=viewer(pots), request=SearchRequest("保温怀"))

    assert result.corrected_query is None
    assert result.total == 0


def test_words_about_a_price_are_a_filter(shelf: World) -> None:
    result = find("80元以内的家用")

    assert result.price_words == "80元以内"
    assert {item.price_minor for item in result.items} == {5_000, 7_500}
    assert result.total == find("家用", price_max=8_000).total == 8


def test_a_chosen_price_and_the_text_as_typed_go_before_words(shelf: World) -> None:
    dear = find("80元以内的家用", price_min=10_000)
    assert dear.price_words == ""
    assert dear.total == find("家用", price_min=10_000).total > 0
    assert find("80元以内的家用", verbatim=True).price_words == ""


@pytest.mark.parametrize(
    "typed", ["500ml水瓶", "500 ML 水瓶", "水瓶 500毫升", "玻璃水瓶５００毫升"]
)
def test_sizes_are_found_however_they_are_written(shelf: World, typed: str) -> None:
    result = find(typed)

    assert result.matched_by == "all"
    assert {item.title[2:] for item in result.items} == {"玻璃水瓶500毫升"}
    assert result.total == 3


def test_traditional_letters_find_simplified_titles(shelf: World) -> None:
    assert find("蠶絲被").total == find("蚕丝被").total == 4


def test_a_search_is_explained_step_by_step(shelf: World) -> None:
    said = explain(viewer(), SearchRequest("80元以内的保温怀"))
    steps = {step["step"]: step for step in said["steps"]}

    assert steps["price"]["words"] == "80元以内"
    assert steps["correct"]["taken"] == "保温杯"
    assert steps["match"] == {"step": "match", "kind": "all", "total": 4}
    assert "保温杯" in said["hits"][0]["title"]
    assert said["hits"][0]["parts"]["chars"] > 0
    assert explain(viewer(), SearchRequest("")) == {"steps": [], "hits": []}


def test_most_typos_made_by_rule_find_what_was_meant(shelf: World) -> None:
    made = make_typos(NAMES * 6, letters_of(suggestion_file().lexicon()), count=16, seed=1)
    assert {typo.kind for typo in made} == set(KINDS)

    measured = measure_typos(
        made, lambda text: [item.product_id for item in find(text, limit=10).items]
    )

    assert measured["typos"] == 16
    assert measured["recall_at_10"] >= 0.8, measured["failed"]
