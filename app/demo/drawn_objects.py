"""Objects that the emoji set lacks (a pillow, a thermos, a rice cooker…), drawn in its soft look.

Each is a handful of shapes of `drawing.Sheet` on a field of 256 × 256 units.
"""

import math
from collections.abc import Callable, Sequence

from PIL import Image

from app.demo.drawing import (
    AMBER,
    BLUE,
    BROWN,
    CORAL,
    CREAM,
    DARK,
    GREEN,
    SKY,
    STEEL,
    TEAL,
    WHITE,
    Colour,
    Sheet,
    mix,
    pillowed,
)


def _pillow() -> Image.Image:
    sheet = Sheet()
    sheet.polygon(pillowed(18, 60, 238, 200, 7), (132, 172, 246), soften=12, gloss=60)
    sheet.stroke(pillowed(36, 76, 220, 184, 5), 2, BLUE, 70)
    sheet.stroke([(96, 120), (128, 130), (162, 122)], 3, BLUE, 46)
    return sheet.finished(7)


def _cushion() -> Image.Image:
    sheet = Sheet()
    sheet.polygon(pillowed(34, 34, 222, 222, 9), AMBER, soften=12, gloss=52)
    for corner in ((66, 66), (190, 66), (190, 190), (66, 190)):
        sheet.stroke([(128, 128), corner], 3, BROWN, 60)
    sheet.ellipse((116, 116, 140, 140), mix(AMBER, BROWN, 40))
    return sheet.finished(-6)


def _folded(colours: Sequence[Colour], height: int, width: int, top: int) -> Sheet:
    """A pile of folded cloth, from the bottom up."""
    sheet = Sheet()
    for number, colour in enumerate(colours):
        upper = top + height * (len(colours) - 1 - number)
        left = 128 - width / 2 + (number % 2) * 5
        box = (left, upper, left + width, upper + height + 8)
        sheet.rounded(box, height / 2.1, colour)
        sheet.stroke(
            [(left + 14, upper + height / 2 + 5), (left + width - 34, upper + height / 2 + 5)],
            3, mix(colour, (60, 40, 110), 40), 150,
        )  # fmt: skip
    return sheet


def _quilt() -> Image.Image:
    sheet = _folded([SKY, mix(SKY, WHITE, 30), SKY], 50, 206, 62)
    for x in (76, 116, 156):
        sheet.stroke([(x, 66), (x + 14, 112)], 2, BLUE, 110)
    sheet.rounded((174, 60, 196, 222), 8, CORAL)
    return sheet.finished()


def _towel() -> Image.Image:
    sheet = _folded([TEAL, mix(TEAL, WHITE, 36), mix(TEAL, WHITE, 14)], 44, 176, 70)
    for upper in (78, 166):
        sheet.stroke([(64, upper), (64, upper + 34)], 7, WHITE, 150)
        sheet.stroke([(78, upper), (78, upper + 34)], 3, WHITE, 150)
    return sheet.finished()


def _mattress() -> Image.Image:
    sheet = Sheet()
    sheet.polygon([(14, 138), (132, 190), (132, 226), (14, 172)], mix(SKY, DARK, 14), soften=4)
    sheet.polygon([(132, 190), (244, 128), (244, 162), (132, 226)], mix(SKY, DARK, 26), soften=4)
    sheet.polygon([(14, 136), (124, 78), (244, 126), (132, 190)], CREAM, soften=5)
    for part in (0.3, 0.5, 0.7):
        sheet.stroke(
            [(14 + 118 * part, 136 + 54 * part), (124 + 120 * part, 78 + 48 * part)],
            2, STEEL, 200,
        )  # fmt: skip
        sheet.stroke(
            [(14 + 110 * part, 136 - 58 * part), (132 + 112 * part, 190 - 64 * part)],
            2, STEEL, 200,
        )  # fmt: skip
    return sheet.finished()


def _thermos() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((104, 14, 152, 66), 13, mix(TEAL, DARK, 45))
    sheet.rounded((94, 54, 162, 84), 12, STEEL)
    sheet.rounded((82, 70, 174, 244), 24, TEAL)
    sheet.rounded((98, 92, 108, 214), 5, mix(TEAL, WHITE, 50), gloss=10)
    sheet.ellipse((122, 148, 150, 176), mix(TEAL, WHITE, 34), gloss=20)
    return sheet.finished(8)


def _bottle(glass: Colour, label: Colour, cap: Colour) -> Image.Image:
    sheet = Sheet()
    sheet.rounded((110, 10, 146, 52), 8, cap)
    outline = [
        (113, 40), (143, 40), (143, 84), (150, 104), (168, 126), (172, 142), (172, 246),
        (84, 246), (84, 142), (88, 126), (106, 104), (113, 84),
    ]  # fmt: skip
    sheet.polygon(outline, glass, soften=6)
    sheet.rounded((84, 154, 172, 216), 4, label, gloss=20)
    sheet.stroke([(102, 174), (154, 174)], 5, mix(label, glass, 60), 220)
    sheet.stroke([(102, 190), (138, 190)], 4, mix(label, glass, 45), 220)
    return sheet.finished(6)


def _pan() -> Image.Image:
    sheet = Sheet()
    sheet.line([(150, 148), (236, 232)], 22, BROWN)
    sheet.ellipse((14, 18, 196, 190), DARK)
    sheet.ellipse((32, 34, 178, 172), mix(DARK, (20, 18, 40), 45), gloss=14)
    sheet.ellipse((52, 50, 110, 84), mix(DARK, WHITE, 22), gloss=6)
    return sheet.finished()


def _rice_cooker() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((62, 216, 194, 234), 8, DARK)
    sheet.rounded((30, 74, 226, 226), 54, CREAM)
    sheet.polygon([(32, 112), (54, 66), (202, 66), (224, 112)], mix(CORAL, WHITE, 10), soften=12)
    sheet.rounded((92, 44, 164, 74), 14, DARK)
    sheet.rounded((84, 134, 172, 198), 16, mix(DARK, WHITE, 8))
    sheet.rounded((98, 146, 158, 166), 6, TEAL, gloss=14)
    for x in (102, 122, 142):
        sheet.ellipse((x, 174, x + 12, 186), CREAM)
    return sheet.finished()


def _kettle() -> Image.Image:
    sheet = Sheet()
    sheet.line([(186, 92), (232, 104), (230, 168), (194, 196)], 19, DARK)
    sheet.polygon([(28, 92), (78, 86), (90, 140), (66, 150)], STEEL, soften=7)
    sheet.polygon([(78, 70), (184, 70), (206, 216), (58, 216)], STEEL, soften=10)
    sheet.polygon([(84, 56), (178, 56), (186, 80), (76, 80)], TEAL, soften=7)
    sheet.rounded((114, 32, 148, 58), 11, DARK)
    sheet.rounded((50, 208, 214, 236), 12, DARK)
    sheet.rounded((84, 112, 94, 190), 5, WHITE, gloss=10)
    return sheet.finished()


def _fan() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((120, 150, 136, 228), 6, STEEL)
    sheet.rounded((72, 218, 184, 242), 12, CREAM)
    sheet.ellipse((36, 8, 220, 192), CREAM)
    sheet.ellipse((50, 22, 206, 178), mix(SKY, WHITE, 50), gloss=12)
    for blade in range(3):
        angle = math.radians(blade * 120 - 30)
        along, across = math.cos(angle), math.sin(angle)
        outline = []
        for part in range(28):
            # An ellipse of 38 by 23 whose middle stands 36 from the hub, turned by the angle.
            out = 36 + 38 * math.cos(math.tau * part / 28)
            aside = 23 * math.sin(math.tau * part / 28)
            outline.append((128 + out * along - aside * across, 100 + out * across + aside * along))
        sheet.polygon(outline, BLUE, soften=3)
    sheet.ellipse((112, 84, 144, 116), CREAM)
    return sheet.finished()


def _lamp() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((52, 214, 172, 240), 13, TEAL)
    sheet.line([(112, 220), (66, 140), (138, 70)], 13, STEEL)
    sheet.ellipse((54, 128, 80, 154), DARK)
    sheet.ellipse((150, 92, 214, 152), AMBER, gloss=70)
    sheet.polygon([(120, 58), (160, 26), (228, 96), (152, 160)], TEAL, soften=9)
    return sheet.finished()


def _vacuum() -> Image.Image:
    sheet = Sheet()
    sheet.polygon([(16, 222), (40, 194), (108, 206), (110, 238), (18, 240)], CORAL, soften=6)
    sheet.line([(70, 206), (158, 92)], 14, STEEL)
    sheet.line([(176, 52), (216, 30), (240, 74), (204, 106)], 15, DARK)
    sheet.ellipse((136, 34, 214, 112), CORAL)
    sheet.ellipse((154, 52, 196, 94), mix(SKY, WHITE, 40))
    sheet.line([(138, 118), (158, 92)], 30, mix(SKY, WHITE, 30))
    return sheet.finished()


def _hair_dryer() -> Image.Image:
    sheet = Sheet()
    sheet.polygon([(138, 128), (182, 118), (204, 232), (164, 238)], mix(CORAL, DARK, 24), soften=8)
    sheet.polygon([(16, 62), (84, 66), (84, 124), (16, 132)], DARK, soften=6)
    sheet.rounded((60, 42, 232, 150), 52, CORAL)
    sheet.ellipse((166, 66, 218, 126), mix(CORAL, WHITE, 52))
    sheet.rounded((166, 164, 180, 192), 6, CREAM)
    return sheet.finished()


def _tin() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((58, 72, 198, 242), 26, GREEN)
    sheet.rounded((52, 28, 204, 94), 26, mix(GREEN, DARK, 34))
    sheet.ellipse((66, 26, 190, 58), mix(GREEN, DARK, 16), gloss=30)
    sheet.rounded((82, 116, 174, 214), 10, CREAM, gloss=20)
    sheet.polygon([(104, 182), (110, 144), (152, 134), (148, 174)], GREEN, soften=9)
    sheet.stroke([(108, 186), (144, 144)], 3, CREAM, 255)
    return sheet.finished()


def _rug() -> Image.Image:
    sheet = Sheet()
    sheet.ellipse((8, 62, 248, 206), BROWN)
    sheet.ellipse((26, 72, 230, 192), mix(AMBER, CREAM, 50))
    sheet.ellipse((56, 88, 200, 172), BROWN, gloss=20)
    sheet.ellipse((84, 102, 172, 156), mix(AMBER, CREAM, 50), gloss=20)
    return sheet.finished(-6)


def _pouch() -> Image.Image:
    sheet = Sheet()
    sheet.polygon([(54, 22), (202, 22), (216, 240), (40, 240)], AMBER, soften=9)
    sheet.rounded((52, 20, 204, 50), 7, mix(AMBER, BROWN, 36))
    sheet.ellipse((78, 88, 178, 188), CREAM)
    sheet.polygon([(112, 164), (108, 124), (150, 108), (154, 150)], GREEN, soften=9)
    sheet.stroke([(114, 168), (144, 122)], 3, CREAM, 255)
    sheet.stroke([(84, 210), (172, 210)], 6, CREAM, 200)
    return sheet.finished(-4)


def _tube() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((102, 204, 154, 246), 9, mix(TEAL, DARK, 30))
    sheet.polygon([(62, 14), (194, 14), (164, 210), (92, 210)], mix(TEAL, WHITE, 34), soften=7)
    sheet.rounded((58, 12, 198, 38), 5, TEAL)
    sheet.polygon([(82, 84), (174, 84), (166, 138), (90, 138)], WHITE, soften=4, gloss=10)
    sheet.stroke([(98, 106), (156, 106)], 6, TEAL, 230)
    return sheet.finished(14)


def _dumbbell() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((66, 116, 190, 142), 10, STEEL)
    for left, top, colour in ((14, 96, DARK), (40, 66, TEAL), (172, 66, TEAL), (212, 96, DARK)):
        width = 30 if colour is DARK else 44
        sheet.rounded((left, top, left + width, 258 - top), 13, colour)
    return sheet.finished(24)


def _yoga_mat() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((26, 84, 196, 182), 40, TEAL)
    sheet.ellipse((148, 84, 236, 182), mix(TEAL, WHITE, 30))
    spiral = [
        (192 + (40 - turn) * 0.9 * math.cos(turn / 3), 133 + (40 - turn) * math.sin(turn / 3))
        for turn in range(36)
    ]
    sheet.stroke(spiral, 4, mix(TEAL, DARK, 40), 230)
    for left in (58, 112):
        sheet.rounded((left, 80, left + 14, 186), 6, AMBER)
    return sheet.finished(22)


def _pet_bowl() -> Image.Image:
    sheet = Sheet()
    sheet.polygon([(44, 116), (212, 116), (238, 216), (18, 216)], CORAL, soften=10)
    sheet.ellipse((38, 84, 218, 148), mix(CORAL, WHITE, 30))
    sheet.ellipse((54, 92, 202, 138), BROWN, gloss=16)
    for x, y in ((84, 92), (116, 82), (150, 90), (104, 104), (140, 106)):
        sheet.ellipse((x, y, x + 28, y + 22), mix(BROWN, AMBER, 50))
    sheet.line([(104, 180), (152, 180)], 15, CREAM)
    for x in (98, 158):
        for y in (171, 189):
            sheet.ellipse((x - 10, y - 10, x + 10, y + 10), CREAM)
    return sheet.finished()


def _power_bank() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((64, 18, 192, 240), 26, mix(SKY, DARK, 20))
    sheet.rounded((74, 28, 182, 230), 20, mix(SKY, WHITE, 20), gloss=24)
    bolt = [(138, 74), (100, 138), (124, 138), (114, 188), (156, 118), (132, 118)]
    sheet.polygon(bolt, AMBER, soften=3)
    for x in (98, 114, 130, 146):
        sheet.ellipse((x, 206, x + 10, 216), WHITE, gloss=10)
    return sheet.finished(10)


def _mug() -> Image.Image:
    sheet = Sheet()
    sheet.line([(168, 96), (220, 100), (222, 158), (164, 176)], 22, mix(BLUE, DARK, 16))
    sheet.rounded((46, 52, 184, 222), 34, BLUE)
    sheet.ellipse((46, 34, 184, 86), mix(BLUE, WHITE, 30))
    sheet.ellipse((58, 42, 172, 80), mix(BLUE, DARK, 52), gloss=12)
    sheet.rounded((64, 104, 75, 186), 5, mix(BLUE, WHITE, 52), gloss=10)
    return sheet.finished()


def _curtain() -> Image.Image:
    sheet = Sheet()
    for left, folds in ((30, (0, 1, 2, 3)), (146, (0, 1, 2, 3))):
        for fold in folds:
            x = left + fold * 20
            colour = BLUE if fold % 2 else mix(BLUE, WHITE, 18)
            sheet.polygon([(x, 40), (x + 24, 40), (x + 27, 232), (x - 3, 232)], colour, soften=4)
    for left in (26, 142):
        sheet.rounded((left, 138, left + 90, 152), 6, AMBER)
    sheet.rounded((14, 22, 242, 42), 9, BROWN)
    for x in (4, 228):
        sheet.ellipse((x, 18, x + 26, 46), AMBER)
    return sheet.finished()


def _steamer() -> Image.Image:
    sheet = Sheet()
    straw = (226, 178, 112)
    for top in (150, 100):
        sheet.rounded((24, top, 232, top + 76), 20, straw)
        sheet.rounded((22, top + 8, 234, top + 22), 6, mix(straw, BROWN, 46), gloss=16)
    sheet.ellipse((28, 68, 228, 146), mix(straw, BROWN, 40))
    sheet.ellipse((40, 74, 216, 138), mix(straw, WHITE, 40), gloss=14)
    for x, y in ((62, 84), (140, 84), (100, 68), (100, 96)):
        sheet.ellipse((x, y - 14, x + 58, y + 34), CREAM, gloss=60)
        sheet.stroke([(x + 20, y - 2), (x + 29, y - 8), (x + 38, y - 2)], 3, BROWN, 110)
    return sheet.finished()


def _board() -> Image.Image:
    sheet = Sheet()
    wood = (216, 160, 100)
    sheet.rounded((100, 8, 156, 92), 24, wood)
    sheet.rounded((48, 62, 208, 246), 30, wood)
    sheet.ellipse((116, 22, 140, 46), mix(wood, DARK, 55), gloss=4)
    for x, top, end in ((84, 92, 214), (112, 108, 232), (144, 88, 196), (174, 110, 226)):
        sheet.stroke([(x, top), (x + 4, (top + end) / 2), (x, end)], 3, BROWN, 90)
    return sheet.finished(18)


def _spatula() -> Image.Image:
    sheet = Sheet()
    wood = (206, 148, 90)
    sheet.line([(74, 150), (106, 240)], 15, mix(wood, BROWN, 30))
    sheet.ellipse((38, 34, 104, 154), mix(wood, BROWN, 16))
    sheet.ellipse((50, 48, 90, 132), mix(wood, WHITE, 26), gloss=12)
    sheet.line([(178, 140), (150, 240)], 15, wood)
    sheet.polygon([(150, 20), (222, 34), (198, 156), (160, 152)], wood, soften=10)
    for x in (172, 188):
        sheet.stroke([(x + 6, 56), (x - 4, 122)], 5, mix(wood, DARK, 50), 190)
    return sheet.finished()


def _massager() -> Image.Image:
    sheet = Sheet()
    bow = [
        (128 + 88 * math.cos(math.radians(angle)), 124 + 92 * math.sin(math.radians(angle)))
        for angle in range(-215, 36, 5)
    ]
    sheet.line(bow, 34, CREAM)
    for angle, turn in ((-215, 1), (35, -1)):
        x = 128 + 88 * math.cos(math.radians(angle))
        y = 124 + 92 * math.sin(math.radians(angle))
        sheet.ellipse((x - 32 + turn * 8, y - 28, x + 32 + turn * 8, y + 36), STEEL)
        sheet.ellipse((x - 14 + turn * 8, y - 10, x + 14 + turn * 8, y + 18), TEAL)
    return sheet.finished()


def _body_scale() -> Image.Image:
    sheet = Sheet()
    sheet.rounded((26, 36, 230, 232), 44, CREAM)
    sheet.rounded((42, 50, 214, 214), 34, SKY)
    sheet.rounded((84, 62, 172, 104), 16, DARK)
    sheet.stroke([(104, 84), (118, 84)], 7, WHITE, 255)
    sheet.stroke([(128, 84), (152, 84)], 7, WHITE, 255)
    for x in (82, 136):
        sheet.rounded((x, 124, x + 38, 198), 18, mix(SKY, WHITE, 46), gloss=16)
    return sheet.finished(-5)


def _camp_lantern() -> Image.Image:
    sheet = Sheet()
    arch = [
        (128 + 66 * math.cos(math.radians(angle)), 88 + 70 * math.sin(math.radians(angle)))
        for angle in range(-180, 1, 6)
    ]
    sheet.line(arch, 9, STEEL)
    sheet.polygon([(84, 78), (172, 78), (186, 106), (70, 106)], TEAL, soften=6)
    sheet.rounded((78, 98, 178, 194), 34, mix(AMBER, WHITE, 58), gloss=70)
    sheet.ellipse((108, 122, 148, 178), AMBER, gloss=80)
    for x in (94, 156):
        sheet.stroke([(x, 104), (x, 190)], 4, TEAL, 190)
    sheet.rounded((66, 186, 190, 240), 18, TEAL)
    sheet.ellipse((116, 202, 140, 226), CREAM)
    return sheet.finished()


DRAWN: dict[str, Callable[[], Image.Image]] = {
    "board": _board,
    "body-scale": _body_scale,
    "camp-lantern": _camp_lantern,
    "curtain": _curtain,
    "cushion": _cushion,
    "dumbbell": _dumbbell,
    "fan": _fan,
    "hair-dryer": _hair_dryer,
    "kettle": _kettle,
    "lamp": _lamp,
    "massager": _massager,
    "mattress": _mattress,
    "mug": _mug,
    "oil-bottle": lambda: _bottle(AMBER, CREAM, CORAL),
    "pan": _pan,
    "pet-bowl": _pet_bowl,
    "pillow": _pillow,
    "pouch": _pouch,
    "power-bank": _power_bank,
    "quilt": _quilt,
    "rice-cooker": _rice_cooker,
    "rug": _rug,
    "spatula": _spatula,
    "steamer": _steamer,
    "thermos": _thermos,
    "tin": _tin,
    "towel": _towel,
    "tube": _tube,
    "vacuum": _vacuum,
    "wine-bottle": lambda: _bottle((88, 40, 66), CREAM, AMBER),
    "yoga-mat": _yoga_mat,
}
