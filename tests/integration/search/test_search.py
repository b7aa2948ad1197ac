"""The search service over a small catalogue in a real database and a real index."""

import dataclasses
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.cursors import BadCursor
from kernel.errors import NotFound
from search.cursors import CursorExpired
from search.kept_lists import KEPT_SECONDS, ListsInProcess
from search.price_ranges import parse_price, price_value
from search.requests import SearchRequest, SortBy
from search.services import SearchResult, search
from search.showing import Item
from search.tokens import tokenise_query
from shop.rules import GoodsRule
from tests.integration.search.world import (
    World,
    add_product,
    change_product,
    index,
    set_offers,
    viewer,
)


def find(text: str = "", **fields: Any) -> SearchResult:
    return search(viewer=viewer(), request=dataclasses.replace(SearchRequest(text), **fields))


def titles(result: SearchResult) -> list[str]:
    return [item.title for item in result.items]


_COLOURS = ("墨绿", "米白", "深灰", "浅粉", "靛蓝")
_SIZES = ("大", "中", "小", "特大")


@pytest.fixture
def shelf(world: World) -> World:
    """Fifty-odd products over brands, categories, prices and merchants."""
    add_product(world, "阿里巴巴定制保温杯", category="kitchen.pots", brand="阿里巴巴", sold=9)
    add_product(world, "重庆火锅底料牛油", category="kitchen.pots", brand="小天鹅")
    add_product(world, "长沙臭豆腐零食", category="tea.green-tea", brand="黑色经典")
    add_product(world, "乐高积木机械组", category="bedding.pillow", brand="乐高")
    kinds = ("蚕丝被", "羽绒被", "乳胶枕", "荞麦枕", "龙井绿茶", "挂耳咖啡")
    places = ("bedding.quilt", "bedding.pillow", "tea.green-tea", "tea.coffee")
    merchants = ("north", "south", "east")
    for number in range(48):
        offers = [
            (merchant, 1_000 + (number * 37 + place * 53) % 60 * 2_500, (number + place) % 4)
            for place, merchant in enumerate(merchants)
            if (number + place) % 3 != 1 or number % 5 == 0
        ]
        add_product(
            world,
            f"{kinds[number % 6]}{('经典', '轻奢', '家用')[number % 3]}款{number}",
            category=places[number % 4],
            brand=f"牌子{number % 7}",
            offers=offers,
            sold=number * 13 % 40,
            attributes=[("颜色", _COLOURS[number % 5]), ("尺寸", _SIZES[number % 4])][: number % 3],
        )
    index(world)
    return world


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("albb", "阿里巴巴定制保温杯"),
        ("阿里bb", "阿里巴巴定制保温杯"),
        ("阿里巴", "阿里巴巴定制保温杯"),
        ("alibaba", "阿里巴巴定制保温杯"),
        ("ＡＬＩＢＡＢＡ", "阿里巴巴定制保温杯"),
        ("chongqing", "重庆火锅底料牛油"),
        ("changsha", "长沙臭豆腐零食"),
        ("legao", "乐高积木机械组"),
        ("lg积木", "乐高积木机械组"),
        ("火锅 底料", "重庆火锅底料牛油"),
    ],
)
def test_chinese_pinyin_and_initials_find_the_product_first(
    shelf: World, text: str, title: str
) -> None:
    assert titles(find(text))[:1] == [title]


def test_one_listing_for_each_product_at_its_best_ranked_merchant(world: World) -> None:
    add_product(
        world,
        "蚕丝被",
        offers=[("north", 9_000, 0), ("south", 12_000, 1), ("east", 11_000, 3)],
    )
    index(world)

    result = find("蚕丝被")

    assert result.total == 1
    item = result.items[0]
    assert (item.price_minor, item.in_stock) == (11_000, True)
    assert [merchant.name for merchant in item.merchants] == ["east", "south", "north"]
    assert {value.label: value.count for value in result.facets["merchant"]} == {
        "north": 1,
        "south": 1,
        "east": 1,
    }


def test_a_rule_on_merchants_shows_the_best_of_those_allowed(world: World) -> None:
    add_product(world, "蚕丝被", offers=[("north", 9_000, 2), ("south", 12_000, 1)])
    add_product(world, "羽绒被", offers=[("north", 9_000, 2)])
    index(world)
    outside = GoodsRule(exclude={"merchants": frozenset({world.merchants["north"]})})

    result = search(viewer=viewer(outside), request=SearchRequest("被"))

    assert [(item.title, item.price_minor) for item in result.items] == [("蚕丝被", 12_000)]
    assert result.total == 1
    assert [value.label for value in result.facets["merchant"]] == ["south"]
    assert [merchant.name for merchant in result.items[0].merchants] == ["south"]


def test_hidden_goods_are_absent_from_results_counts_and_facets(shelf: World) -> None:
    rule = GoodsRule(
        exclude={
            "categories": frozenset({shelf.categories["tea.green-tea"]}),
            "brands": frozenset({shelf.brands["牌子3"]}),
        }
    )
    everything = find(limit=100)
    hidden = {
        item.product_id
        for item in everything.items
        if item.category.name == "绿茶" or (item.brand and item.brand.name == "牌子3")
    }

    result = search(viewer=viewer(rule), request=SearchRequest(limit=100))

    assert hidden
    assert {item.product_id for item in result.items} == {
        item.product_id for item in everything.items
    } - hidden
    assert result.total == everything.total - len(hidden)
    assert "绿茶" not in [value.label for value in result.facets["category"]]
    assert "牌子3" not in [value.label for value in result.facets["brand"]]
    assert sum(value.count for value in result.facets["price"]) == result.total
    assert search(viewer=viewer(rule), request=SearchRequest("长沙臭豆腐")).items == ()


def test_a_pot_finds_only_what_it_may_pay(shelf: World) -> None:
    pot = GoodsRule(include={"categories": frozenset({shelf.categories["tea.coffee"]})})
    person = viewer(pots=[("pot_tea", pot)])

    result = search(viewer=person, request=SearchRequest(pot="pot_tea", limit=100))
    whole = search(viewer=person, request=SearchRequest(limit=100))

    payable = [item for item in whole.items if item.pots[0].eligible]
    assert result.total == len(payable) == 12
    assert {item.product_id for item in result.items} == {item.product_id for item in payable}
    assert all(item.pots[0].eligible for item in result.items)
    with pytest.raises(NotFound):
        search(viewer=person, request=SearchRequest(pot="pot_other"))


_FACET_FIELDS = {"category": "categories", "brand": "brands", "merchant": "merchants"}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_every_facet_count_equals_the_hits_after_the_click(
    shelf: World, data: st.DataObject
) -> None:
    """Also with several values chosen in the facet, and beside a programme's rule."""
    whole = find()
    values = {name: [v.value for v in whole.facets[name]] for name in _FACET_FIELDS}
    rules = st.sampled_from(
        [
            GoodsRule(),
            GoodsRule(exclude={"merchants": frozenset({shelf.merchants["north"]})}),
            GoodsRule(include={"merchants": frozenset({shelf.merchants["east"]})}),
            GoodsRule(exclude={"brands": frozenset({shelf.brands["牌子1"]})}),
        ]
    )
    attributes = {"颜色": _COLOURS, "尺寸": _SIZES, "产地": ("火星",)}
    ranges = ["0-9999", "20000-49999", "50000-69999", "12345-54321", "-5000", "100000-"]
    person = viewer(data.draw(rules))
    request = SearchRequest(
        text=data.draw(st.sampled_from(["", "被", "家用款", "龙井绿茶", "枕 轻奢", "绿茶"])),
        categories=_some(data, values["category"]),
        brands=_some(data, values["brand"]),
        merchants=_some(data, values["merchant"]),
        attributes=tuple(
            (name, some) for name in attributes if (some := _some(data, list(attributes[name])))
        ),
        prices=tuple(map(parse_price, _some(data, ranges))),
        in_stock=data.draw(st.booleans()),
        sort=data.draw(st.sampled_from([None, SortBy.PRICE_ASC])),
    )

    result = search(viewer=person, request=request)

    for name, field in _FACET_FIELDS.items():
        for value in result.facets[name]:
            click: dict[str, Any] = {field: (value.value,)}
            clicked = search(viewer=person, request=dataclasses.replace(request, **click))
            assert clicked.total == value.count, (name, value)
    for value in result.facets["price"]:
        chosen = dataclasses.replace(request, prices=(parse_price(value.value),))
        assert search(viewer=person, request=chosen).total == value.count, value
    for name, offered in result.facets.items():
        others = tuple(each for each in request.attributes if f"attribute.{each[0]}" != name)
        for value in offered if name.startswith("attribute.") else ():
            one = (name.removeprefix("attribute."), (value.value,))
            chosen = dataclasses.replace(request, attributes=(*others, one))
            assert search(viewer=person, request=chosen).total == value.count, (name, value)
    _check_chosen_are_shown(request, result)


def _check_chosen_are_shown(request: SearchRequest, result: SearchResult) -> None:
    shown = {(name, each.value) for name, found in result.facets.items() for each in found}
    assert {("price", price_value(*each)) for each in request.prices} <= shown
    assert {
        (f"attribute.{name}", value) for name, values in request.attributes for value in values
    } <= shown
    if not request.prices and result.total:
        assert sum(each.count for each in result.facets["price"]) == result.total


def _some(data: st.DataObject, values: list[str]) -> tuple[str, ...]:
    return tuple(data.draw(st.lists(st.sampled_from(values), max_size=2, unique=True)))


def test_several_values_of_an_attribute_and_of_several(shelf: World) -> None:
    quilts = (shelf.category_public("bedding.quilt"),)
    green, grey = ("颜色", ("墨绿",)), ("颜色", ("墨绿", "深灰"))

    offered = {v.value: v.count for v in find(categories=quilts).facets["attribute.颜色"]}
    either = find(categories=quilts, attributes=(grey,))
    both = find(categories=quilts, attributes=(green, ("尺寸", ("大",))))

    assert either.total == offered["墨绿"] + offered["深灰"] > 0
    assert {v.value: v.count for v in either.facets["attribute.颜色"]} == offered
    assert both.total == find(attributes=(("尺寸", ("大",)), green), categories=quilts).total
    assert 0 < both.total <= offered["墨绿"]


def test_attributes_are_offered_of_one_category_alone(shelf: World) -> None:
    quilt, pillow = map(shelf.category_public, ("bedding.quilt", "bedding.pillow"))

    def offered(**fields: Any) -> list[str]:
        return sorted(name for name in find(**fields).facets if name.startswith("attribute."))

    both = ["attribute.尺寸", "attribute.颜色"]
    assert offered() == offered(categories=(quilt, pillow)) == offered(text="经典款") == []
    assert offered(categories=(quilt,)) == offered(text="绿茶") == both
    assert offered(attributes=(("尺寸", ("大",)),)) == both


def test_the_names_and_values_that_most_have_are_offered(world: World) -> None:
    quilts = (world.category_public("bedding.quilt"),)
    for number in range(25):
        names = [(f"属性{place}", "有") for place in range(8) if number >= 2 * place]
        add_product(world, f"蚕丝被{number}", attributes=[("型号", f"X{number:02}"), *names])
    index(world)

    found = find(categories=quilts).facets
    chosen = (("属性7", ("有",)), ("型号", ("X24",)))
    narrowed = find(categories=quilts, attributes=chosen).facets

    attributes = [name for name in found if name.startswith("attribute.")]
    assert attributes == [f"attribute.{n}" for n in ("型号", *(f"属性{n}" for n in range(5)))]
    assert [v.value for v in found["attribute.型号"]] == [f"X{n:02}" for n in range(20)]
    assert [v.count for v in found["attribute.属性4"]] == [17]
    assert [v.value for v in narrowed["attribute.型号"]] == [f"X{n}" for n in range(14, 25)]
    assert [(v.value, v.count) for v in narrowed["attribute.属性7"]] == [("有", 1)]
    assert len([name for name in narrowed if name.startswith("attribute.")]) == 6


def test_two_values_of_a_facet_find_either(shelf: World) -> None:
    brands = {value.label: value for value in find().facets["brand"]}
    first, second = brands["牌子1"], brands["牌子2"]

    result = find(brands=(first.value, second.value))

    assert result.total == first.count + second.count
    assert {item.brand.name for item in result.items if item.brand} == {"牌子1", "牌子2"}


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (SortBy.PRICE_ASC, lambda item: item.price_minor),
        (SortBy.PRICE_DESC, lambda item: -item.price_minor),
        (SortBy.SALES, lambda item: -item.sold),
    ],
)
def test_sorted_pages_are_complete_and_in_order(
    shelf: World, sort: SortBy, key: Callable[[Item], int]
) -> None:
    items = list(_all_items(SearchRequest(sort=sort, limit=7)))

    assert len({item.product_id for item in items}) == len(items) == 52
    assert [key(item) for item in items] == sorted(key(item) for item in items)


def _all_items(request: SearchRequest) -> itertools.chain[Item]:
    pages = []
    cursor: str | None = ""
    while cursor is not None:
        result = search(viewer=viewer(), request=dataclasses.replace(request, cursor=cursor))
        assert result.total >= 1
        pages.append(result.items)
        cursor = result.next_cursor
    return itertools.chain.from_iterable(pages)


def test_relevance_pages_are_complete_while_the_index_changes(shelf: World) -> None:
    request = SearchRequest("家用款", limit=3)
    first = search(viewer=viewer(), request=request)
    whole = search(viewer=viewer(), request=dataclasses.replace(request, limit=100))
    seen = titles(first)
    cursor = first.next_cursor
    added = 0

    while cursor is not None:
        added += 1
        add_product(shelf, f"蚕丝被家用款新{added}")
        index(shelf)
        page = search(viewer=viewer(), request=dataclasses.replace(request, cursor=cursor))
        assert page.total == first.total
        seen += titles(page)
        cursor = page.next_cursor

    assert seen == titles(whole)
    assert len(seen) == first.total == 16


def test_newest_first(shelf: World) -> None:
    assert titles(find(sort=SortBy.NEWEST, limit=2)) == ["挂耳咖啡家用款47", "龙井绿茶轻奢款46"]


def test_a_cursor_of_another_search_or_person_is_refused(shelf: World) -> None:
    first = find("家用款", limit=3)
    assert first.next_cursor is not None

    with pytest.raises(BadCursor):
        find("轻奢款", limit=3, cursor=first.next_cursor)
    with pytest.raises(BadCursor):
        search(
            viewer=viewer(membership_id=2),
            request=SearchRequest("家用款", limit=3, cursor=first.next_cursor),
        )
    for forged in ("x", "é", first.next_cursor[:-2] + "AA", "A" * 1_500):
        with pytest.raises(BadCursor):
            find("家用款", limit=3, cursor=forged)


def test_a_kept_list_expires_after_ten_minutes_and_with_the_programme(shelf: World) -> None:
    now = [0.0]
    lists = ListsInProcess(lambda: now[0])
    request = SearchRequest("家用款", limit=3)
    first = search(viewer=viewer(), request=request, lists=lists)
    assert first.next_cursor is not None
    following = dataclasses.replace(request, cursor=first.next_cursor)

    now[0] = KEPT_SECONDS - 1
    assert search(viewer=viewer(), request=following, lists=lists).total == first.total
    with pytest.raises(CursorExpired):
        search(viewer=viewer(version=2), request=following, lists=lists)
    now[0] = KEPT_SECONDS + 1
    with pytest.raises(CursorExpired):
        search(viewer=viewer(), request=following, lists=lists)


def test_price_stock_and_eligibility_are_read_again(world: World) -> None:
    stale = add_product(world, "蚕丝被甲", brand="云川", offers=[("north", 10_000, 5)])
    gone = add_product(world, "蚕丝被乙", offers=[("north", 10_000, 5)])
    index(world)
    set_offers(stale, price_minor=25_000)
    set_offers(gone, state="off")

    result = find("蚕丝被")

    assert [(item.title, item.price_minor) for item in result.items] == [("蚕丝被甲", 25_000)]
    assert find("蚕丝被", price_max=20_000).items == ()


def test_a_change_is_found_after_it_was_indexed_and_older_news_changes_nothing(
    world: World,
) -> None:
    product_id = add_product(world, "蚕丝被")
    index(world)
    change_product(product_id, title="羊毛被")
    assert find("羊毛被").matched_by != "all"

    index(world)

    assert titles(find("羊毛被")) == ["羊毛被"]
    assert find("蚕丝").total == 0
    change_product(product_id, state="hidden")
    index(world)
    assert find().total == 0


def test_words_first_then_half_of_the_characters(shelf: World) -> None:
    strict = find("蚕丝被 轻奢")
    loose = find("蚕丝被 豪华型")
    nothing = find("蠎")

    assert strict.matched_by == "all" or strict.total > 0
    assert loose.matched_by == "half"
    assert all("蚕丝被" in title for title in titles(loose)[:3])
    assert (nothing.total, nothing.items) == (0, ())


def test_half_of_a_noun_is_the_half_that_says_something(world: World) -> None:
    add_product(world, "高山荞麦枕", category="bedding.pillow")
    add_product(world, "头层牛皮席", category="bedding.quilt")
    index(world)

    result = find("枕头")

    assert result.matched_by == "half"
    assert titles(result) == ["高山荞麦枕"]


def test_the_match_set_does_not_loosen_because_of_a_facet(shelf: World) -> None:
    brand = next(v for v in find("阿里巴巴定制").facets["brand"])
    other = next(v for v in find().facets["brand"] if v.value != brand.value)

    result = find("阿里巴巴定制", brands=(other.value,))

    assert (result.total, result.items) == (0, ())
    assert [value.label for value in result.facets["brand"]] == ["阿里巴巴"]


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "title:被 AND (",
        '\\"被\\"~2 OR +-!{}[]^',
        "蚕丝被" * 4_000,
        "\u202e被\u200b\x00丝\x07蚕",
        "😀😀😀",
        "'; DROP TABLE product; --",
        ".*(被|丝)+$",
        "\ud800",
        "a" * 10_000,
    ],
)
def test_hostile_queries_get_a_clean_and_quick_answer(shelf: World, text: str) -> None:
    took = []
    for _ in range(3):
        tokenise_query.cache_clear()
        started = time.process_time()
        result = find(text)
        took.append(time.process_time() - started)

    assert result.total == len(find(text, limit=100).items)
    # Of processor time, so that a busy machine is no failure.
    assert min(took) < 0.05


def test_the_title_is_marked(shelf: World) -> None:
    assert find("积木").items[0].highlight == [
        {"text": "乐高", "hit": False},
        {"text": "积木", "hit": True},
        {"text": "机械组", "hit": False},
    ]
    assert find("legao").items[0].highlight[0] == {"text": "乐高", "hit": True}
