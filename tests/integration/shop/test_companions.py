"""What is bought together: pairs of orders, each order once, and nobody's own basket shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from kernel import clock
from kernel.db import db, write_transaction
from merchants.services import MerchantView
from shop.models import BoughtTogether
from shop.services.companions import (
    KEPT,
    MAX_COMPANIONS,
    MAX_PRODUCTS,
    Basket,
    companions_of,
    count_baskets,
    purge_counted_orders,
)
from tests.factories.catalogue import build_offer
from tests.factories.people import build_person

NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)


@dataclass
class Shop:
    """Goods as (inside id, public id), and three people."""

    goods: list[tuple[int, str]]
    people: list[int]

    def inside(self, number: int) -> int:
        return self.goods[number][0]

    def basket(self, order: str, person: int, *numbers: int) -> Basket:
        return Basket(order, self.people[person], tuple(self.goods[n][1] for n in numbers))

    def companions(self, number: int, **asked: int) -> list[int]:
        """Numbers of what is shown beside a product."""
        found = companions_of(product_id=self.inside(number), **asked)
        db.session.rollback()
        numbers = {inside: number for number, (inside, _) in enumerate(self.goods)}
        return [numbers[inside] for inside in found]


def _build(merchant: MerchantView, goods: int) -> Shop:
    with write_transaction():
        offers = [build_offer(merchant, title=f"商品 {n}") for n in range(goods)]
        people = [build_person().id for _ in range(3)]
    return Shop([(offer.facts.product_id, offer.product_id) for offer in offers], people)


@pytest.fixture
def shop(north: MerchantView) -> Shop:
    return _build(north, 6)


def _count(*baskets: Basket) -> int:
    with write_transaction():
        return count_baskets(baskets)


def _pairs() -> dict[tuple[int, int], tuple[int, int | None]]:
    """(orders, only buyer) by pair, as the table has them."""
    rows = db.session.execute(
        select(
            BoughtTogether.product_id,
            BoughtTogether.companion_id,
            BoughtTogether.orders,
            BoughtTogether.only_buyer_id,
        )
    ).all()
    db.session.rollback()
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def test_pairs_of_two_people_are_shown_from_either_side(shop: Shop) -> None:
    assert _count(shop.basket("ord_1", 0, 0, 1), shop.basket("ord_2", 1, 1, 0)) == 2
    assert shop.companions(0) == [1]
    assert shop.companions(1) == [0]
    assert shop.companions(2) == []


def test_the_most_frequent_first_and_equal_ones_by_product(shop: Shop) -> None:
    for number in range(2):
        _count(shop.basket(f"ord_a{number}", number, 0, 3, 2, 1))
    _count(shop.basket("ord_b", 2, 3, 0))
    assert shop.companions(0) == [3, 1, 2]
    assert shop.companions(0, limit=2) == [3, 1]


def test_one_order_is_below_the_bound(shop: Shop) -> None:
    _count(shop.basket("ord_1", 0, 0, 1))
    assert shop.companions(0) == []
    one, other = shop.inside(0), shop.inside(1)
    assert _pairs() == {(one, other): (1, shop.people[0]), (other, one): (1, shop.people[0])}


def test_many_orders_of_one_person_are_never_shown(shop: Shop) -> None:
    _count(*(shop.basket(f"ord_{n}", 0, 0, 1) for n in range(3)))
    _count(shop.basket("ord_3", 0, 0, 1))
    assert shop.companions(0) == []
    pair = (shop.inside(0), shop.inside(1))
    assert _pairs()[pair] == (4, shop.people[0])
    _count(shop.basket("ord_4", 1, 0, 1))
    assert shop.companions(0) == [1]
    assert _pairs()[pair] == (5, None)
    _count(shop.basket("ord_5", 1, 0, 1))  # it stays shown, whoever comes next
    assert _pairs()[pair] == (6, None)


def test_an_order_told_of_twice_counts_once(shop: Shop) -> None:
    basket = shop.basket("ord_1", 0, 0, 1)
    assert _count(basket, basket) == 1
    once = _pairs()
    assert _count(basket) == 0
    assert _pairs() == once
    assert {orders for orders, _ in once.values()} == {1}


def test_what_rolls_back_may_be_counted_again(shop: Shop) -> None:
    basket = shop.basket("ord_1", 0, 0, 1)
    with write_transaction():
        count_baskets([basket])
        db.session.rollback()
    assert _pairs() == {}
    assert _count(basket) == 1


def test_one_product_says_nothing_however_often_it_stands_there(shop: Shop) -> None:
    assert _count(shop.basket("ord_1", 0, 0, 0, 0), shop.basket("ord_2", 0)) == 0
    assert _pairs() == {}
    assert db.session.scalar(text("SELECT count(*) FROM counted_order")) == 0


def test_goods_that_are_gone_are_left_out(shop: Shop) -> None:
    basket = shop.basket("ord_1", 0, 0, 1)
    known = Basket("ord_2", shop.people[1], ("prd_gone", *basket.product_ids))
    assert _count(basket, known) == 2
    assert shop.companions(0) == [1]


def test_of_a_long_order_the_first_products_count(north: MerchantView) -> None:
    shop = _build(north, MAX_PRODUCTS + 2)
    numbers = range(MAX_PRODUCTS + 2)
    _count(shop.basket("ord_1", 0, 0, *numbers), shop.basket("ord_2", 1, *numbers))
    assert len(_pairs()) == MAX_PRODUCTS * (MAX_PRODUCTS - 1)
    assert shop.companions(0) == list(range(1, MAX_PRODUCTS))
    assert shop.companions(MAX_PRODUCTS) == []


def test_a_product_has_so_many_companions_and_no_more(north: MerchantView) -> None:
    shop = _build(north, MAX_COMPANIONS + 3)
    for number in range(1, MAX_COMPANIONS + 3):
        _count(*(shop.basket(f"ord_{number}_{who}", who, 0, number) for who in range(2)))
    assert shop.companions(0, limit=1_000) == list(range(1, MAX_COMPANIONS + 1))


def test_which_orders_were_counted_is_forgotten_in_time_and_their_pairs_stay(shop: Shop) -> None:
    with clock.frozen(NOON - KEPT - timedelta(minutes=1)):
        _count(shop.basket("ord_1", 0, 0, 1), shop.basket("ord_2", 1, 0, 1))
    with clock.frozen(NOON - KEPT + timedelta(minutes=1)):
        _count(shop.basket("ord_3", 2, 0, 1))
    with clock.frozen(NOON), write_transaction():
        assert [purge_counted_orders(limit=1), purge_counted_orders(), purge_counted_orders()] == [
            1,
            1,
            0,
        ]

    assert db.session.scalars(text("SELECT order_id FROM counted_order")).all() == ["ord_3"]
    assert shop.companions(0) == [1]
