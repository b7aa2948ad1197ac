"""Facets of the attributes that products of a category have: colour, size, material.

Only where a search is about one category: of everything there is, the commonest attributes say
nothing. A client knows each as ``attribute.<name>``, and its values by their text.
"""

from collections.abc import Callable, Container, Iterable, Mapping

from kernel.remembered import Remembered
from search.engines.base import Clause, NumberField, TermsFacet
from search.goods_filters import Choice, attribute_facet
from search.kept_lists import Counts
from shop.attributes import Attribute
from shop.services import attributes as kept

_MOST_NAMES = 6
_MOST_VALUES = 20
_ASKED = 1_000
_ALL = "attribute"

# A number never changes what it stands for.
_ids: Remembered[Attribute, int] = Remembered(600.0, most=200_000)
_attributes: Remembered[int, Attribute] = Remembered(600.0, most=200_000)


def find_attribute_ids(attributes: Iterable[Attribute]) -> dict[Attribute, int]:
    """The numbers that the index knows attributes by; those that no product has are absent."""
    return _ids.find(attributes, kept.find_attributes)


def request_attributes(choice: Choice, where: Callable[[str], Clause]) -> tuple[TermsFacet, ...]:
    """All attributes at once, and each chosen name again without what was chosen of it.

    ``where`` makes the filter of the facet of a name. Chosen names are asked for by their place:
    engines do not take every text as the name of a facet.
    """
    return (
        TermsFacet(_ALL, NumberField.ATTRIBUTE, where(""), _ASKED),
        *(
            TermsFacet(_chosen(place), NumberField.ATTRIBUTE, where(attribute_facet(name)), _ASKED)
            for place, name in enumerate(choice.attributes)
        ),
    )


def _chosen(place: int) -> str:
    return f"{_ALL}.{place}"


def label_attributes(counts: Counts, choice: Choice) -> dict[str, list[tuple[str, int]]]:
    """Values with counts by name: the names and values that most of what was found has, and what
    was chosen, whether or not anything has it."""
    groups = {"": counts.get(_ALL, ())}
    groups |= {name: counts.get(_chosen(at), ()) for at, name in enumerate(choice.attributes)}
    attributes = _attributes.find(
        (number for group in groups.values() for number, _ in group), kept.read_attributes
    )
    found = {name: dict.fromkeys(values, 0) for name, values in choice.attributes.items()}
    for of_name, group in groups.items():
        for number, count in group:
            name, value = attributes.get(number, ("", ""))
            if name and of_name == (name if name in choice.attributes else ""):
                found.setdefault(name, {})[value] = count
    names = _names(found, choice)
    return {name: _first(found[name], choice.attributes.get(name, ())) for name in names}


def _names(found: Mapping[str, Mapping[str, int]], choice: Choice) -> list[str]:
    ordered = sorted(found, key=lambda name: (-sum(found[name].values()), name))
    others = [name for name in ordered if name not in choice.attributes]
    left_out = others[max(_MOST_NAMES - len(choice.attributes), 0) :]
    return [name for name in ordered if name not in left_out]


def _first(counts: Mapping[str, int], chosen: Container[str]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [entry for at, entry in enumerate(ordered) if at < _MOST_VALUES or entry[0] in chosen]
