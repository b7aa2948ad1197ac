"""Every engine alike: versions, generations, swap, and a process killed in the middle."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from flask import Flask

from kernel.settings import get_settings
from search.engines import elasticsearch_bulk, embedded
from search.engines.base import (
    FORMAT,
    AllOf,
    AnyOf,
    AnyValue,
    Between,
    EngineQuery,
    Everything,
    IndexBusy,
    NoneOf,
    Nothing,
    NumberField,
    ProductChange,
    RangesFacet,
    ScoredToken,
    SearchEngine,
    Sort,
    SortField,
    TermsFacet,
    TermStatistics,
    Token,
    TokenField,
    pack_sort_key,
)
from search.engines.elasticsearch_bulk import BulkWriter, NoSuchAlias
from search.engines.elasticsearch_server import ElasticsearchServer
from tests.engines import forget_indexes, generations, other_engine
from tests.integration.search.listings import change, group


@pytest.fixture
def engine(app: Flask) -> Iterator[SearchEngine]:
    forget_indexes()
    engine = other_engine()
    yield engine
    engine.close()


def titled(engine: SearchEngine, word: str) -> list[int]:
    where = AllOf(tuple(Token(TokenField.CHARS, unit) for unit in word))
    hits = engine.view().search(EngineQuery(where=where, limit=100)).hits
    return sorted(hit.product_id for hit in hits)


def test_nothing_is_found_before_the_first_write(engine: SearchEngine) -> None:
    assert engine.view().size == 0
    assert engine.view().search(EngineQuery(where=Everything())).total == 0
    [nothing] = engine.view().searches([EngineQuery(where=Everything())])
    assert (nothing.total, nothing.hits) == (0, ())


def test_several_searches_are_answered_as_each_alone(engine: SearchEngine) -> None:
    engine.write([change(number, title=f"{'甲乙丙'[number % 3]}号") for number in range(1, 8)])
    view = engine.view()
    asked = [
        EngineQuery(
            where=Token(TokenField.CHARS, "甲"),
            scores=(ScoredToken(TokenField.CHARS, "甲", 1.0),),
            facets=(TermsFacet("brand", NumberField.BRAND, Everything()),),
            read=True,
        ),
        EngineQuery(where=Token(TokenField.CHARS, "无")),
        EngineQuery(
            where=Token(TokenField.CHARS, "号"), sort=Sort(SortField.BY_SALES, True), limit=2
        ),
    ]

    found = view.searches(asked)

    assert found == [view.search(each) for each in asked]
    assert [each.total for each in found] == [2, 0, 7]
    assert view.searches([]) == []


def test_some_products_need_not_have_what_is_scored(engine: SearchEngine) -> None:
    engine.write([change(1, title="甲乙"), change(2, title="甲丙"), change(3, title="丁")])
    units = ("甲", "乙", "戊")
    scores = tuple(ScoredToken(TokenField.CHARS, unit, 1.0) for unit in units)
    half = AnyOf(tuple(Token(TokenField.CHARS, unit) for unit in units), minimum=2)
    also = AnyValue(NumberField.PRODUCT, (3,))

    found = engine.view().search(EngineQuery(where=AnyOf((half, also)), scores=scores))
    assert [hit.product_id for hit in found.hits] == [1, 3]
    assert found.total == 2
    alone = engine.view().search(EngineQuery(where=half, scores=scores))
    assert [hit.product_id for hit in alone.hits] == [1]


def test_an_older_version_never_overwrites_a_newer_one(engine: SearchEngine) -> None:
    engine.write([change(1, version=5, title="新款")])

    report = engine.write([change(1, version=4, title="旧款"), change(2, version=1)])

    assert (report.written, report.stale) == (1, 1)
    assert titled(engine, "新款") == [1]
    assert titled(engine, "旧款") == []
    assert engine.write([change(1, version=5, title="同版")]).written == 1
    assert titled(engine, "同版") == [1]


def test_the_newest_of_one_batch_wins(engine: SearchEngine) -> None:
    engine.write([change(1, version=3, title="三"), change(1, version=2, title="二")])

    assert (titled(engine, "三"), titled(engine, "二"), engine.view().size) == ([1], [], 1)


def test_the_newest_wins_where_a_write_is_done_in_parts(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_PART", 2)
    engine.write([change(1, version=2, title="旧")])
    news = [
        change(1, version=3, title="新"),
        change(2, version=1, title="甲"),
        change(3, version=7, title="三"),
        change(2, version=2, title="乙"),
        change(3, version=6, title="二"),
        change(4),
    ]

    engine.write(iter(news))

    words = ("旧", "新", "甲", "乙", "二", "三")
    assert [titled(engine, word) for word in words] == [[], [1], [], [2], [], [3]]
    assert engine.view().size == 4


def test_where_making_a_change_fails_none_is_written(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_PART", 2)
    engine.write([change(1, title="旧")])

    def broken() -> Iterator[ProductChange]:
        yield from (change(1, version=2, title="新"), change(2), change(3))
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        engine.write(broken())
    engine.write([change(4)])

    assert (titled(engine, "旧"), titled(engine, "新"), engine.view().size) == ([1], [], 2)


def test_a_product_that_left_is_not_revived_by_older_news(engine: SearchEngine) -> None:
    engine.write([change(1, version=2), change(2)])
    engine.write([ProductChange(1, 3, ())])

    assert engine.write([change(1, version=2)]).stale == 1
    assert engine.view().size == engine.view().count(Everything()) == 1
    assert engine.write([change(1, version=4)]).written == 1
    assert engine.view().size == 2


def test_filters_sorts_and_pages(engine: SearchEngine) -> None:
    engine.write([change(n) for n in range(1, 51)])
    view = engine.view()
    cheap = Between(NumberField.PRICE, None, 1_020)
    where = AllOf((cheap, NoneOf((AnyValue(NumberField.BRAND, (0, 1)),))))

    found = view.search(EngineQuery(where=where, sort=Sort(SortField.BY_PRICE, True), limit=4))
    rest = view.search(
        EngineQuery(
            where=where, sort=Sort(SortField.BY_PRICE, True, found.hits[-1].position), limit=50
        )
    )

    assert [hit.product_id for hit in found.hits] == [19, 18, 17, 14]
    assert [hit.product_id for hit in rest.hits] == [13, 12, 9, 8, 7, 4, 3, 2]
    assert found.total == rest.total == 12
    assert found.hits[0].position == pack_sort_key(1_019, 19)
    assert view.count(Nothing()) == view.count(AnyValue(NumberField.BRAND, ())) == 0


def test_facets_count_exactly(engine: SearchEngine) -> None:
    for start in range(1, 600, 100):
        # Several segments, each with a value of its own that few have.
        engine.write([change(n, brand_id=n % 97) for n in range(start, start + 100)])
    where = Between(NumberField.PRICE, 1_100, 1_399)

    facets = (
        engine.view()
        .search(
            EngineQuery(
                where=where,
                limit=0,
                facets=(
                    TermsFacet("brand", NumberField.BRAND, where, 5),
                    TermsFacet("category", NumberField.CATEGORY, where),
                    RangesFacet("price", NumberField.PRICE, where, ((None, 1_200), (1_200, None))),
                ),
            )
        )
        .facets
    )

    expected = [sum(1 for n in range(100, 400) if n % 97 == brand) for brand in range(97)]
    assert len(facets["brand"]) == 5
    assert all(count == expected[brand] == 4 for brand, count in facets["brand"])
    assert dict(facets["category"]) == {1: 300, 10: 100, 11: 100, 12: 100}
    assert facets["price"] == ((0, 100), (1, 200))


def test_scores_order_and_frequencies(engine: SearchEngine) -> None:
    engine.write([change(1, title="保温杯"), change(2, title="保温壶"), change(3, title="茶壶")])
    view = engine.view()

    found = view.search(
        EngineQuery(
            where=Everything(),
            scores=(
                ScoredToken(TokenField.CHARS, "壶"),
                ScoredToken(TokenField.GRAMS, "保温", 0.5),
            ),
            read=True,
        )
    )

    assert [hit.product_id for hit in found.hits] == [2, 3, 1]
    assert found.hits[0].score > found.hits[1].score > found.hits[2].score > 0
    assert view.statistics({TokenField.CHARS: ["保", "壶", "碗"]}) == TermStatistics(
        3, {TokenField.CHARS: {"保": 2, "壶": 2, "碗": 0}}
    )
    assert [c.title for c in view.candidates(found.hits)] == ["保 温 壶", "茶 壶", "保 温 杯"]


def test_the_packed_key_keeps_its_order() -> None:
    assert pack_sort_key(1, 5) < pack_sort_key(1, 6) < pack_sort_key(2, 0)
    assert pack_sort_key(1 << 40, 0) == ((1 << 32) - 1) << 31
    assert pack_sort_key((1 << 32) - 1, (1 << 31) - 1) < 1 << 63
    with pytest.raises(ValueError, match="31 bits"):
        pack_sort_key(1, 1 << 31)


@pytest.mark.embedded_only("any process may write to a search server")
def test_only_one_process_writes(engine: SearchEngine) -> None:
    engine.write([change(1)])
    other = other_engine()

    with pytest.raises(IndexBusy):
        other.write([change(2)])
    assert other.view().size == 1
    engine.close()
    assert other.write([change(2)]).written == 1
    other.close()


def test_a_reader_sees_commits_and_swaps_of_another(engine: SearchEngine) -> None:
    reader = other_engine()
    assert reader.view().size == 0
    engine.write([change(1)])
    assert reader.view().size == 1
    first = reader.view().generation

    engine.begin_rebuild(fingerprint="a")
    engine.write_rebuild([change(1), change(2)], last_id=2)
    assert (reader.view().size, reader.view().generation) == (1, first)
    engine.swap()

    assert reader.view().size == 2
    assert reader.view().generation != first
    assert reader.rebuild_state() is None


def test_changes_during_a_rebuild_go_to_both(engine: SearchEngine) -> None:
    engine.write([change(1, title="旧"), change(2), change(3)])
    engine.begin_rebuild(fingerprint="a")
    engine.write([change(1, version=2, title="新"), ProductChange(3, 2, ())])
    assert titled(engine, "新") == [1]

    # The rebuild read these rows before the changes.
    report = engine.write_rebuild([change(1, title="旧"), change(2), change(3)], last_id=3)
    engine.swap()

    assert (report.written, report.stale) == (1, 2)
    assert (titled(engine, "新"), titled(engine, "旧"), engine.view().size) == ([1], [], 2)


def test_searches_neither_fail_nor_come_back_empty_while_indexes_are_swapped(
    engine: SearchEngine,
) -> None:
    engine.write([change(n) for n in range(1, 101)])
    reader = other_engine()
    counts: set[int] = set()
    failures: list[BaseException] = []
    done = threading.Event()

    def keep_searching() -> None:
        while not done.is_set():
            try:
                counts.add(reader.view().search(EngineQuery(where=Everything())).total)
            except BaseException as error:  # noqa: BLE001 -- the thread must report whatever it is
                failures.append(error)
                return

    thread = threading.Thread(target=keep_searching)
    thread.start()
    for _ in range(5):
        engine.begin_rebuild(fingerprint="a")
        engine.write_rebuild([change(n) for n in range(1, 101)], last_id=100)
        engine.swap()
    done.set()
    thread.join()

    assert failures == []
    assert counts == {100}
    assert len(generations()) <= 2


_KILLED = """
import os
from tests.engines import other_engine
from tests.integration.search.listings import change
engine = other_engine()
engine.write([change(n) for n in range(1, 11)])
engine.begin_rebuild(fingerprint="a")
engine.write_rebuild([change(n, title="重建") for n in range(1, 6)], last_id=5)
os._exit(86)
"""


def _killed_in_the_middle() -> None:
    repository = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        check=False,
    )
    assert ended.returncode == 86


def test_a_half_built_generation_is_never_served_and_is_continued(engine: SearchEngine) -> None:
    _killed_in_the_middle()

    assert engine.view().size == 10
    assert titled(engine, "重建") == []
    state = engine.begin_rebuild(fingerprint="a")
    assert (state.last_id, state.written) == (5, 5)
    engine.write([change(3, version=2, title="改动")])
    engine.write_rebuild([change(n, title="重建") for n in range(6, 11)], last_id=10)
    engine.swap()

    assert titled(engine, "重建") == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert titled(engine, "改动") == [3]


def test_a_half_built_generation_of_other_code_is_thrown_away(engine: SearchEngine) -> None:
    _killed_in_the_middle()

    state = engine.begin_rebuild(fingerprint="b")

    assert (state.last_id, state.written) == (0, 0)
    engine.write_rebuild([change(1, title="重建")], last_id=1)
    engine.swap()
    assert engine.view().size == 1


def test_a_rebuild_can_be_abandoned(engine: SearchEngine) -> None:
    engine.write([change(1)])
    engine.begin_rebuild(fingerprint="a")
    engine.abandon_rebuild()

    assert engine.rebuild_state() is None
    with pytest.raises(LookupError):
        engine.swap()
    with pytest.raises(LookupError):
        engine.write_rebuild([change(2)], last_id=2)
    assert engine.view().size == 1


# --- a product at several merchants --------------------------------------------------------


def merchants_of(engine: SearchEngine, product_id: int) -> list[int]:
    """Who sells it, asked merchant by merchant, as nothing else tells listings apart."""
    product = AnyValue(NumberField.PRODUCT, (product_id,))
    return [
        merchant
        for merchant in range(1, 10)
        if engine.view().count(AllOf((product, AnyValue(NumberField.MERCHANT, (merchant,)))))
    ]


def test_a_group_grows_shrinks_and_leaves_as_one(engine: SearchEngine) -> None:
    for version, merchants in enumerate([(3, 1, 2, 5), (2,), (4, 2, 1), (), (1,)], start=1):
        engine.write([group(7, version=version, merchants=merchants)])

        assert merchants_of(engine, 7) == sorted(merchants)
        assert engine.view().size == len(merchants)
        assert engine.view().count(AnyValue(NumberField.RANK, (0,))) == min(len(merchants), 1)


def test_older_news_of_a_group_leaves_it_as_it_is(engine: SearchEngine) -> None:
    engine.write([group(7, version=5, merchants=(2,)), group(8, version=5, merchants=(1, 2))])

    report = engine.write(
        [group(7, version=4, merchants=(3, 4, 5)), group(8, version=4, merchants=(4,))]
    )

    assert (report.written, report.stale) == (0, 2)
    assert merchants_of(engine, 7) == [2]
    assert merchants_of(engine, 8) == [1, 2]


@pytest.mark.server_engine_only("the engine in the process has one writer")
@pytest.mark.parametrize("seed", range(4))
def test_of_writers_that_race_the_newest_group_wins_whole(engine: SearchEngine, seed: int) -> None:
    chance = random.Random(seed)
    products, versions = range(1, 31), 8
    groups = [
        group(product, version=version, merchants=tuple(chance.sample(range(1, 10), size)))
        for version in range(1, versions + 1)
        for product in products
        for size in (chance.randrange(5),)
    ]
    newest = {each.product_id: each for each in groups}
    chance.shuffle(groups)
    batches = [groups[start : start + 12] for start in range(0, len(groups), 12)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(engine.write, batches))

    for product_id, wanted in newest.items():
        sellers = sorted(listing.merchant_id for listing in wanted.listings)
        assert merchants_of(engine, product_id) == sellers
    assert engine.view().size == sum(len(each.listings) for each in newest.values())


@pytest.mark.server_engine_only("the engine in the process has no aliases")
def test_a_late_deletion_makes_no_index_of_an_alias(engine: SearchEngine) -> None:
    engine.write([group(7, version=1, merchants=(1, 2))])
    settings = get_settings()
    late = BulkWriter(ElasticsearchServer(settings.search_url))
    building = f"{settings.namespace}-building-{FORMAT}"
    engine.begin_rebuild(fingerprint="a")
    engine.write_rebuild([group(7, version=1, merchants=(1, 2))], last_id=7)
    engine.swap()

    with pytest.raises(NoSuchAlias):
        late.write(building, [group(7, version=2, merchants=(1,))])
    deletion = elasticsearch_bulk._deletion(7, 1, 2)
    with pytest.raises(NoSuchAlias):
        late._send(building, [deletion], elasticsearch_bulk._Outcome())

    assert engine.begin_rebuild(fingerprint="b").last_id == 0
    assert len(generations()) == 2


@pytest.mark.server_engine_only("the engine in the process keeps the form in a folder's name")
def test_an_index_of_an_older_form_is_not_read_and_goes_with_the_next_swap(
    engine: SearchEngine,
) -> None:
    settings = get_settings()
    older = f"{settings.namespace}-listings-{FORMAT - 1}-g000001"
    with Elasticsearch(settings.search_url) as client:
        client.indices.create(index=older, aliases={f"{settings.namespace}-live-{FORMAT - 1}": {}})
        assert engine.view().generation == ""
        engine.begin_rebuild(fingerprint="a")
        engine.write_rebuild([group(7, version=1, merchants=(1, 2))], last_id=7)
        engine.swap()

        assert not client.indices.exists(index=older)
    assert engine.view().count(Everything()) == 2
