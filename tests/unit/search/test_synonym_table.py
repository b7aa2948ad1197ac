"""What a word may stand for, and how queries are named."""

from search.query_key import MAX_QUERY, query_key
from search.synonyms import SynonymKind, Synonyms, build_synonyms, normal_word

GROUP, ALIAS = SynonymKind.GROUP, SynonymKind.ALIAS


def test_a_group_goes_both_ways_and_an_alias_one() -> None:
    table = build_synonyms(
        [
            (GROUP, "", ["番茄", "西红柿", "tomato"]),
            (ALIAS, "小天鹅", ["xiaote", "littleswan"]),
        ]
    )
    assert table.alternatives("西红柿") == ("番茄", "tomato")
    assert table.alternatives("番茄") == ("西红柿", "tomato")
    assert table.alternatives("小天鹅") == ("xiaote", "littleswan")
    assert table.alternatives("littleswan") == ()
    assert table.alternatives("土豆") == ()


def test_entries_add_up_without_doubles_and_are_not_followed_further() -> None:
    table = build_synonyms(
        [(GROUP, "", ["a", "b"]), (GROUP, "", ["b", "c", "a"]), (ALIAS, "a", ["d", "b"])]
    )
    assert table.alternatives("a") == ("b", "c", "d")
    assert table.alternatives("b") == ("a", "c")
    assert build_synonyms([(GROUP, "", ["a", "b"]), (GROUP, "", ["b", "c"])]).alternatives("a") == (
        "b",
    )


def test_nothing_stands_for_anything_in_an_empty_table() -> None:
    assert Synonyms().alternatives("番茄") == ()


def test_words_and_queries_are_written_in_one_way() -> None:
    assert normal_word("  ＴＣＬ　 电视\t") == "tcl 电视"
    assert query_key("  Ｉｐｈｏｎｅ   壳 ") == "iphone 壳"
    assert query_key("被" * 300) == "被" * MAX_QUERY
    assert query_key("被" * 63 + " 子") == "被" * 63
    assert query_key("\u202e \x00") == ""
