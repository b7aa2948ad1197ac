"""A query in other words: each known synonym put in the place of the word that it stands for."""

from collections.abc import Callable

from search.tokens import QueryTokens

MOST = 4
_SPAN = 3
Alternatives = Callable[[str], tuple[str, ...]]


def synonym_variants(query: QueryTokens, alternatives: Alternatives) -> tuple[str, ...]:
    """At most ``MOST`` other texts for a query, one word replaced in each.

    A word is one of the query's segments or up to three neighbours of them (笔记本 电脑), the
    longest first.
    """
    words = ["".join(units) for units in query.segments]
    found: dict[str, None] = {}
    for length in range(min(_SPAN, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            span = words[start : start + length]
            for word in dict.fromkeys(("".join(span), " ".join(span))):
                if word in query.text:
                    found.update(
                        (query.text.replace(word, each, 1), None) for each in alternatives(word)
                    )
    found.pop(query.text, None)
    return tuple(found)[:MOST]
