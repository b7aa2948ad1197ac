"""Attributes of products as names with values: ``颜色`` of one is ``墨绿`` and ``米白``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

MAX_NAME = 40
MAX_VALUE = 80
# Of a product with more, the first can be searched for.
_MOST = 40
_BETWEEN = " / "

Attribute = tuple[str, str]


def join_attributes(rows: Iterable[Sequence[Mapping[str, str]]]) -> list[dict[str, str]]:
    """A product's attributes as it keeps them: under each name the values of its SKUs, in order.

    A slash at the end of a value would be taken for one between two, and is left out.
    """
    joined: dict[str, list[str]] = {}
    for row in rows:
        for attribute in row:
            value = attribute["value"].strip(" /")
            values = joined.setdefault(attribute["name"], [])
            if value and value not in values:
                values.append(value)
    return [
        {"name": name, "value": _BETWEEN.join(values)} for name, values in joined.items() if values
    ]


def split_attributes(kept: Iterable[Mapping[str, str]]) -> tuple[Attribute, ...]:
    """Each name with each of its values, as one narrows a search by them.

    What is too long to be chosen from a list is left out.
    """
    found = dict.fromkeys(
        (attribute["name"], value)
        for attribute in kept
        if len(attribute["name"]) <= MAX_NAME
        for value in map(str.strip, attribute["value"].split(_BETWEEN))
        if 0 < len(value) <= MAX_VALUE
    )
    return tuple(found)[:_MOST]
