"""Draws soft, clay-like shapes with Pillow: what `drawn_objects` is made of.

A silhouette gets its volume by light: lighter where the light from above falls, darker along the
lower edge.
"""

import math
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 256
_SCALE = 2
Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)
CREAM: Colour = (250, 243, 230)
STEEL: Colour = (196, 202, 214)
DARK: Colour = (74, 70, 92)
BLUE: Colour = (92, 148, 240)
SKY: Colour = (150, 190, 248)
TEAL: Colour = (72, 178, 170)
CORAL: Colour = (240, 112, 98)
AMBER: Colour = (246, 184, 74)
BROWN: Colour = (164, 110, 74)
GREEN: Colour = (104, 176, 96)


def mix(one: Colour, other: Colour, percent: int) -> Colour:
    """`percent` of the second colour in the first."""
    red, green, blue = (
        (a * (100 - percent) + b * percent) // 100 for a, b in zip(one, other, strict=True)
    )
    return red, green, blue


class Sheet:
    """A transparent sheet of 256 units, drawn at twice that for smooth edges."""

    def __init__(self) -> None:
        side = SIZE * _SCALE
        self.image = Image.new("RGBA", (side, side))

    def clay(self, mask: Image.Image, colour: Colour, *, gloss: int = 46) -> None:
        """Lays a silhouette in clay on the sheet; `gloss` is the share of the light in percent."""
        self.image.alpha_composite(_clay(mask, colour, gloss))

    def rounded(
        self, box: tuple[float, float, float, float], radius: float, colour: Colour, gloss: int = 46
    ) -> None:
        mask, draw = _blank()
        draw.rounded_rectangle([side * _SCALE for side in box], radius * _SCALE, fill=255)
        self.clay(mask, colour, gloss=gloss)

    def ellipse(
        self, box: tuple[float, float, float, float], colour: Colour, gloss: int = 46
    ) -> None:
        mask, draw = _blank()
        draw.ellipse([side * _SCALE for side in box], fill=255)
        self.clay(mask, colour, gloss=gloss)

    def polygon(
        self, points: Sequence[Point], colour: Colour, *, soften: float = 8, gloss: int = 46
    ) -> None:
        """A polygon whose corners are rounded by about `soften` units."""
        mask, draw = _blank()
        draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=255)
        self.clay(_softened(mask, soften), colour, gloss=gloss)

    def line(self, points: Sequence[Point], width: float, colour: Colour, gloss: int = 46) -> None:
        mask, draw = _blank()
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        draw.line(scaled, fill=255, width=round(width * _SCALE), joint="curve")
        radius = width * _SCALE / 2
        for x, y in (scaled[0], scaled[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        self.clay(mask, colour, gloss=gloss)

    def stroke(self, points: Sequence[Point], width: float, colour: Colour, alpha: int) -> None:
        """A flat line: a seam, a crease."""
        layer = Image.new("RGBA", self.image.size)
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        ImageDraw.Draw(layer).line(
            scaled, fill=(*colour, alpha), width=round(width * _SCALE), joint="curve"
        )
        layer.putalpha(ImageChops.multiply(layer.getchannel("A"), self.image.getchannel("A")))
        self.image.alpha_composite(layer)

    def finished(self, turn: float = 0) -> Image.Image:
        """The object at 256 × 256, turned by `turn` degrees."""
        image = self.image.rotate(turn, Image.Resampling.BICUBIC) if turn else self.image
        return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (SIZE * _SCALE, SIZE * _SCALE))
    return mask, ImageDraw.Draw(mask)


def _softened(mask: Image.Image, radius: float) -> Image.Image:
    blurred = mask.filter(ImageFilter.GaussianBlur(radius * _SCALE))
    return blurred.point([0] * 116 + [(i * 255) // 23 for i in range(24)] + [255] * 116)


def _clay(mask: Image.Image, colour: Colour, gloss: int) -> Image.Image:
    side = mask.size[0]
    light, shade = mix(colour, WHITE, 34), mix(colour, (70, 40, 110), 30)
    gradient = Image.linear_gradient("L").rotate(-18, expand=False).resize(mask.size)
    body = Image.composite(
        Image.new("RGB", mask.size, mix(colour, (60, 40, 110), 12)),
        Image.new("RGB", mask.size, mix(colour, WHITE, 14)),
        gradient,
    )
    reach = side // 40
    soft = mask.filter(ImageFilter.GaussianBlur(side // 36))
    lit = ImageChops.multiply(mask, ImageChops.invert(ImageChops.offset(soft, reach, reach)))
    dim = ImageChops.multiply(mask, ImageChops.invert(ImageChops.offset(soft, -reach, -reach)))
    body.paste(
        light,
        mask=lit.point(
            [level * gloss * 2 // 100 for level in range(128)]
            + [min(255, level * gloss * 2 // 100) for level in range(128, 256)]
        ),
    )
    body.paste(shade, mask=dim.point([level * 62 // 100 for level in range(256)]))
    body.putalpha(mask)
    return body


def pillowed(left: float, top: float, right: float, bottom: float, bow: float) -> list[Point]:
    """An outline with four pointed corners and sides bowed in by `bow` units."""
    points: list[Point] = []
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    inward = [(0, 1), (-1, 0), (0, -1), (1, 0)]
    for place, (start, way) in enumerate(zip(corners, inward, strict=True)):
        end = corners[(place + 1) % 4]
        for step in range(24):
            part = step / 24
            dent = bow * math.sin(math.pi * part)
            points.append(
                (
                    start[0] + (end[0] - start[0]) * part + way[0] * dent,
                    start[1] + (end[1] - start[1]) * part + way[1] * dent,
                )
            )
    return points
