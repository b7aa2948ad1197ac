"""The cart: one for each membership, over all merchants."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel import clock
from kernel.auth.policy import Actor
from kernel.db import write_transaction
from merchants.services import MerchantView
from shop.services import cart
from shop.services.cart import (
    CartFull,
    list_cart,
    put_in_cart,
    remove_bought,
    take_out_of_cart,
)
from shop.services.catalogue import OfferView, UnknownOffer, open_seller
from tests.factories.catalogue import build_merchant, build_offer
from tests.factories.enterprises import build_company, hire


@pytest.fixture
def shopper(north: MerchantView) -> Actor:
    with write_transaction():
        return hire(build_company().id)


@pytest.fixture
def goods(north: MerchantView) -> list[OfferView]:
    with write_transaction():
        return [build_offer(north, title=f"商品 {n}") for n in range(3)]


def put(who: Actor, offer: OfferView | str, quantity: int = 1, chosen: bool | None = None) -> None:
    public = offer if isinstance(offer, str) else offer.public_id
    with write_transaction():
        put_in_cart(
            membership_id=who.membership_id, offer_id=public, quantity=quantity, chosen=chosen
        )


def lines(who: Actor, *, chosen_only: bool = False) -> list[tuple[str, int, bool]]:
    found = list_cart(membership_id=who.membership_id, chosen_only=chosen_only)
    return [(line.offer.title, line.quantity, line.chosen) for line in found]


def test_lines_stand_in_the_order_they_came(shopper: Actor, goods: list[OfferView]) -> None:
    start = clock.now()
    for minutes, offer in enumerate((goods[2], goods[0], goods[1])):
        with clock.frozen(start + timedelta(minutes=minutes)):
            put(shopper, offer, minutes + 1)
    assert lines(shopper) == [("商品 2", 1, True), ("商品 0", 2, True), ("商品 1", 3, True)]


def test_putting_again_sets_the_quantity(shopper: Actor, goods: list[OfferView]) -> None:
    put(shopper, goods[0], 2)
    put(shopper, goods[0], 5)
    assert lines(shopper) == [("商品 0", 5, True)]
    put(shopper, goods[0], 5, chosen=False)
    put(shopper, goods[0], 6)  # the choice stays
    assert lines(shopper) == [("商品 0", 6, False)]
    assert lines(shopper, chosen_only=True) == []
    put(shopper, goods[1], 1, chosen=True)
    put(shopper, goods[2], 1, chosen=False)
    assert lines(shopper, chosen_only=True) == [("商品 1", 1, True)]


def test_every_membership_has_a_cart_of_its_own(shopper: Actor, goods: list[OfferView]) -> None:
    with write_transaction():
        other = hire(build_company("贝塔贸易").id)
    put(shopper, goods[0])
    put(other, goods[1], 2)
    assert lines(shopper) == [("商品 0", 1, True)]
    with write_transaction():
        take_out_of_cart(membership_id=shopper.membership_id, offer_id=goods[1].public_id)
    assert lines(other) == [("商品 1", 2, True)]


def test_what_is_not_for_sale_does_not_come_in_but_what_is_in_stays(
    shopper: Actor, goods: list[OfferView], north: MerchantView
) -> None:
    put(shopper, goods[0])
    with write_transaction():
        late = build_offer(build_merchant("late", approved=False))
        open_seller(merchant_id=north.id, open_=False, freight_minor=0, free_from_minor=None)
    for offer in (late, goods[1], "ofr_none"):
        with pytest.raises(UnknownOffer):
            put(shopper, offer)
    assert lines(shopper) == [("商品 0", 1, True)]
    [line] = list_cart(membership_id=shopper.membership_id)
    assert not line.offer.for_sale


def test_taking_out_and_having_bought(shopper: Actor, goods: list[OfferView]) -> None:
    for offer in goods:
        put(shopper, offer)
    for public in (goods[0].public_id, goods[0].public_id, "ofr_none"):
        with write_transaction():
            take_out_of_cart(membership_id=shopper.membership_id, offer_id=public)
    assert [title for title, *_ in lines(shopper)] == ["商品 1", "商品 2"]
    with write_transaction():
        remove_bought(membership_id=shopper.membership_id, offer_ids=[goods[2].id, 999_999])
    assert [title for title, *_ in lines(shopper)] == ["商品 1"]


def test_a_full_cart_takes_no_more_but_lets_quantities_change(
    shopper: Actor, goods: list[OfferView], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cart, "MAX_ITEMS", 2)
    put(shopper, goods[0])
    put(shopper, goods[1])
    before = lines(shopper)
    with pytest.raises(CartFull):
        put(shopper, goods[2])
    assert lines(shopper) == before
    put(shopper, goods[1], 9)
    assert lines(shopper)[1] == ("商品 1", 9, True)


def test_an_empty_cart_is_empty(shopper: Actor) -> None:
    assert lines(shopper) == []
