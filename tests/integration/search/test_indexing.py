"""News, rebuilds and suggestions: from the outbox to what is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event, text

from kernel import outbox
from kernel.db import db, read_only, write_transaction
from kernel.settings import get_settings
from kernel.tasks import TASKS
from kernel.worker import drain_all
from search import documents, indexing, tasks
from search.engines.base import EngineQuery, Everything
from search.engines.choice import get_engine
from search.rebuilding import rebuild_now
from search.requests import SearchRequest
from search.services import search
from search.suggestions import Kind, suggest
from shop.models import Product
from shop.rules import GoodsRule
from shop.services.catalogue import create_assortment, open_seller
from shop.services.categories import category_tree
from tests.integration.search.world import (
    World,
    add_product,
    change_product,
    index,
    viewer,
)


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listeners that search needs, whatever else the application wires."""
    monkeypatch.setattr(outbox, "_listeners", {})
    outbox.listen("shop.products_changed", "search.index_products")
    outbox.listen("shop.seller_changed", "search.index_seller")
    outbox.listen(tasks.REBUILD_WANTED, "search.rebuild")
    outbox.listen(tasks.REBUILD_GOES_ON, "search.rebuild_step")


def found(words: str = "") -> list[str]:
    result = search(viewer=viewer(), request=SearchRequest(words, limit=100))
    return sorted(item.title for item in result.items)


def test_documents_are_listings_in_the_order_of_the_rule(world: World) -> None:
    product_id = add_product(
        world,
        "蚕丝被",
        brand="云川",
        offers=[("north", 500, 0), ("south", 900, 1), ("east", 900, 2)],
        sold=7,
        keywords="春秋被",
    )

    (change,) = documents.read_changes([product_id])

    south, east, north = (world.merchants[name] for name in ("south", "east", "north"))
    assert [
        (each.merchant_id, each.price_minor, each.in_stock, each.cheaper)
        for each in change.listings
    ] == [
        (south, 900, True, ()),
        (east, 900, True, (south,)),
        (north, 500, False, (south, east)),
    ]
    first = change.listings[0]
    assert (first.version, first.sales, first.brand_id) == (1, 7, world.brands["云川"])
    assert set(first.categories) == {
        world.categories["bedding.quilt"],
        *category_tree().with_ancestors(world.categories["bedding.quilt"]),
    }
    assert first.tokens.title == "蚕 丝 被"
    assert first.tokens.extra.startswith("云 川 家 纺 被 子 春 秋 被")


def test_a_merchants_price_is_its_lowest_that_can_be_bought() -> None:
    def offer(price: int, available: int) -> documents.OfferRow:
        return documents.OfferRow(1, 2, "", price, price + 1, available)

    (listed,) = documents.list_offers([offer(500, 0), offer(900, 1), offer(700, 3)])
    (sold_out,) = documents.list_offers([offer(900, 0), offer(500, 0)])

    assert (listed.price_minor, listed.list_price_minor, listed.in_stock) == (700, 701, True)
    assert (sold_out.price_minor, sold_out.in_stock) == (500, False)


def test_products_that_are_hidden_or_unsold_or_gone_have_no_listing(world: World) -> None:
    hidden = add_product(world, "甲")
    unsold = add_product(world, "乙", offers=[])
    change_product(hidden, state="hidden")

    changes = documents.read_changes([hidden, unsold, 999_999])

    assert [(each.version, each.listings) for each in changes[:2]] == [(2, ()), (1, ())]
    assert changes[2].listings == ()


def test_reading_takes_as_many_statements_for_fifty_products_as_for_one(world: World) -> None:
    ids = [add_product(world, f"蚕丝被{n}", brand=f"牌{n}") for n in range(50)]
    counted: list[str] = []
    engine = db.engines["read"]

    def count(*args: object) -> None:
        counted.append(str(args[2]))

    event.listen(engine, "before_cursor_execute", count)
    try:
        with read_only():
            documents.read_changes(ids[:1])
            single = len(counted)
            documents.read_changes(ids)
    finally:
        event.remove(engine, "before_cursor_execute", count)

    assert single <= 5
    assert len(counted) - single <= single


def test_news_reaches_the_index_through_the_outbox(world: World, wired: None) -> None:
    product_id = add_product(world, "蚕丝被")
    change_product(product_id, title="蚕丝被新款")
    assert found() == []

    drain_all()

    assert found() == ["蚕丝被新款"]
    with write_transaction():
        open_seller(
            merchant_id=world.merchants["north"], open_=False, freight_minor=0, free_from_minor=None
        )
    drain_all()
    assert get_engine().view().count(Everything()) == 0


def test_assortments_are_kept_on_documents(world: World, wired: None) -> None:
    wanted, other = add_product(world, "蚕丝被"), add_product(world, "羽绒被")
    with write_transaction():
        assortment = create_assortment(name="年节", product_ids=[wanted])
    index(world)
    assert other != wanted
    inside = GoodsRule(include={"assortments": frozenset({assortment.id})})
    outside = GoodsRule(exclude={"assortments": frozenset({assortment.id})})

    results = [
        [item.title for item in search(viewer=viewer(r), request=SearchRequest()).items]
        for r in (inside, outside)
    ]

    assert results == [["蚕丝被"], ["羽绒被"]]


def test_one_task_takes_the_news_of_many_rows(world: World, wired: None) -> None:
    assert TASKS["search.index_products"].merges == "product_ids"
    assert TASKS["search.index_products"].lane == "index"


def test_news_is_read_and_written_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "WRITTEN_AT_ONCE", 4)
    monkeypatch.setattr(indexing, "_READ_AT_ONCE", 3)
    ids = [add_product(world, f"蚕丝被{number}") for number in range(9)]
    engine = get_engine()

    report = indexing.index_products(engine, [*ids, ids[0]])

    assert (report.written, report.stale) == (9, 0)
    assert found() == [f"蚕丝被{number}" for number in range(9)]


def test_a_rebuild_by_steps_ends_with_the_same_goods(
    world: World, wired: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BATCH", 4)
    for number in range(10):
        add_product(world, f"蚕丝被{number}")
    index(world)
    before = get_engine().view().generation
    change_product(world.products["蚕丝被3"], title="羊毛被")

    with write_transaction():
        tasks.ask_for_rebuild()
    drain_all()

    assert get_engine().view().generation != before
    assert get_engine().rebuild_state() is None
    assert found("羊毛被") == ["羊毛被"]
    assert len(found()) == 10


def test_what_changes_during_a_rebuild_is_in_the_new_index(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BATCH", 4)
    for number in range(10):
        add_product(world, f"蚕丝被{number}")
    index(world)
    engine = get_engine()

    indexing.begin_rebuild(engine)
    indexing.rebuild_step(engine)
    change_product(world.products["蚕丝被0"], title="改了的羊毛被")
    change_product(world.products["蚕丝被9"], state="hidden")
    indexing.index_products(engine, [world.products["蚕丝被0"], world.products["蚕丝被9"]])
    assert found("羊毛") == ["改了的羊毛被"]
    while not indexing.rebuild_step(engine).generation:
        assert len(found()) == 9

    assert len(found()) == 9
    assert found("羊毛") == ["改了的羊毛被"]


_KILLED_REBUILD = """
from app.factory import create_app
from search import indexing
from search.engines.choice import get_engine
indexing.BATCH = 4
with create_app().app_context():
    indexing.begin_rebuild(get_engine())
    while not indexing.rebuild_step(get_engine()).generation:
        pass
"""


@pytest.mark.parametrize("fault", ["search_rebuild_after_batch:2", "search_rebuild_before_swap"])
def test_a_killed_rebuild_serves_the_old_index_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(indexing, "BATCH", 4)
    for number in range(10):
        add_product(world, f"蚕丝被{number}")
    index(world)
    engine = get_engine()
    before = engine.view().generation
    engine.close()
    repository = Path(__file__).parents[3]

    ended = subprocess.run(
        [sys.executable, "-c", _KILLED_REBUILD],
        cwd=repository,
        env={**os.environ, "MALL_FAULT": fault, "PYTHONPATH": str(repository)},
        check=False,
    )

    assert ended.returncode == 86
    assert engine.view().generation == before
    assert len(found()) == 10
    state = engine.rebuild_state()
    assert state is not None
    ids = db.session.scalars(text("SELECT id FROM product ORDER BY id")).all()
    assert state.last_id == (ids[7] if "batch" in fault else ids[9])
    done = rebuild_now(engine)
    assert (done.listings, done.by_worker) == (10, False)
    assert engine.view().generation == done.generation != before
    assert len(found()) == 10


@pytest.mark.sqlite_only("asks SQLite whether its file changed")
def test_a_query_changes_nothing_in_the_database(world: World) -> None:
    add_product(world, "蚕丝被")
    index(world)
    with read_only():
        before = db.session.execute(text("PRAGMA data_version")).scalar()
        found("蚕丝被")
        assert db.session.execute(text("PRAGMA data_version")).scalar() == before


# --- suggestions ---------------------------------------------------------------------------


def suggested(typed: str, rule: GoodsRule | None = None) -> list[tuple[str, str]]:
    found = suggest(viewer=viewer(rule), text=typed, suggestions=indexing.suggestion_file())
    return [(each.text, each.kind.value) for each in found]


@pytest.fixture
def suggestions(world: World) -> World:
    add_product(world, "阿里巴巴定制保温杯", category="kitchen.pots", brand="阿里巴巴", sold=5)
    add_product(world, "龙井绿茶礼盒", category="tea.green-tea", brand="重庆茶社", sold=3)
    add_product(world, "龙井茶叶礼盒", category="tea.green-tea", brand="乐高", sold=1)
    index(world)
    indexing.write_suggestions()
    return world


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("阿里", ("阿里巴巴", "brand")),
        ("albb", ("阿里巴巴", "brand")),
        ("ali", ("阿里巴巴", "brand")),
        ("阿里bb", ("阿里巴巴", "brand")),
        ("阿里b", ("阿里巴巴", "brand")),
        ("chongq", ("重庆茶社", "brand")),
        ("lvc", ("绿茶", "category")),
        ("lc", ("绿茶", "category")),
        ("ＬＣ", ("绿茶", "category")),
        ("礼", ("礼盒", "query")),
        ("legao", ("乐高", "brand")),
    ],
)
def test_suggestions_by_characters_pinyin_and_initials(
    suggestions: World, typed: str, first: tuple[str, str]
) -> None:
    assert suggested(typed)[:1] == [first]


def test_only_what_leads_to_something_visible_is_suggested(suggestions: World) -> None:
    no_tea = GoodsRule(exclude={"categories": frozenset({suggestions.categories["tea.green-tea"]})})

    assert suggested("龙井", no_tea) == []
    assert suggested("lc", no_tea) == []
    assert suggested("chongqing", no_tea) == []
    assert suggested("阿里", no_tea)[0] == ("阿里巴巴", "brand")
    # A category without goods leads nowhere for anybody.
    assert suggested("zt") == []


def test_suggestions_for_nothing_or_for_nonsense(suggestions: World) -> None:
    assert suggested("") == suggested("   ") == suggested("\x00") == suggested("😀") == []
    assert suggested("*") == suggested("a" * 5_000) == []
    assert len(suggested("l")) <= 10


def test_the_list_is_made_anew_when_the_index_has_changed(suggestions: World) -> None:
    assert tasks.refresh_suggestions() == 0
    add_product(suggestions, "羊毛袜", brand="羊毛世家")
    index(suggestions)

    assert tasks.refresh_suggestions() == 1
    assert ("羊毛世家", "brand") in suggested("羊毛")
    assert Kind.PRODUCT in {Kind(kind) for _, kind in suggested("羊毛袜")}


def test_index_and_database_are_in_step(suggestions: World) -> None:
    with read_only():
        assert documents.count_listings() == get_engine().view().size == 3
        assert documents.count_products() == 3
        assert db.session.query(Product).count() == 3
    assert get_engine().view().search(EngineQuery(where=Everything())).total == 3
    assert get_settings().index_dir.is_dir()
