"""A query in other words."""

from search.tokens import tokenise_query
from search.understanding.variants import MOST, synonym_variants

KNOWN = {
    "土豆": ("马铃薯",),
    "笔记本电脑": ("手提电脑", "laptop"),
    "苹果": ("apple", "iphone", "果", "平果", "林檎"),
}


def variants(text: str) -> tuple[str, ...]:
    return synonym_variants(tokenise_query(text), lambda word: KNOWN.get(word, ()))


def test_a_word_is_replaced_by_each_of_its_synonyms() -> None:
    assert variants("新鲜 土豆 5斤") == ("新鲜 马铃薯 5斤",)
    assert variants("笔记本电脑") == ("手提电脑", "laptop")


def test_neighbours_are_looked_up_together() -> None:
    assert variants("华为笔记本电脑包") == ("华为手提电脑包", "华为laptop包")


def test_there_are_few_of_them_and_none_for_other_words() -> None:
    assert len(variants("苹果")) == MOST
    assert variants("红薯") == variants("") == ()
