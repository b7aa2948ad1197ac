"""A product's attributes: joined from its SKUs, and taken apart for the search."""

from hypothesis import example, given
from hypothesis import strategies as st

from shop.attributes import MAX_NAME, MAX_VALUE, join_attributes, split_attributes

_text = st.text("甲乙 x/", min_size=1, max_size=6).map(str.strip).filter(bool)
_row = st.lists(st.fixed_dictionaries({"name": _text, "value": _text}), max_size=4)


def test_the_values_of_all_skus_stand_under_their_name() -> None:
    rows = [
        [{"name": "颜色", "value": "墨绿"}, {"name": "容量", "value": "350ml"}],
        [{"name": "颜色", "value": "米白"}, {"name": "容量", "value": "350ml"}],
    ]

    joined = join_attributes(rows)

    assert joined == [
        {"name": "颜色", "value": "墨绿 / 米白"},
        {"name": "容量", "value": "350ml"},
    ]
    assert split_attributes(joined) == (("颜色", "墨绿"), ("颜色", "米白"), ("容量", "350ml"))


@given(rows=st.lists(_row, max_size=4))
@example(rows=[[{"name": "x", "value": "x /"}, {"name": "x", "value": "x"}]])
def test_what_is_joined_is_taken_apart_whole(rows: list[list[dict[str, str]]]) -> None:
    wanted = {
        (each["name"], value)
        for row in rows
        for each in row
        for value in map(str.strip, each["value"].strip(" /").split(" / "))
        if value
    }

    found = split_attributes(join_attributes(rows))

    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_what_is_too_long_or_too_much_is_left_out() -> None:
    long = [
        {"name": "长" * (MAX_NAME + 1), "value": "甲"},
        {"name": "备注", "value": "长" * (MAX_VALUE + 1)},
        {"name": "长" * MAX_NAME, "value": "长" * MAX_VALUE},
    ]
    many = [{"name": "型号", "value": " / ".join(map(str, range(100)))}]

    assert split_attributes(long) == (("长" * MAX_NAME, "长" * MAX_VALUE),)
    assert split_attributes(many) == tuple(("型号", str(number)) for number in range(40))
