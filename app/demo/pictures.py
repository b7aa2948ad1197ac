"""Composes the pictures of the demo products: an object on the soft tint of its category.

Objects are those of the npm package `@lobehub/fluent-emoji-3d` (MIT), under readable names by
`objects.json`, and those that `drawn_objects` adds. SKUs differ in colour, number and arrangement,
always the same for the same SKU.
"""

import json
import multiprocessing
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFilter

from app.demo.catalogue.definitions import ProductDefinition, SkuDefinition
from app.demo.colours import PALETTE, Tone, recoloured, tone_of
from app.demo.drawn_objects import DRAWN

DEFAULT_OBJECTS_DIR = Path("frontend/node_modules/@lobehub/fluent-emoji-3d/assets")
SIDE = 480
ICON_SIDE = 144
# Changes of the composition change every picture; the digest of each one begins with this.
_EDITION = "2"
_OBJECT_SIDE = 284
_MANIFEST = "pictures.json"
_WORKERS = 2
# Drawn objects take any colour but these, which look right in their own.
_DRAWN_RECOLOUR = {
    "board": "never",
    "massager": "named",
    "body-scale": "named", "spatula": "never", "steamer": "never", "oil-bottle": "never",
    "wine-bottle": "named", "pan": "never", "kettle": "named", "rice-cooker": "named",
    "vacuum": "named", "fan": "named", "rug": "named", "pouch": "free", "lamp": "named",
}  # fmt: skip
# What makes a value of a SKU a pack: a count of things, not a weight or a size.
_PACK = re.compile(
    r"(?:\d+|[一二两三四五六八十])(?:条|只|双|支|盒|件|瓶|罐|袋|片|个|包|枚|提|杯|束|盆|头|球|入|把|卷|对)"
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """All that decides how one picture looks. `count` is of objects, 1 to 3."""

    object: str
    tint: str
    tone: Tone | None
    count: int
    draw: int


@cache
def _objects() -> dict[str, dict[str, str]]:
    text = files("app.demo").joinpath("objects.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return table


@cache
def object_files() -> dict[str, str]:
    """The emoji objects in use: readable name → file name without suffix."""
    return {name: entry["file"] for name, entry in _objects().items()}


def _recolour(name: str) -> str:
    """`free` takes any colour, `named` only one that the SKU or product names, or `never`."""
    return _objects()[name]["recolour"] if name in _objects() else _DRAWN_RECOLOUR.get(name, "free")


def known_objects() -> frozenset[str]:
    """Every name that a product or category may give as its object."""
    return frozenset(object_files().keys() | DRAWN.keys())


def compose_product_pictures(
    products: Sequence[ProductDefinition],
    objects_dir: Path,
    out_dir: Path,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Makes the missing and changed pictures; returns the file name of every SKU key.

    SKUs that look the same (two sizes of one colour) share a file. `progress` is called with
    pictures done and pictures to do. Without the objects package plain shapes are drawn, and
    standard error says so.
    """
    if not _objects_present(objects_dir):
        _warn(objects_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    wanted: dict[str, Picture] = {}
    for product in products:
        seen: dict[Picture, str] = {}
        for sku in product.skus:
            picture = picture_of(product, sku)
            names[sku.key] = seen.setdefault(picture, f"{sku.key}.webp")
            wanted[names[sku.key]] = picture
    _make(wanted, objects_dir, out_dir, progress)
    return names


def compose_object_icons(
    objects: Sequence[str], objects_dir: Path, out_dir: Path
) -> dict[str, str]:
    """Makes `objects/{object}.webp` under `out_dir`: 144 × 144, transparent, by object name."""
    names = {name: f"objects/{name}.webp" for name in objects}
    (out_dir / "objects").mkdir(parents=True, exist_ok=True)
    present = _objects_present(objects_dir)
    digests = {file: _digest(name, present) for name, file in names.items()}
    due = set(_due(out_dir, digests))
    for name, file in names.items():
        if file not in due:
            continue
        icon = _fitted(_object(name, objects_dir), ICON_SIDE - 8)
        icon.thumbnail((ICON_SIDE, ICON_SIDE), Image.Resampling.LANCZOS)
        sheet = Image.new("RGBA", (ICON_SIDE, ICON_SIDE))
        sheet.alpha_composite(icon, ((ICON_SIDE - icon.width) // 2, (ICON_SIDE - icon.height) // 2))
        _save(sheet, out_dir / file)
    _remember(out_dir, digests)
    return names


def category_picture(
    object: str, tint: str, out: Path, objects_dir: Path = DEFAULT_OBJECTS_DIR
) -> Path:
    """The picture for goods that came without one: their category's object on its tint."""
    _save(composed(Picture(object, tint, None, 1, 0), objects_dir), out)
    return out


def picture_of(product: ProductDefinition, sku: SkuDefinition) -> Picture:
    """How this SKU is shown: its colour, and two or three objects for sets."""
    seed = zlib.crc32(product.key.encode())
    mode, tone = _recolour(product.object), None
    if mode != "never":
        values = [value for _, value in reversed(sku.attributes)]
        tone = next(filter(None, map(tone_of, [*values, product.leaning])), None)
        if tone is None and mode == "free":
            tone = PALETTE[seed % len(PALETTE)]
    return Picture(product.object, product.leaf.tint, tone, _count(product, sku), seed)


def _count(product: ProductDefinition, sku: SkuDefinition) -> int:
    """One object for the smallest pack, two for the next, three for any bigger one."""
    for place, (_, value) in enumerate(sku.attributes):
        if _PACK.search(value):
            packs = dict.fromkeys(other.attributes[place][1] for other in product.skus)
            return min(3, list(packs).index(value) + 1)
    return 1


def _make(
    wanted: dict[str, Picture], objects_dir: Path, out_dir: Path, progress: Progress | None
) -> None:
    present = _objects_present(objects_dir)
    digests = {name: _digest(repr(astuple(it)), present) for name, it in wanted.items()}
    due = [(wanted[name], objects_dir, out_dir / name) for name in _due(out_dir, digests)]
    for done, _ in enumerate(_worked(due), start=1):
        if progress is not None:
            progress(done, len(due))
    _remember(out_dir, digests)


def _manifest_of(out_dir: Path) -> dict[str, str]:
    path = out_dir / _MANIFEST
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept


def _due(out_dir: Path, digests: dict[str, str]) -> list[str]:
    """The files that are missing or were made of something else."""
    manifest = _manifest_of(out_dir)
    return [
        file
        for file, digest in digests.items()
        if manifest.get(file) != digest or not (out_dir / file).exists()
    ]


def _remember(out_dir: Path, digests: dict[str, str]) -> None:
    kept = _manifest_of(out_dir) | digests
    beside = out_dir / f".{_MANIFEST}.part"
    beside.write_text(json.dumps(kept, indent=0, sort_keys=True), encoding="utf-8")
    beside.replace(out_dir / _MANIFEST)


def _worked(due: list[tuple[Picture, Path, Path]]) -> Iterator[None]:
    if len(due) < 24:
        yield from map(_compose_one, due)
        return
    with multiprocessing.get_context("spawn").Pool(_WORKERS) as pool:
        yield from pool.imap_unordered(_compose_one, due, chunksize=16)


def _compose_one(job: tuple[Picture, Path, Path]) -> None:
    picture, objects_dir, out = job
    _save(composed(picture, objects_dir), out)


def _digest(what: str, present: bool) -> str:
    return sha256(repr((_EDITION, present, what)).encode()).hexdigest()[:16]


def _objects_present(objects_dir: Path) -> bool:
    return (objects_dir / f"{object_files()['mooncake']}.webp").exists()


def _warn(objects_dir: Path) -> None:
    print(  # noqa: T201 (a build step speaks on standard error)
        f"\n*** No picture objects in {objects_dir}: run `npm ci` in frontend/ first."
        "\n*** Product pictures are drawn as plain shapes instead.\n",
        file=sys.stderr,
    )


def composed(picture: Picture, objects_dir: Path) -> Image.Image:
    """The finished picture, 480 × 480, opaque."""
    item = _toned(picture.object, picture.tone, objects_dir)
    layer = Image.new("RGBA", (SIDE, SIDE))
    for placed, left, top in _arranged(item, picture):
        layer.alpha_composite(placed, (max(0, left), max(0, top)))
    ground = _ground(picture.tint, picture.draw)
    shadow = _shadow(layer.getchannel("A"), picture.tint)
    ground.alpha_composite(shadow)
    ground.alpha_composite(layer)
    return ground.convert("RGB")


def _arranged(item: Image.Image, picture: Picture) -> Iterator[tuple[Image.Image, int, int]]:
    """Each copy of the object with its left and top, the hindmost first."""
    lean = picture.draw // 7 % 9 - 4
    layouts: dict[int, tuple[tuple[int, int, int, int], ...]] = {
        1: ((_OBJECT_SIDE, 240, 232, lean),),
        2: ((222, 310, 208, 8), (236, 180, 250, -6)),
        3: ((190, 240, 168, 0), (198, 152, 280, -8), (198, 330, 280, 8)),
    }
    for side, x, y, turn in layouts[picture.count]:
        copy = _fitted(item, side)
        if turn:
            copy = copy.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        yield copy, x - copy.width // 2, y - copy.height // 2


def _fitted(item: Image.Image, side: int) -> Image.Image:
    """Cropped to what is visible and scaled so that the longer side, or most of it, is `side`."""
    box = item.getchannel("A").getbbox() or (0, 0, item.width, item.height)
    cut = item.crop(box)
    # A long thin thing may be a little longer, or it would look smaller than a round one.
    longest, shortest = max(cut.size), min(cut.size)
    reach = side + side * (longest - shortest) // longest // 8
    size = (max(1, cut.width * reach // longest), max(1, cut.height * reach // longest))
    return cut.resize(size, Image.Resampling.LANCZOS)


def _ground(tint: str, draw: int) -> Image.Image:
    """The category's tint, a breath lighter where the light falls."""
    red, green, blue = ImageColor.getrgb(tint)[:3]
    breath = draw // 11 % 7 - 3
    base = tuple(max(0, min(255, part + breath)) for part in (red, green, blue))
    ground = Image.new("RGB", (SIDE, SIDE), base)
    light = Image.linear_gradient("L").resize((SIDE, SIDE))
    ground.paste((255, 255, 255), mask=light.point([(255 - at) * 48 // 255 for at in range(256)]))
    return ground.convert("RGBA")


def _shadow(alpha: Image.Image, tint: str) -> Image.Image:
    """A soft shadow below the object, in a deep shade of the tint."""
    red, green, blue = ImageColor.getrgb(tint)[:3]
    shade = (red * 42 // 100, green * 36 // 100, blue * 44 // 100)
    quarter = alpha.resize((SIDE // 4, SIDE // 4), Image.Resampling.BOX)
    wide = Image.new("L", quarter.size)
    wide.paste(quarter, (0, 7))
    wide = wide.filter(ImageFilter.GaussianBlur(6)).point(
        [level * 40 // 100 for level in range(256)]
    )
    result = Image.new("RGBA", (SIDE, SIDE), shade)
    result.putalpha(wide.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return result


@lru_cache(maxsize=64)
def _toned(name: str, tone: Tone | None, objects_dir: Path) -> Image.Image:
    item = _object(name, objects_dir)
    return item if tone is None else recoloured(item, tone)


@lru_cache(maxsize=256)
def _object(name: str, objects_dir: Path) -> Image.Image:
    if name in DRAWN:
        return DRAWN[name]()
    path = objects_dir / f"{object_files()[name]}.webp"
    if path.exists():
        return Image.open(path).convert("RGBA")
    return _plain_shape(name)


def _plain_shape(name: str) -> Image.Image:
    """A rounded tile in a colour of the name, where the objects package is absent."""
    hue = zlib.crc32(name.encode()) % 360
    shape = Image.new("RGBA", (256, 256))
    ImageDraw.Draw(shape).rounded_rectangle((28, 28, 228, 228), 62, fill=f"hsl({hue}, 55%, 68%)")
    return shape


def _save(image: Image.Image, out: Path) -> None:
    """Writes beside and renames, so that a reader never sees half a picture."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.part")
    image.save(beside, "WEBP", quality=90, method=4)
    beside.replace(out)
