"""Product pictures: all there, the same every time, made again only when they changed."""

from pathlib import Path

import pytest
from PIL import Image

from app.demo.catalogue.definitions import ProductDefinition, load_products
from app.demo.colours import recoloured, tone_of
from app.demo.drawn_objects import DRAWN
from app.demo.pictures import (
    DEFAULT_OBJECTS_DIR,
    Picture,
    category_picture,
    compose_object_icons,
    compose_product_pictures,
    composed,
    object_files,
    picture_of,
)

NOWHERE = Path("no-such-folder")


def _product(key: str) -> ProductDefinition:
    return next(product for product in load_products() if product.key == key)


def test_every_object_is_in_the_package() -> None:
    if not DEFAULT_OBJECTS_DIR.exists():
        pytest.skip(f"{DEFAULT_OBJECTS_DIR} is absent: run `npm ci` in frontend/")
    there = {path.stem for path in DEFAULT_OBJECTS_DIR.glob("*.webp")}
    assert {name: file for name, file in object_files().items() if file not in there} == {}


def test_no_object_name_is_both_drawn_and_packed() -> None:
    assert object_files().keys() & DRAWN.keys() == set()


def test_drawn_objects_fill_their_field() -> None:
    for name, draw in DRAWN.items():
        image = draw()
        assert image.size == (256, 256), name
        box = image.getchannel("A").getbbox()
        assert box is not None, name
        assert max(box[2] - box[0], box[3] - box[1]) >= 180, name


def test_a_set_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    product = _product("thermos-500")
    seen: list[tuple[int, int]] = []

    def progress(done: int, due: int) -> None:
        seen.append((done, due))

    names = compose_product_pictures([product], NOWHERE, tmp_path, progress)
    assert "No picture objects in no-such-folder" in capsys.readouterr().err
    assert names.keys() == {sku.key for sku in product.skus}
    # Three colours in three sizes: three pictures.
    assert set(names.values()) == {f"thermos-500-0{number}.webp" for number in (1, 2, 3)}
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for name in set(names.values()):
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size, image.mode) == ("WEBP", (480, 480), "RGB")
        assert 1_500 <= (tmp_path / name).stat().st_size <= 16_000

    times = {name: (tmp_path / name).stat().st_mtime_ns for name in names.values()}
    seen.clear()
    assert compose_product_pictures([product], NOWHERE, tmp_path, progress) == names
    assert seen == []
    assert times == {name: (tmp_path / name).stat().st_mtime_ns for name in names.values()}

    (tmp_path / "thermos-500-02.webp").unlink()
    compose_product_pictures([product], NOWHERE, tmp_path, progress)
    assert seen == [(1, 1)]


def test_the_same_pixels_every_time() -> None:
    product = _product("iron-wok")
    picture = picture_of(product, product.skus[0])
    assert composed(picture, NOWHERE).tobytes() == composed(picture, NOWHERE).tobytes()


def test_packs_show_more_than_one_and_sizes_do_not() -> None:
    towel, wok = _product("longstaple-towel"), _product("iron-wok")
    assert [picture_of(towel, sku).count for sku in towel.skus] == [1, 1, 2, 2, 3, 3]
    assert {picture_of(wok, sku).count for sku in wok.skus} == {1}


@pytest.mark.parametrize(
    ("text", "same_as"), [("雾霾蓝", "雾霾蓝"), ("深墨绿色", "墨绿"), ("酒红", "酒红")]
)
def test_the_longest_colour_word_counts(text: str, same_as: str) -> None:
    assert tone_of(text) == tone_of(same_as) != tone_of("绿")


def test_sizes_are_no_colours() -> None:
    assert tone_of("1.8米") is None
    assert tone_of("500ml") is None


def test_an_object_takes_the_colour() -> None:
    red = tone_of("红")
    assert red is not None
    blue = Image.new("RGBA", (40, 40), (60, 90, 220, 255))
    pixel = recoloured(blue, red).getpixel((20, 20))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 2 * pixel[1]
    assert pixel[0] > 2 * pixel[2]


def test_icons_are_transparent(tmp_path: Path) -> None:
    assert compose_object_icons(["thermos"], NOWHERE, tmp_path) == {
        "thermos": "objects/thermos.webp"
    }
    with Image.open(tmp_path / "objects/thermos.webp") as icon:
        assert (icon.size, icon.mode) == ((144, 144), "RGBA")
        assert icon.getchannel("A").getextrema() == (0, 255)


def test_goods_without_a_picture_get_their_categorys(tmp_path: Path) -> None:
    out = category_picture("quilt", "#ECE6F5", tmp_path / "quilt.webp", NOWHERE)
    with Image.open(out) as image:
        assert image.size == (480, 480)
        corner = image.convert("RGB").getpixel((4, 476))
    assert isinstance(corner, tuple)
    assert all(abs(a - b) <= 6 for a, b in zip(corner, (0xEC, 0xE6, 0xF5), strict=True))


def test_an_unknown_object_is_refused() -> None:
    with pytest.raises(KeyError, match="hovercraft"):
        composed(Picture("hovercraft", "#FFFFFF", None, 1, 0), NOWHERE)
