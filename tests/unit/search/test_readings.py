"""The best of other readings among the first of a list."""

from search.engines.base import Hit
from search.readings import with_others


def hits(*products: int) -> list[Hit]:
    return [Hit(product, 1.0, 0, None) for product in products]


def products(found: list[Hit]) -> list[int]:
    return [hit.product_id for hit in found]


def test_they_are_the_third_the_fifth_and_the_seventh() -> None:
    assert products(with_others(hits(1, 2, 3, 4, 5, 6, 7), hits(11, 12, 13))) == [
        1, 2, 11, 3, 12, 4, 13, 5, 6, 7,
    ]  # fmt: skip


def test_what_stands_higher_stays_and_what_stands_lower_moves_up() -> None:
    assert products(with_others(hits(1, 2, 3, 4, 5), hits(2))) == [1, 2, 3, 4, 5]
    assert products(with_others(hits(1, 2, 3, 4, 5), hits(5))) == [1, 2, 5, 3, 4]


def test_short_lists_are_lengthened() -> None:
    assert products(with_others([], hits(11, 12))) == [11, 12]
    assert products(with_others(hits(1), hits(11))) == [1, 11]
    assert with_others(hits(1), []) == hits(1)
