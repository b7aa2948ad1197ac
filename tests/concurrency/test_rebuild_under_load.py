"""A rebuild while people search and prices change: none failed, none empty, none lost.

40 searches and 20 price changes a second for some twenty seconds, on whatever engine and database
the environment names; the rebuild is a process of its own where the engine has several writers.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from flask import Flask, g
from sqlalchemy import insert, select

from kernel.db import db, read_only, write_transaction
from kernel.ids import public_id
from kernel.worker import drain_lane
from search import documents, indexing
from search.engines.base import AllOf, AnyValue, Between, EngineQuery, Everything, NumberField
from search.engines.choice import get_engine
from search.rebuilding import rebuild_now
from search.requests import SearchRequest
from search.services import search
from shop.models import Offer, Product, Sku, Stock
from shop.services.catalogue import set_price
from tests.engines import forget_indexes, generations, is_embedded
from tests.integration.search.world import World, found_world, viewer

_PRODUCTS = 3_000
_SEARCHES_A_SECOND = 40
_CHANGES_A_SECOND = 20
_SECONDS = 20.0
_WORDS = ("蚕丝被", "羽绒被", "龙井绿茶", "挂耳咖啡")
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def stocked(app: Flask) -> Iterator[World]:
    """Some thousands of products, indexed; half of them are sold by two merchants."""
    forget_indexes()
    g.pop("shop_categories", None)
    world = found_world()
    north, south = world.merchants["north"], world.merchants["south"]
    with write_transaction():
        for number in range(1, _PRODUCTS + 1):
            _insert(world, number, (north, south) if number % 2 else (north,))
    rebuild_now(get_engine())
    # As a web process does before it serves: reading the words of a language takes seconds.
    indexing.suggestion_file().lexicon()
    yield world
    get_engine().close()


def _insert(world: World, number: int, merchants: tuple[int, ...]) -> None:
    run, offer_id = db.session.execute, number * 2
    product = {
        "id": number, "public_id": public_id("prd"), "title": f"{_WORDS[number % 4]}第{number}款",
        "category_id": world.categories["bedding.quilt"], "created_at": _AT, "updated_at": _AT,
    }  # fmt: skip
    run(insert(Product).values(**product))
    sku = {"id": number, "public_id": public_id("sku"), "product_id": number, "name": ""}
    run(insert(Sku).values(**sku, unit="件", tax_code="1" * 19))
    for place, merchant_id in enumerate(merchants):
        offer = {
            "id": offer_id + place, "public_id": public_id("ofr"), "sku_id": number,
            "merchant_id": merchant_id, "product_code": str(number), "sku_code": str(number),
            "price_minor": 10_000 + place, "list_price_minor": 10_000, "updated_at": _AT,
        }  # fmt: skip
        run(insert(Offer).values(**offer))
        run(insert(Stock).values(offer_id=offer_id + place, on_hand=5))


class Load:
    """Threads that do something so many times a second until the end; what failed is kept."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failures: list[str] = []
        self.done: dict[str, int] = {}

    def keep(self, name: str, work: Callable[[], None], *, a_second: float) -> None:
        def run() -> None:
            due = time.monotonic()
            while not self._ended.is_set():
                with self._app.app_context():
                    try:
                        work()
                    except Exception as error:  # noqa: BLE001 -- whatever it is, the test must tell
                        self.failures.append(f"{name}: {error!r}")
                self.done[name] = self.done.get(name, 0) + 1
                due += 1 / a_second
                self._ended.wait(max(due - time.monotonic(), 0))

        self._threads.append(threading.Thread(target=run, name=name))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()


@pytest.mark.slow
def test_nothing_fails_is_empty_or_lost(app: Flask, stocked: World) -> None:
    with read_only():
        offers = db.session.scalars(select(Offer.public_id).order_by(Offer.id)).all()
    chance = random.Random(4)
    load = Load(app)

    def look() -> None:
        with read_only():
            found = search(viewer=viewer(), request=SearchRequest(chance.choice(_WORDS), limit=20))
        if found.total != _PRODUCTS // len(_WORDS) or len(found.items) != 20 or found.degraded:
            load.failures.append(f"{found.total} found, {len(found.items)} shown")

    def change_price() -> None:
        price = chance.randrange(1_000, 90_000)
        with write_transaction():
            set_price(offer_id=chance.choice(offers), price_minor=price)

    def index_news() -> None:
        drain_lane("index")

    load.keep("search", look, a_second=_SEARCHES_A_SECOND)
    load.keep("change", change_price, a_second=_CHANGES_A_SECOND)
    load.keep("index", index_news, a_second=20)
    deadline, rebuilds = time.monotonic() + _SECONDS, 0
    with load.running():
        while time.monotonic() < deadline or not rebuilds:
            _rebuild(gently=rebuilds % 2 == 0)
            rebuilds += 1
    while drain_lane("index"):
        pass

    assert load.failures == []
    assert load.done["search"] > _SEARCHES_A_SECOND * _SECONDS / 4
    assert load.done["change"] > _CHANGES_A_SECOND * _SECONDS / 2
    assert len(generations()) <= 2
    _assert_index_is_the_database()


def _rebuild(*, gently: bool) -> None:
    """By itself beside the worker; in the embedded way only the worker writes, step by step."""
    if not is_embedded():
        rebuild_now(get_engine(), gently=gently)
        return
    engine = get_engine()
    indexing.begin_rebuild(engine)
    while not indexing.rebuild_step(engine).generation:
        pass


def _assert_index_is_the_database() -> None:
    view = get_engine().view()
    with read_only():
        changes = documents.read_changes(documents.product_ids_after(0, limit=_PRODUCTS))
    wrong = [
        change.product_id
        for change in changes
        for listing in change.listings
        if not view.count(
            AllOf(
                (
                    AnyValue(NumberField.PRODUCT, (change.product_id,)),
                    AnyValue(NumberField.MERCHANT, (listing.merchant_id,)),
                    AnyValue(NumberField.RANK, (len(listing.cheaper),)),
                    Between(NumberField.PRICE, listing.price_minor, listing.price_minor),
                )
            )
        )
    ]
    assert wrong == []
    total = sum(len(change.listings) for change in changes)
    assert view.search(EngineQuery(where=Everything())).total == view.size == total
