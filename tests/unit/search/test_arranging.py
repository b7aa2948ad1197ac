"""Pins, boosts and burials on a list: what stays true whatever the rules are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.merchandising import Arrangement, arrange

TEN = list(range(1, 11))


def by_rules(
    product_ids: list[int],
    *,
    pins: dict[int, int] | None = None,
    boosts: dict[int, int] | None = None,
    buried: tuple[int, ...] = (),
) -> list[int]:
    """Arranged, where every pin may be shown."""
    arrangement = Arrangement(pins or {}, boosts or {}, frozenset(buried))
    return arrange(product_ids, arrangement, may_show=arrangement.pins)


def test_without_rules_a_list_stays_as_it_is() -> None:
    assert by_rules(TEN) == TEN
    assert not Arrangement()


@pytest.mark.parametrize(
    ("pins", "arranged"),
    [
        ({10: 1}, [10, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({1: 3}, [2, 3, 1, 4, 5, 6, 7, 8, 9, 10]),
        ({10: 1, 9: 2}, [10, 9, 1, 2, 3, 4, 5, 6, 7, 8]),
        # The order of the rules does not matter, the places do.
        ({9: 2, 10: 1}, [10, 9, 1, 2, 3, 4, 5, 6, 7, 8]),
        # Two want the first place: the one whose rule is older has it.
        ({7: 1, 3: 1}, [7, 3, 1, 2, 4, 5, 6, 8, 9, 10]),
        # From outside of the list.
        ({99: 2}, [1, 99, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({99: 50}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99]),
    ],
)
def test_pins_stand_at_their_places(pins: dict[int, int], arranged: list[int]) -> None:
    assert by_rules(TEN, pins=pins) == arranged


def test_a_pin_on_a_list_of_nothing() -> None:
    assert by_rules([], pins={5: 3, 6: 1}) == [6, 5]


def test_a_pin_that_may_not_be_shown_changes_nothing() -> None:
    assert arrange(TEN, Arrangement(pins={99: 1, 5: 1}), may_show={5}) == [
        5, 1, 2, 3, 4, 6, 7, 8, 9, 10,
    ]  # fmt: skip


def test_buried_products_come_last_in_their_order() -> None:
    assert by_rules(TEN, buried=(7, 2)) == [1, 3, 4, 5, 6, 8, 9, 10, 2, 7]
    assert by_rules(TEN, buried=(2,), pins={3: 10}) == [1, 4, 5, 6, 7, 8, 9, 10, 2, 3]


@pytest.mark.parametrize(
    ("percent", "place"), [(1, 10), (10, 9), (49, 6), (50, 5), (75, 3), (90, 1), (99, 1)]
)
def test_a_boost_takes_its_percent_off_the_rank(percent: int, place: int) -> None:
    arranged = by_rules(TEN, boosts={10: percent})
    assert arranged.index(10) + 1 == place
    assert [product for product in arranged if product != 10] == TEN[:9]


def test_of_two_equal_boosts_the_better_one_stays_before() -> None:
    assert by_rules(TEN, boosts={4: 90, 8: 90}) == [4, 8, 1, 2, 3, 5, 6, 7, 9, 10]


_PRODUCTS = st.integers(1, 40)


@given(
    product_ids=st.lists(_PRODUCTS, unique=True, max_size=30),
    pins=st.dictionaries(_PRODUCTS, st.integers(1, 50), max_size=8),
    boosts=st.dictionaries(_PRODUCTS, st.integers(1, 99), max_size=8),
    buried=st.frozensets(_PRODUCTS, max_size=8),
    may_show=st.frozensets(_PRODUCTS),
)
def test_whatever_the_rules_nothing_is_lost_doubled_or_made_up(
    product_ids: list[int],
    pins: dict[int, int],
    boosts: dict[int, int],
    buried: frozenset[int],
    may_show: frozenset[int],
) -> None:
    arrangement = Arrangement(pins, boosts, buried)

    arranged = arrange(product_ids, arrangement, may_show=may_show)

    legal = set(pins) & may_show
    assert len(arranged) == len(set(arranged))
    assert set(arranged) == set(product_ids) | legal
    places = {product: arranged.index(product) + 1 for product in arranged}
    taken = sorted(pins[product] for product in legal)
    for product in legal:
        # Never before its place but where the list is too short, nor beyond those that want it.
        assert places[product] >= min(pins[product], len(arranged) - len(legal) + 1)
        assert places[product] <= pins[product] + sum(place <= pins[product] for place in taken)
    last = [product for product in arranged if product in buried and product not in legal]
    others = [product for product in arranged if product not in legal]
    assert others[len(others) - len(last) :] == last
