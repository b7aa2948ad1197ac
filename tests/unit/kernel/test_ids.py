from __future__ import annotations

from kernel import ids
from kernel.ids import ALPHABET, public_id


def test_an_id_is_its_prefix_and_a_hundred_random_bits() -> None:
    prefix, _, body = public_id("ord").partition("_")
    assert prefix == "ord"
    assert len(body) == 20
    assert set(body) <= set(ALPHABET)
    assert len(set(ALPHABET)) == 32


def test_ids_differ() -> None:
    assert len({public_id("x") for _ in range(5000)}) == 5000


def test_every_place_takes_every_character() -> None:
    made = [public_id("x")[2:] for _ in range(2000)]
    assert all({body[place] for body in made} == set(ALPHABET) for place in range(20))


def test_the_demo_worlds_ids_are_the_same_each_time_and_random_again_after() -> None:
    with ids.predictable(7):
        first = [public_id("p") for _ in range(3)]
    with ids.predictable(7):
        again = [public_id("p") for _ in range(3)]
    assert first == again
    assert len(set(first)) == 3
    assert public_id("p") not in first
