"""Sizes written one way, in titles as in queries: ``500毫升`` and ``500 ML`` are ``500ml``."""

import re

# What follows a number and is a unit there; not 升 in 3升级 nor 克 in 5克拉.
_UNITS = {
    "毫升": "ml",
    "升": "l",
    "千克": "kg",
    "公斤": "kg",
    "克": "g",
    "毫米": "mm",
    "厘米": "cm",
    "公分": "cm",
    "瓦": "w",
    "毫安": "mah",
}
_HAN_UNIT = re.compile(
    r"(?<=[0-9])\s*(毫升|升(?![级降压温华])|千克|公斤|克(?![拉力罗数])|毫米|厘米|公分|瓦(?![楞片斯])|毫安时?)"
)
_LATIN_UNIT = re.compile(r"(?<=[0-9])\s+(ml|l|kg|g|mm|cm|w|mah)(?![a-z0-9])")


def write_measures(folded: str) -> str:
    """The text in lower case with its sizes written alike."""
    if not any(map(str.isdigit, folded)):
        return folded
    text = _HAN_UNIT.sub(lambda match: _UNITS[match.group(1).removesuffix("时")], folded)
    return _LATIN_UNIT.sub(r"\1", text)
