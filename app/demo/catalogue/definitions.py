"""Reads the product definitions in `data/`.

A file is a list of leaf categories, each with its products::

    [kitchen.cups]
    thermos-500 | 保温杯 大容量 | 暖屿 | thermos:绿 | nse | unit=只
      ~ keywords
      > description
      容量: 350ml =89, 500ml =109
      颜色: 墨绿, 米白 =+5

The head names key, title, brand, picture object (with a colour it leans to), the merchants that
sell it by first letter, and options. An axis lists its values; a value's price in yuan stands
after ``=``, or with a sign what it adds. The SKUs are the product of the axes.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib.resources import files

from app.demo.catalogue.leaves import Leaf, load_leaves

MERCHANT_BY_LETTER = {"n": "north", "s": "south", "e": "east"}


@dataclass(frozen=True, slots=True)
class SkuDefinition:
    """One thing that is sold. `price_minor` is the price in fen before a merchant's own turn."""

    key: str
    attributes: tuple[tuple[str, str], ...]
    price_minor: int

    @property
    def spec(self) -> str:
        """The values of all axes as a feed's 规格 writes them: ``350ml/墨绿``."""
        return "/".join(value for _, value in self.attributes)


@dataclass(frozen=True, slots=True)
class ProductDefinition:
    """A product of the demo catalogue with its SKUs."""

    key: str
    leaf: Leaf
    title: str
    brand: str
    object: str
    leaning: str
    merchants: tuple[str, ...]
    unit: str
    keywords: str
    description: str
    skus: tuple[SkuDefinition, ...]


class BadDefinition(ValueError):
    """A line of a data file that does not follow the format; names file and line."""


@dataclass(slots=True)
class _Draft:
    head: list[str]
    leaf: Leaf
    keywords: str = ""
    description: str = ""
    axes: list[tuple[str, list[tuple[str, int, bool]]]] = field(default_factory=list)


@cache
def load_products() -> tuple[ProductDefinition, ...]:
    """All products of the demo catalogue, in the order of the files.

    Raises BadDefinition for a broken line, an unknown leaf, or a key used twice.
    """
    products: dict[str, ProductDefinition] = {}
    folder = files("app.demo.catalogue").joinpath("data")
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        for product in parse(path.read_text(encoding="utf-8"), path.name):
            if product.key in products:
                raise BadDefinition(f"{path.name}: the key {product.key} is used twice")
            products[product.key] = product
    return tuple(products.values())


def parse(text: str, name: str) -> Iterator[ProductDefinition]:
    """The products of one data file; `name` is for messages."""
    leaves = load_leaves()
    leaf: Leaf | None = None
    draft: _Draft | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            if not line.strip():
                continue
            if line.startswith("  ") and draft is not None:
                _read_detail(draft, line.strip())
                continue
            if draft is not None:
                yield _finished(draft)
                draft = None
            if line.startswith("["):
                leaf = leaves[line.strip("[] ")]
            elif leaf is not None:
                draft = _Draft([part.strip() for part in line.split("|")], leaf)
            else:
                raise ValueError("a product before the first category")
        except (ValueError, KeyError, ArithmeticError) as error:
            raise BadDefinition(f"{name}:{number}: {error}: {line!r}") from error
    if draft is not None:
        yield _finished(draft)


def _read_detail(draft: _Draft, line: str) -> None:
    if line.startswith("~"):
        draft.keywords = line[1:].strip()
    elif line.startswith(">"):
        draft.description = line[1:].strip()
    else:
        axis, _, values = line.partition(":")
        if not values:
            raise ValueError("neither keywords, description nor an axis")
        draft.axes.append((axis.strip(), [_value(part) for part in values.split(",")]))


def _value(part: str) -> tuple[str, int, bool]:
    """One value of an axis: its name, its price in fen, and whether that only adds."""
    value, _, price = (piece.strip() for piece in part.partition("="))
    fen = Decimal(price or "0") * 100
    if fen != int(fen):
        raise ValueError(f"a price finer than a fen: {price}")
    return value, int(fen), not price or price[0] in "+-"


def _finished(draft: _Draft) -> ProductDefinition:
    key, title, brand, picture, letters, *options = draft.head
    chosen = dict(option.split("=", 1) for option in options)
    name, _, leaning = picture.partition(":")
    return ProductDefinition(
        key=key,
        leaf=draft.leaf,
        title=title,
        brand=brand,
        object=name,
        leaning=leaning,
        merchants=tuple(MERCHANT_BY_LETTER[letter] for letter in letters),
        unit=chosen.get("unit", draft.leaf.unit),
        keywords=draft.keywords,
        description=draft.description,
        skus=tuple(_skus(key, draft.axes)),
    )


def _skus(
    product_key: str, axes: list[tuple[str, list[tuple[str, int, bool]]]]
) -> Iterator[SkuDefinition]:
    names = [axis for axis, _ in axes]
    for number, values in enumerate(itertools.product(*(values for _, values in axes)), start=1):
        if sum(not adds for _, _, adds in values) != 1:
            raise BadDefinition(f"{product_key}: one axis, and only one, sets the price")
        yield SkuDefinition(
            key=f"{product_key}-{number:02d}",
            attributes=tuple(zip(names, (value for value, _, _ in values), strict=True)),
            price_minor=sum(price for _, price, _ in values),
        )
