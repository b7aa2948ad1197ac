"""What is known of tokens is not asked again, for a while."""

from collections.abc import Mapping, Sequence

from search.engines import term_cache
from search.engines.base import TermStatistics, TokenField
from search.engines.term_cache import TermCache

_CHARS, _GRAMS = TokenField.CHARS, TokenField.GRAMS


class Index:
    """Counts every token but 叶 often, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[TokenField, list[str]]] = []

    def __call__(self, tokens: Mapping[TokenField, Sequence[str]]) -> TermStatistics:
        self.asked.append({field: list(values) for field, values in tokens.items()})
        return TermStatistics(
            500,
            {
                field: {value: 3 if value == "叶" else 70 for value in values}
                for field, values in tokens.items()
            },
        )


def test_only_what_is_not_known_is_asked_until_it_is_too_old() -> None:
    now, index = [0.0], Index()
    cache = TermCache(lambda: now[0])

    cache.find({_CHARS: ["茶", "杯"], _GRAMS: ["茶杯"]}, index)
    found = cache.find({_CHARS: ["茶", "叶"], _GRAMS: ["茶杯"]}, index)
    cache.find({_CHARS: ["茶"]}, index)

    assert found == TermStatistics(500, {_CHARS: {"茶": 70, "叶": 3}, _GRAMS: {"茶杯": 70}})
    assert index.asked == [{_CHARS: ["茶", "杯"], _GRAMS: ["茶杯"]}, {_CHARS: ["叶"]}]
    now[0] = term_cache.KEPT_SECONDS + 1
    cache.find({_CHARS: ["茶"]}, index)
    assert index.asked[2:] == [{_CHARS: ["茶"]}]
    cache.clear()
    cache.find({_CHARS: ["茶"]}, index)
    assert len(index.asked) == 4


def test_a_rare_token_is_asked_every_time() -> None:
    index = Index()
    cache = TermCache()

    for _ in range(3):
        assert cache.find({_CHARS: ["茶", "叶"]}, index).frequencies[_CHARS]["叶"] == 3

    assert index.asked[1:] == [{_CHARS: ["叶"]}, {_CHARS: ["叶"]}]
