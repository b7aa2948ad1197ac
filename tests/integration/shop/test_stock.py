"""Stock leaves by conditional updates: all of an order or nothing of it."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kernel.db import db, write_transaction
from merchants.services import MerchantView
from shop.services.catalogue import OfferView
from shop.services.stock import (
    OutOfStock,
    capture_stock,
    hold_stock,
    release_stock,
    return_stock,
    set_available,
    verify_stock,
)
from tests.factories.catalogue import build_offer


@pytest.fixture
def offers(north: MerchantView) -> list[OfferView]:
    """Three offers with 10, 5 and 1 units."""
    with write_transaction():
        return [build_offer(north, title=f"商品 {n}", stock=n) for n in (10, 5, 1)]


def stock() -> list[tuple[int, int, int]]:
    """(on hand, held, sold) of every offer, as auditors read it."""
    rows = db.session.execute(text("SELECT on_hand, held, sold FROM v_stock ORDER BY on_hand DESC"))
    found = [tuple(row) for row in rows]
    db.session.rollback()
    return found


def versions() -> list[int]:
    found = db.session.scalars(text("SELECT version FROM product ORDER BY id")).all()
    db.session.rollback()
    return list(found)


def _hold(order_id: str, *quantities: tuple[OfferView, int]) -> None:
    with write_transaction():
        hold_stock(order_id=order_id, quantities={offer.id: n for offer, n in quantities})


def _run(service: object, order_id: str) -> None:
    with write_transaction():
        service(order_id=order_id)  # type: ignore[operator]


def test_what_is_held_is_kept_and_what_is_sold_is_gone(offers: list[OfferView]) -> None:
    ten, five, _ = offers
    _hold("ord_1", (ten, 3), (five, 5))
    assert stock() == [(10, 3, 0), (5, 5, 0), (1, 0, 0)]
    assert verify_stock() == []
    for _ in range(2):
        _run(capture_stock, "ord_1")
        assert stock() == [(7, 0, 3), (1, 0, 0), (0, 0, 5)]
    _run(release_stock, "ord_1")
    assert stock() == [(7, 0, 3), (1, 0, 0), (0, 0, 5)]
    assert verify_stock() == []


def test_what_is_released_can_be_sold_again(offers: list[OfferView]) -> None:
    ten, five, _ = offers
    before = stock()
    _hold("ord_1", (ten, 3), (five, 5))
    for _ in range(2):
        _run(release_stock, "ord_1")
        assert stock() == before
    _run(capture_stock, "ord_1")
    assert stock() == before
    _hold("ord_2", (five, 5))
    assert verify_stock() == []


def test_an_order_gets_all_of_it_or_nothing(offers: list[OfferView]) -> None:
    ten, five, one = offers
    _hold("ord_1", (five, 4))
    before = stock()
    with pytest.raises(OutOfStock) as caught:
        _hold("ord_2", (ten, 2), (five, 2), (one, 1))
    assert caught.value.extra == {"offer_id": five.public_id}
    assert caught.value.status == 409
    assert stock() == before
    assert verify_stock() == []
    assert db.session.scalar(text("SELECT count(*) FROM stock_hold")) == 1


def test_an_offer_that_is_not_there_is_out_of_stock(offers: list[OfferView]) -> None:
    before = stock()
    with pytest.raises(OutOfStock), write_transaction():
        hold_stock(order_id="ord_1", quantities={offers[0].id: 1, 999_999: 1})
    assert stock() == before


def test_an_order_holds_once(offers: list[OfferView]) -> None:
    _hold("ord_1", (offers[0], 1))
    before = stock()
    with pytest.raises(IntegrityError):
        _hold("ord_1", (offers[0], 1))
    assert stock() == before


def test_orders_do_not_touch_each_others_holds(offers: list[OfferView]) -> None:
    ten, *_ = offers
    _hold("ord_1", (ten, 2))
    _hold("ord_2", (ten, 3))
    _run(capture_stock, "ord_2")
    assert stock()[0] == (7, 2, 3)
    _run(release_stock, "ord_1")
    assert stock()[0] == (7, 0, 3)
    for service in (capture_stock, release_stock):
        _run(service, "ord_none")
    assert stock()[0] == (7, 0, 3)


def test_returned_goods_come_back_to_the_shelf(offers: list[OfferView]) -> None:
    ten, five, _ = offers
    _hold("ord_1", (ten, 4), (five, 1))
    _run(capture_stock, "ord_1")
    with write_transaction():
        return_stock(quantities={ten.id: 3, five.id: 1})
    assert stock() == [(9, 0, 1), (5, 0, 0), (1, 0, 0)]
    with write_transaction():
        return_stock(quantities={})
    assert stock() == [(9, 0, 1), (5, 0, 0), (1, 0, 0)]


def test_a_merchant_says_what_can_be_sold_beside_what_is_held(offers: list[OfferView]) -> None:
    ten, *_ = offers
    _hold("ord_1", (ten, 4))
    with write_transaction():
        set_available(offer_id=ten.id, units=20)
    assert stock()[0] == (24, 4, 0)
    with write_transaction():
        set_available(offer_id=ten.id, units=0)
    assert (4, 4, 0) in stock()
    with pytest.raises(OutOfStock):
        _hold("ord_2", (ten, 1))
    _run(capture_stock, "ord_1")
    assert (0, 0, 4) in stock()


def test_search_hears_of_stock_only_when_it_crosses_zero(offers: list[OfferView]) -> None:
    ten, five, _ = offers
    start = versions()
    _hold("ord_1", (ten, 3), (five, 4))
    _run(capture_stock, "ord_1")
    assert versions() == start  # a sale alone is no news
    _hold("ord_2", (ten, 1), (five, 1))  # the last of five
    assert versions() == [start[0], start[1] + 1, start[2]]
    _hold("ord_3", (ten, 1))
    _run(release_stock, "ord_3")
    assert versions() == [start[0], start[1] + 1, start[2]]
    _run(release_stock, "ord_2")  # five is back
    assert versions() == [start[0], start[1] + 2, start[2]]
    with write_transaction():
        return_stock(quantities={five.id: 1})
    assert versions() == [start[0], start[1] + 2, start[2]]


def test_the_database_refuses_more_held_than_on_hand(offers: list[OfferView]) -> None:
    for change in ("held = 11", "held = -1", "on_hand = -1"):
        with pytest.raises(IntegrityError), write_transaction():
            db.session.execute(text(f"UPDATE stock SET {change}"))
    assert stock() == [(10, 0, 0), (5, 0, 0), (1, 0, 0)]


def test_verify_finds_what_does_not_add_up(offers: list[OfferView]) -> None:
    ten, five, one = offers
    _hold("ord_1", (ten, 3), (five, 2))
    with write_transaction():
        db.session.execute(text("UPDATE stock SET held = 4 WHERE offer_id = :id"), {"id": ten.id})
        db.session.execute(text("UPDATE stock SET held = 0 WHERE offer_id = :id"), {"id": five.id})
        db.session.execute(text("UPDATE stock SET held = 1 WHERE offer_id = :id"), {"id": one.id})
    assert verify_stock() == [
        f"stock of {ten.public_id}: 4 held, 3 in holds, 10 on hand",
        f"stock of {one.public_id}: 1 held, 0 in holds, 1 on hand",
        f"offer {five.id}: 2 in holds, none held",
    ]


def test_stock_of_an_empty_shop_adds_up(app: Flask) -> None:
    assert verify_stock() == []
