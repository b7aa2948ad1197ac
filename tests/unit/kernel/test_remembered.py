"""What a process remembers: for how long, how much, and what is asked again."""

from kernel.remembered import Remembered, forget_all

NAMES = {1: "one", 2: "two", 3: "three"}


class Source:
    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.now = 0.0

    def read(self, keys: list[int]) -> dict[int, str]:
        self.asked.append(keys)
        return {key: NAMES[key] for key in keys if key in NAMES}


def remembered(source: Source, *, most: int = 10) -> Remembered[int, str]:
    return Remembered(5.0, most=most, clock=lambda: source.now)


def test_only_what_is_not_known_is_read() -> None:
    source = Source()
    names = remembered(source)
    assert names.find([1, 2, 1], source.read) == {1: "one", 2: "two"}
    assert names.find([2, 3], source.read) == {2: "two", 3: "three"}
    assert names.find([1, 2, 3], source.read) == NAMES
    assert names.find([], source.read) == {}
    assert source.asked == [[1, 2], [3]]


def test_what_is_not_there_is_asked_every_time() -> None:
    source = Source()
    names = remembered(source)
    assert names.find([7], source.read) == names.find([7], source.read) == {}
    assert source.asked == [[7], [7]]


def test_everything_is_read_again_after_its_time() -> None:
    source = Source()
    names = remembered(source)
    names.find([1], source.read)
    source.now = 4.9
    names.find([1, 2], source.read)
    source.now = 5.1
    names.find([1, 2], source.read)
    assert source.asked == [[1], [2], [1]]


def test_too_many_start_anew() -> None:
    source = Source()
    names = remembered(source, most=2)
    names.find([1, 2], source.read)
    names.find([3], source.read)
    names.find([3], source.read)
    names.find([1], source.read)
    assert source.asked == [[1, 2], [3], [1]]


def test_another_database_is_read_anew() -> None:
    source = Source()
    names = remembered(source)
    names.find([1], source.read)
    forget_all()
    names.find([1], source.read)
    assert source.asked == [[1], [1]]
