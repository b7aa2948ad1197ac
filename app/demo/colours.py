"""Colour words of SKUs (“雾蓝”, “酒红”) and how a picture's object takes such a colour."""

from dataclasses import dataclass

from PIL import Image, ImageChops

_CIRCLE = 256


@dataclass(frozen=True, slots=True)
class Tone:
    """Where a colour lies: hue on Pillow's circle of 256, strength and lightness in percent.

    `lift` moves the values towards white by so many percent, `saturation` and `value` scale.
    """

    hue: int
    saturation: int = 100
    value: int = 100
    lift: int = 0


_RED, _ORANGE, _YELLOW, _GREEN, _TEAL, _BLUE, _VIOLET, _PINK = 252, 18, 32, 88, 122, 152, 188, 236

# Longer words stand before the characters that they contain.
_TONES: tuple[tuple[str, Tone], ...] = (
    ("墨绿", Tone(100, 85, 62)), ("苔绿", Tone(62, 60, 72)), ("豆绿", Tone(80, 42, 92)),
    ("薄荷", Tone(112, 55, 100, 20)), ("梅子青", Tone(100, 40, 90)), ("军绿", Tone(58, 60, 60)),
    ("藏蓝", Tone(160, 90, 55)), ("藏青", Tone(160, 90, 50)), ("雾蓝", Tone(150, 48, 92)),
    ("雾霾蓝", Tone(150, 40, 80)), ("冰川蓝", Tone(138, 50, 100, 24)), ("靛", Tone(164, 80, 66)),
    ("天青", Tone(128, 42, 96, 14)), ("天蓝", Tone(144, 80, 100)), ("湖蓝", Tone(134, 80, 94)),
    ("酒红", Tone(246, 90, 62)), ("砖红", Tone(6, 78, 80)), ("豆沙", Tone(250, 42, 86)),
    ("玫", Tone(236, 80, 92)), ("樱", Tone(240, 42, 100, 22)), ("珊瑚", Tone(4, 68, 100)),
    ("香槟", Tone(22, 34, 100, 16)), ("焦糖", Tone(16, 76, 76)), ("奶茶", Tone(18, 34, 90)),
    ("胡桃", Tone(14, 60, 52)), ("驼", Tone(20, 50, 82)), ("卡其", Tone(26, 40, 84)),
    ("咖", Tone(14, 60, 58)), ("棕", Tone(14, 66, 66)), ("原木", Tone(22, 50, 92)),
    ("燕麦", Tone(24, 20, 98, 12)), ("奶白", Tone(26, 12, 100, 40)), ("米", Tone(26, 15, 100, 34)),
    ("象牙", Tone(28, 14, 100, 40)), ("月白", Tone(150, 10, 100, 44)),
    ("杏", Tone(20, 34, 100, 18)),
    ("芥末", Tone(32, 80, 88)), ("金", Tone(30, 74, 96)), ("银", Tone(160, 6, 92)),
    ("深灰", Tone(160, 8, 56)), ("浅灰", Tone(160, 6, 96, 16)), ("灰", Tone(160, 8, 78)),
    ("白", Tone(150, 5, 100, 52)), ("黑", Tone(170, 18, 36)), ("墨", Tone(165, 24, 42)),
    ("粉", Tone(_PINK, 60, 100, 14)), ("红", Tone(_RED, 94, 94)), ("橙", Tone(_ORANGE, 95, 100)),
    ("橘", Tone(_ORANGE, 95, 100)), ("黄", Tone(_YELLOW, 92, 100)), ("绿", Tone(_GREEN, 76, 86)),
    ("青", Tone(_TEAL, 60, 90)), ("蓝", Tone(_BLUE, 84, 96)), ("紫", Tone(_VIOLET, 64, 92)),
    ("透明", Tone(140, 20, 100, 30)), ("紫泥", Tone(10, 66, 62)), ("段泥", Tone(24, 56, 88)),
    ("朱泥", Tone(6, 86, 82)),
)  # fmt: skip
# What a product without a colour word may turn to, so that equal objects differ in a listing.
PALETTE = (
    Tone(_BLUE, 84, 98), Tone(_TEAL, 66, 92), Tone(6, 70, 98), Tone(_VIOLET, 60, 96),
    Tone(30, 80, 100), Tone(104, 56, 88), Tone(_PINK, 56, 100), Tone(140, 74, 96),
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
    centre = _main_hue(hue, saturation, alpha)
    near = hue.point([_nearness(level, centre) for level in range(_CIRCLE)])
    strong = saturation.point([min(255, max(0, (level - 34) * 5)) for level in range(_CIRCLE)])
    turned = Image.merge("HSV", (
        hue.point([(tone.hue + _offset(level, centre) // 2) % _CIRCLE for level in range(_CIRCLE)]),
        saturation.point([min(255, level * tone.saturation // 100) for level in range(_CIRCLE)]),
        value.point([_lifted(level * tone.value // 100, tone.lift) for level in range(_CIRCLE)]),
    )).convert("RGB")  # fmt: skip
    result = Image.composite(turned, rgb, ImageChops.multiply(near, strong))
    result.putalpha(alpha)
    return result


def _lifted(level: int, lift: int) -> int:
    return min(255, level + (255 - level) * lift // 100)


def _offset(level: int, centre: int) -> int:
    """How far round the circle, from -128 to 127."""
    return (level - centre + 128) % _CIRCLE - 128


def _nearness(level: int, centre: int) -> int:
    """255 within 34 of the centre, falling to 0 at 50."""
    return max(0, min(255, (50 - abs(_offset(level, centre))) * 16))


def _main_hue(hue: Image.Image, saturation: Image.Image, alpha: Image.Image) -> int:
    """The hue that most of the well-coloured area shows."""
    solid = ImageChops.multiply(alpha, saturation).point([0] * 60 + [255] * 196)
    counts = hue.histogram(solid)
    return max(
        range(_CIRCLE),
        key=lambda centre: sum(counts[(centre + step) % _CIRCLE] for step in range(-14, 15)),
    )
