"""Goods rules and chosen facets as engine filters (Domain rules 30 and 30a)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from search.engines.base import (
    AllOf,
    AnyOf,
    AnyValue,
    Between,
    Clause,
    NoneOf,
    Nothing,
    NumberField,
)
from shop.rules import GoodsRule

# Dimensions that a product has whoever sells it; merchants are another matter.
_PRODUCT_FIELDS = {
    "categories": NumberField.CATEGORY,
    "brands": NumberField.BRAND,
    "assortments": NumberField.ASSORTMENT,
}

PriceRange = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose to narrow a list, in inside ids; ``None`` means not chosen.

    A chosen value that does not exist is simply not among the ids: with none left nothing
    matches. ``attributes`` are ids by name and value, any of one name, of each name; what no
    product has is 0. ``prices`` are inclusive ranges in fen, any of which will do; the range
    between ``price_min`` and ``price_max`` must hold as well.
    """

    categories: frozenset[int] | None = None
    brands: frozenset[int] | None = None
    merchants: frozenset[int] | None = None
    attributes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    prices: tuple[PriceRange, ...] | None = None
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The goods that a person may see (and a pot may pay): rules that must all hold.

    ``sellers`` are all merchants there are; an out-list of merchants can only be turned into
    the allow-set of Domain rule 30a by naming the others.
    """

    rules: tuple[GoodsRule, ...] = ()
    sellers: frozenset[int] = field(default=frozenset())

    def product_clauses(self) -> tuple[Clause, ...]:
        """What the rules say of a product, whoever sells it."""
        return tuple(clause for rule in self.rules for clause in _product_clauses(rule))

    def merchants(self) -> frozenset[int] | None:
        """The merchants that every rule lets through; ``None`` where no rule speaks of any."""
        allowed: frozenset[int] | None = None
        for rule in self.rules:
            wanted = rule.include.get("merchants")
            unwanted = rule.exclude.get("merchants")
            if wanted:
                allowed = wanted if allowed is None else allowed & wanted
            if unwanted:
                allowed = (self.sellers if allowed is None else allowed) - unwanted
        return allowed


def _product_clauses(rule: GoodsRule) -> Iterable[Clause]:
    for name, number in _PRODUCT_FIELDS.items():
        wanted, unwanted = rule.include.get(name), rule.exclude.get(name)
        if wanted:
            yield AnyValue(number, tuple(sorted(wanted)))
        if unwanted:
            yield NoneOf((AnyValue(number, tuple(sorted(unwanted))),))


def one_listing_each(allowed: frozenset[int] | None) -> Clause:
    """Exactly one listing of each product: the best ranked of the merchants allowed.

    Without a limit that is the listing before which no other is ranked.
    """
    if allowed is None:
        return AnyValue(NumberField.RANK, (0,))
    merchants = tuple(sorted(allowed))
    if not merchants:
        return Nothing()
    return AllOf(
        (
            AnyValue(NumberField.MERCHANT, merchants),
            NoneOf((AnyValue(NumberField.CHEAPER, merchants),)),
        )
    )


def every_listing(allowed: frozenset[int] | None) -> Clause:
    """All listings of the merchants allowed: what the merchant facet counts."""
    if allowed is None:
        return AllOf(())
    return AnyValue(NumberField.MERCHANT, tuple(sorted(allowed)))


def visible_clause(scope: Scope) -> Clause:
    """One listing of each product that may be seen, before anything is chosen."""
    return AllOf((*scope.product_clauses(), one_listing_each(scope.merchants())))


def narrowed_merchants(scope: Scope, choice: Choice) -> frozenset[int] | None:
    """The allow-set A of Domain rule 30a: merchants that may be seen, narrowed by the chosen."""
    allowed = scope.merchants()
    if choice.merchants is None:
        return allowed
    return choice.merchants if allowed is None else allowed & choice.merchants


def attribute_facet(name: str) -> str:
    """What the facet of an attribute is called."""
    return f"attribute.{name}"


def choice_clauses(choice: Choice, *, without: str = "") -> tuple[Clause, ...]:
    """The chosen values as filters, leaving out those of the facet ``without``.

    Merchants are not here: they decide which listing stands for a product.
    """
    clauses: list[Clause] = []
    if choice.categories is not None and without != "category":
        clauses.append(AnyValue(NumberField.CATEGORY, tuple(sorted(choice.categories))))
    if choice.brands is not None and without != "brand":
        clauses.append(AnyValue(NumberField.BRAND, tuple(sorted(choice.brands))))
    clauses += [
        AnyValue(NumberField.ATTRIBUTE, tuple(sorted(values.values())))
        for name, values in choice.attributes.items()
        if without != attribute_facet(name)
    ]
    if without != "price":
        clauses += _price_clauses(choice)
    if choice.in_stock:
        clauses.append(AnyValue(NumberField.IN_STOCK, (1,)))
    return tuple(clauses)


def _price_clauses(choice: Choice) -> Sequence[Clause]:
    clauses: list[Clause] = []
    if choice.prices is not None:
        clauses.append(
            AnyOf(tuple(Between(NumberField.PRICE, low, high) for low, high in choice.prices))
        )
    if choice.price_min is not None or choice.price_max is not None:
        clauses.append(Between(NumberField.PRICE, choice.price_min, choice.price_max))
    return clauses


def price_fits(choice: Choice, price_minor: int) -> bool:
    """Whether a price, read again from the database, is still one that was asked for."""
    ranges = list(choice.prices) if choice.prices is not None else [(None, None)]
    outer = (choice.price_min, choice.price_max)
    return _inside(price_minor, outer) and any(_inside(price_minor, each) for each in ranges)


def _inside(price_minor: int, bounds: PriceRange) -> bool:
    low, high = bounds
    return (low is None or price_minor >= low) and (high is None or price_minor <= high)
