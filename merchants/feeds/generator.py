"""Feeds of any size that look real, for measuring: seeded, in constant memory, quick.

Titles come from real ones where a list of them is given: each is cut into a head, a middle and a
product part with its specification, and the parts of titles of like kind are put together anew.
Without such a list the project's own words in `vocabulary.json` are used.
"""

import csv
import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import rjieba

MOST_ROWS = 5_000_000
COLUMNS = (
    "商品编码", "SKU编码", "商品名称", "类目", "品牌", "规格", "市场价", "售价", "库存", "单位",
    "关键词", "简介", "主图", "图集", "税收分类编码", "商品条码",
)  # fmt: skip
_PRODUCT, _SKU, _LIST_PRICE, _PRICE, _STOCK, _BARCODE = (
    COLUMNS.index(name) for name in ("商品编码", "SKU编码", "市场价", "售价", "库存", "商品条码")
)
Row = tuple[str, ...]
T = TypeVar("T")
Progress = Callable[[int, int], None]

# Everything drawn often is a table of a power of two entries, picked by some bits of one number.
_BITS = 12
_TABLE = 1 << _BITS
_MASK = _TABLE - 1
_PROGRESS_EVERY = 20_000
_CHINESE = re.compile(r"[\u4e00-\u9fff]{3,}")
# So many titles of a kind decide together which category it is of.
_VOTERS = 40
_LEAST_KIND, _MOST_KIND = 6, 1_500


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: str
    unit: str
    tax_code: str
    median_minor: int
    keywords: tuple[str, ...]
    specs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Titles of like kind: what may stand first, in the middle and last."""

    leaf: _Leaf
    heads: tuple[str, ...]
    middles: tuple[str, ...]
    tails: tuple[str, ...]
    specs: tuple[str, ...]
    # Between the parts: nothing in titles cut inside, a space in ones made of whole words.
    glue: str
    # How often it is drawn, beside the others.
    weight: int


def generate_rows(
    n: int, seed: int, titles: Sequence[str] | None = None, *, seller: int = 0
) -> Iterator[Row]:
    """`n` rows (SKUs) in the order of COLUMNS; the same for the same arguments.

    About 15% of the products have two to four SKUs; brands, kinds and so categories are
    long-tailed; prices log-normal about the category's own. A fifth of the products carry
    barcodes: another `seller` of the same seed has these and no others, under codes, prices and
    stock of its own, so that the mall has several offers for them. Raises ValueError for a number
    that is not from 1 to five million.
    """
    if not 1 <= n <= MOST_ROWS:
        raise ValueError(f"from 1 to {MOST_ROWS:,} rows can be made, not {n:,}")
    rows = _rows(seed, titles)
    if seller:
        rows = (_resold(row, seller) for row in rows if row[_BARCODE])
    return islice(rows, n)


def write_feed(
    path: Path,
    n: int,
    seed: int,
    titles: Sequence[str] | None = None,
    progress: Progress | None = None,
    *,
    seller: int = 0,
) -> None:
    """Writes a feed of `n` rows: UTF-8 with BOM, header first. `progress` gets (done, all)."""
    rows = generate_rows(n, seed, titles, seller=seller)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        done = 0
        while batch := list(islice(rows, _PROGRESS_EVERY)):
            writer.writerows(batch)
            done += len(batch)
            if progress is not None:
                progress(done, n)


def read_titles(path: Path) -> list[str]:
    """The titles of a file with one a line; raises ValueError where it has none."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    titles = [line for line in lines if line]
    if not titles:
        raise ValueError(f"{path} has no titles")
    return titles


def _rows(seed: int, titles: Sequence[str] | None) -> Iterator[Row]:
    # Reproducible sampling, nothing secret.
    chance = random.Random(seed)  # noqa: S311
    kinds = _kinds_of(titles) if titles else _own_kinds()
    kind_table = _weighted(kinds, [kind.weight for kind in kinds], chance)
    brands = _brands(chance)
    brand_table = _weighted(
        brands, [1_000_000 // (rank + 8) for rank in range(len(brands))], chance
    )
    factors = _price_factors(chance)
    colours: list[str] = _vocabulary()["colours"]
    draw = chance.getrandbits
    product = 0
    while True:
        product += 1
        bits = draw(96)
        kind = kind_table[bits & _MASK]
        leaf = kind.leaf
        brand = brand_table[bits >> 12 & _MASK]
        glue = kind.glue
        title = (
            kind.heads[(bits >> 24 & 0xFFFF) % len(kind.heads)]
            + glue
            + kind.middles[(bits >> 40 & 0xFFFF) % len(kind.middles)]
            + glue
            + kind.tails[(bits >> 56 & 0xFFFF) % len(kind.tails)]
        )[:120]
        price = _shown_price(leaf.median_minor * factors[bits >> 72 & _MASK] // 1000)
        keywords = " ".join(
            leaf.keywords[(bits >> shift) % len(leaf.keywords)] for shift in (30, 50, 62)
        )
        code = f"P{product:07d}"
        # 39 of 256 products, 15%, have several SKUs.
        several = bits >> 84 & 0xFF
        first_spec = bits >> 8 & 0xFFFF
        coded = bits >> 92 < 3  # 3 of 16
        for number in range(1, 2 if several >= 39 else 3 + several % 3):
            spec_bits = draw(32)
            spec = kind.specs[(first_spec + number) % len(kind.specs)]
            if number > len(kind.specs):
                spec = f"{spec}/{colours[number]}"
            minor = price + (number - 1) * (price // 1000 * 100)
            above = minor * (1100 + (spec_bits & 0x1FF)) // 100_000 * 100
            stock = spec_bits >> 9 & 0x1FF
            yield (
                code, f"{code}-{number}", title, leaf.path, brand, spec,
                f"{above // 100}.{above % 100:02d}" if above > minor else "",
                f"{minor // 100}.{minor % 100:02d}", str(stock if stock > 11 else 0), leaf.unit,
                keywords, "", "", "", leaf.tax_code,
                _barcode(seed, product, number) if coded else "",
            )  # fmt: skip


def _barcode(seed: int, product: int, number: int) -> str:
    """An EAN-13 of the range for use inside a company (20–29), so that it is nobody's."""
    digits = f"2{seed % 1000:03d}{product % 10_000_000:07d}{number % 10}"
    weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighed % 10}"


def _resold(row: Row, seller: int) -> Row:
    """A row as another seller has it: from 10% less to 10% more, in steps of its own."""
    cells = list(row)
    chance = (int(row[_BARCODE]) * (seller * 2 + 1) >> 3) % 21
    minor = int(row[_PRICE].replace(".", ""))
    own = max(minor * (90 + chance) // 100 // 10 * 10, 100)
    cells[_PRODUCT], cells[_SKU] = f"S{seller}-{row[_PRODUCT]}", f"S{seller}-{row[_SKU]}"
    cells[_PRICE], cells[_LIST_PRICE] = f"{own // 100}.{own % 100:02d}", ""
    cells[_STOCK] = str((int(row[_STOCK]) * 7 + chance) % 300)
    return tuple(cells)


def _shown_price(minor: int) -> int:
    """A price as shops end them: .00 from 100 yuan up, .90 from 10, else two free decimals."""
    if minor >= 10_000:
        return minor // 100 * 100
    return minor // 100 * 100 + 90 if minor >= 1_000 else max(minor, 190)


def _price_factors(chance: random.Random) -> list[int]:
    """What the median is multiplied with, in thousandths: log-normal, sigma 0.75."""
    return [max(60, round(1000 * math.exp(chance.gauss(0, 0.75)))) for _ in range(_TABLE)]


def _weighted(choices: Sequence[T], weights: Sequence[int], chance: random.Random) -> list[T]:
    """A table in which each choice stands about as often as its weight says."""
    return chance.choices(choices, weights, k=_TABLE)


def _brands(chance: random.Random) -> list[str]:
    """Some hundreds of invented names, in the order of how much they sell."""
    words = _vocabulary()
    names = [first + second for first in words["brand_first"] for second in words["brand_second"]]
    chance.shuffle(names)
    return names


@cache
def _vocabulary() -> dict[str, Any]:
    text = files("merchants.feeds").joinpath("vocabulary.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _leaves() -> dict[str, tuple[_Leaf, tuple[str, ...]]]:
    """Each leaf category by key, with the words by which a title is known to be of it."""
    tree = json.loads(files("shop").joinpath("categories.json").read_text(encoding="utf-8"))
    words = _vocabulary()["leaves"]
    leaves = {}
    for top in tree["categories"]:
        for child in top["children"]:
            own = words.get(child["key"], {})
            leaf = _Leaf(
                path=f"{top['name']} > {child['name']}",
                unit=child["unit"],
                tax_code=child["tax_code"],
                median_minor=own.get("median_minor", 5_900),
                keywords=tuple(own.get("keywords", ())) or (child["name"],),
                specs=tuple(own.get("specs", ())) or ("标准款",),
            )
            names = [child["name"], *child["aliases"], *own.get("keywords", ())]
            leaves[child["key"]] = leaf, tuple(name for name in names if len(name) > 1)
    return leaves


def _own_kinds() -> list[_Kind]:
    """One kind a leaf category, of the project's own words."""
    words = _vocabulary()
    kinds = []
    leaves = sorted(words["leaves"].items(), key=lambda item: (-len(item[1]["products"]), item[0]))
    for rank, (key, own) in enumerate(leaves):
        leaf, _ = _leaves()[key]
        tails = tuple(f"{one} {other}" for one in own["modifiers"] for other in words["endings"])
        kinds.append(
            _Kind(
                leaf=leaf,
                heads=tuple(words["openings"]),
                middles=tuple(own["products"]),
                tails=tails,
                specs=leaf.specs,
                glue=" ",
                # Zipf, the leaves with the most products first.
                weight=10_000 // (rank + 3),
            )
        )
    return kinds


def _kinds_of(titles: Sequence[str]) -> list[_Kind]:
    """Groups the titles by the most telling piece of text that they share, and cuts them."""
    pieces = [_pieces(title) for title in titles]
    counts = Counter(chain.from_iterable(pieces))
    # A piece that too few titles share says nothing, and nor does one of a twelfth of them all.
    most = max(_MOST_KIND, len(titles) // 12)
    common = {piece: count for piece, count in counts.items() if _LEAST_KIND <= count <= most}
    groups: dict[str, list[str]] = {}
    for title, own in zip(titles, pieces, strict=True):
        known = max(own & common.keys(), key=lambda piece: (common[piece], piece), default="")
        groups.setdefault(known, []).append(title)
    return [_kind(group) for _, group in sorted(groups.items())]


def _pieces(title: str) -> set[str]:
    """Every three Chinese characters that stand together: sizes and models say no kind."""
    return {
        run[start : start + 3] for run in _CHINESE.findall(title) for start in range(len(run) - 2)
    }


def _kind(group: Sequence[str]) -> _Kind:
    heads, middles, tails, specs = [], [], [], []
    votes: Counter[str] = Counter()
    for title in group[:_VOTERS]:
        votes.update(_leaf_keys(title))
    for title in group:
        core, _, spec = title.rpartition(" ")
        if not core:
            core, spec = title, ""
        words = rjieba.cut(core)
        first, second = max(1, len(words) // 3), max(2, len(words) * 2 // 3)
        heads.append("".join(words[:first])[:40])
        middles.append("".join(words[first:second])[:40])
        tails.append("".join(words[second:])[:40])
        specs.append(spec[:60])
    keys = sorted(votes, key=lambda key: (-votes[key], key)) or ["other.misc"]
    leaf, _ = _leaves()[keys[0]]
    named = tuple(dict.fromkeys(spec for spec in specs if spec))
    return _Kind(
        leaf=leaf,
        heads=tuple(heads),
        middles=tuple(middles),
        tails=tuple(tails),
        specs=named or leaf.specs,
        glue="",
        weight=len(group),
    )


@cache
def _leaf_words() -> dict[str, str]:
    return {word: key for key, (_, names) in _leaves().items() for word in names}


def _leaf_keys(title: str) -> Iterator[str]:
    """The leaf categories whose words of two to four characters the title contains."""
    words = _leaf_words()
    for length in (4, 3, 2):
        for start in range(len(title) - length + 1):
            key = words.get(title[start : start + length])
            if key is not None:
                yield from (key,) * length
