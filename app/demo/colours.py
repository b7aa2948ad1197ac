"""Colour words of SKUs (“雾蓝”, “酒红”) and how a picture's object takes such a colour."""

from dataclasses import dataclass

from PIL import Image, ImageChops

_CIRCLE = 256


@dataclass(frozen=True, slots=True)
class Tone:
    """A colour: its hue on Pillow's circle of 256, saturation and value in percent.

    An object takes it in the middle; its lights and shades stay about it.
    """

    hue: int
    saturation: int
    value: int


_RED, _ORANGE, _YELLOW, _GREEN, _TEAL, _BLUE, _VIOLET, _PINK = 252, 18, 32, 88, 122, 152, 188, 236

# Longer words stand before the characters that they contain.
_TONES: tuple[tuple[str, Tone], ...] = (
    ("墨绿", Tone(100, 63, 56)), ("苔绿", Tone(62, 44, 65)), ("豆绿", Tone(80, 31, 83)),
    ("薄荷", Tone(112, 41, 92)), ("梅子青", Tone(100, 30, 81)), ("军绿", Tone(58, 44, 54)),
    ("藏蓝", Tone(160, 67, 50)), ("藏青", Tone(160, 67, 45)), ("雾蓝", Tone(150, 36, 83)),
    ("雾霾蓝", Tone(150, 30, 72)), ("冰川蓝", Tone(138, 37, 93)), ("靛", Tone(164, 59, 59)),
    ("天青", Tone(128, 31, 89)), ("天蓝", Tone(144, 59, 90)), ("湖蓝", Tone(134, 59, 85)),
    ("酒红", Tone(246, 67, 56)), ("砖红", Tone(6, 58, 72)), ("豆沙", Tone(250, 31, 77)),
    ("玫", Tone(236, 59, 83)), ("樱", Tone(240, 31, 93)), ("珊瑚", Tone(4, 50, 90)),
    ("香槟", Tone(22, 25, 92)), ("焦糖", Tone(16, 56, 68)), ("奶茶", Tone(18, 25, 81)),
    ("胡桃", Tone(14, 44, 47)), ("驼", Tone(20, 37, 74)), ("卡其", Tone(26, 30, 76)),
    ("咖", Tone(14, 44, 52)), ("棕", Tone(14, 49, 59)), ("原木", Tone(22, 37, 83)),
    ("燕麦", Tone(24, 15, 90)), ("奶白", Tone(26, 9, 95)), ("米白", Tone(26, 11, 94)),
    ("米色", Tone(26, 18, 90)),
    ("象牙", Tone(28, 10, 95)), ("月白", Tone(150, 7, 96)),
    ("杏", Tone(20, 25, 92)),
    ("芥末", Tone(32, 59, 79)), ("金", Tone(30, 55, 86)), ("银", Tone(160, 4, 83)),
    ("深灰", Tone(160, 6, 50)), ("浅灰", Tone(160, 4, 89)), ("灰", Tone(160, 6, 70)),
    ("白", Tone(150, 4, 96)), ("黑", Tone(170, 13, 32)), ("墨", Tone(165, 18, 38)),
    ("粉", Tone(_PINK, 44, 92)), ("红", Tone(_RED, 70, 85)), ("橙", Tone(_ORANGE, 70, 90)),
    ("橘", Tone(_ORANGE, 70, 90)), ("黄", Tone(_YELLOW, 68, 90)), ("绿", Tone(_GREEN, 46, 74)),
    ("青", Tone(_TEAL, 44, 81)), ("蓝", Tone(_BLUE, 62, 86)), ("紫", Tone(_VIOLET, 47, 83)),
    ("透明", Tone(140, 15, 94)), ("紫泥", Tone(10, 49, 56)), ("段泥", Tone(24, 41, 79)),
    ("朱泥", Tone(6, 64, 74)),
)  # fmt: skip
# What a product without a colour word may turn to, so that equal objects differ in a listing.
PALETTE = (
    Tone(_BLUE, 54, 90), Tone(_TEAL, 44, 80), Tone(6, 52, 88), Tone(_VIOLET, 36, 88),
    Tone(28, 54, 93), Tone(104, 41, 79), Tone(_PINK, 34, 92), Tone(140, 46, 88),
)  # fmt: skip


def tone_of(text: str) -> Tone | None:
    """The tone of the longest colour word in the text, or None where it names no colour."""
    found = [(len(word), -place, tone) for place, (word, tone) in enumerate(_TONES) if word in text]
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def recoloured(image: Image.Image, tone: Tone) -> Image.Image:
    """The object with its main colour turned to the tone; other parts keep theirs."""
    rgb = image.convert("RGB")
    alpha = image.getchannel("A")
    hue, saturation, value = rgb.convert("HSV").split()
    solid = ImageChops.multiply(alpha, saturation).point([0] * 60 + [255] * 196)
    if _area(solid) * 5 < _area(alpha.point([0] * 128 + [255] * 128)):
        # A grey thing has no main colour; it takes the tone as a whole, like paint.
        where = alpha
        painted = hue.point([tone.hue] * _CIRCLE)
        strength = saturation.point([tone.saturation * 255 // 100] * _CIRCLE)
    else:
        centre = _main_hue(hue, solid)
        near = hue.point([_nearness(level, centre) for level in range(_CIRCLE)])
        strong = saturation.point([min(255, max(0, (at - 22) * 5)) for at in range(_CIRCLE)])
        where = ImageChops.multiply(ImageChops.multiply(near, strong), alpha)
        painted = hue.point(
            [(tone.hue + _offset(at, centre) // 2) % _CIRCLE for at in range(_CIRCLE)]
        )
        strength = _moved(saturation, where, tone.saturation * 255 // 100, spread=60)
    level = _moved(value, where, tone.value * 255 // 100, spread=85)
    turned = Image.merge("HSV", (painted, strength, level)).convert("RGB")
    result = Image.composite(turned, rgb, where)
    result.putalpha(alpha)
    return result


def _moved(channel: Image.Image, where: Image.Image, target: int, spread: int) -> Image.Image:
    """The channel with its mean inside `where` at `target`, `spread` percent of its contrast."""
    counts = channel.histogram(where.point([0] * 128 + [255] * 128))
    total = sum(counts) or 1
    mean = sum(level * count for level, count in enumerate(counts)) // total
    most = target + min((255 - target) * 7 // 10, target // 4 + 12)
    contrast = spread * min(target, mean)
    return channel.point(
        [
            max(0, min(most, target + (level - mean) * contrast // (100 * max(mean, 1))))
            for level in range(_CIRCLE)
        ]
    )


def _offset(level: int, centre: int) -> int:
    """How far round the circle, from -128 to 127."""
    return (level - centre + 128) % _CIRCLE - 128


def _nearness(level: int, centre: int) -> int:
    """255 within 34 of the centre, falling to 0 at 50."""
    return max(0, min(255, (50 - abs(_offset(level, centre))) * 16))


def _main_hue(hue: Image.Image, solid: Image.Image) -> int:
    """The hue that most of the well-coloured area shows."""
    counts = hue.histogram(solid)
    return max(
        range(_CIRCLE),
        key=lambda centre: sum(counts[(centre + step) % _CIRCLE] for step in range(-14, 15)),
    )


def _area(mask: Image.Image) -> int:
    return mask.histogram()[255]
