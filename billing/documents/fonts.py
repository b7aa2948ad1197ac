"""The Chinese font that PDFs embed, and a smaller copy of it that loads in a fraction of the time.

A weight of Noto Sans SC has 30,000 glyphs; reading two weights takes about 0.4 s for each document.
The prepared copy holds the characters that nearly every invoice is written with (GB 2312 and
Latin) and takes a fifth of that. A document with any other character is set in the whole font, so
no rare character of a name is ever dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fontTools import subset  # type: ignore[import-untyped]  # it ships no types

from kernel.errors import Problem
from kernel.settings import get_settings

REGULAR = Path("400Regular/NotoSansSC_400Regular.ttf")
BOLD = Path("600SemiBold/NotoSansSC_600SemiBold.ttf")
# Tables that only other scripts or vertical setting need.
UNUSED_TABLES = ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]


class InvoiceFontMissing(Problem):
    code = "invoice_font_missing"
    status = 503
    title = "缺少发票字体，暂时不能生成 PDF"


@dataclass(frozen=True, slots=True)
class FontFiles:
    """Two weights of one face."""

    regular: Path
    bold: Path

    @property
    def exist(self) -> bool:
        return self.regular.is_file() and self.bold.is_file()


@dataclass(frozen=True, slots=True)
class FontFolders:
    """``source`` is the font package's folder; ``prepared`` is where the smaller copy is kept."""

    source: Path
    prepared: Path

    @classmethod
    def from_settings(cls) -> FontFolders:
        settings = get_settings()
        return cls(source=settings.font_dir, prepared=settings.data_dir / "fonts")

    @property
    def whole_files(self) -> FontFiles:
        return FontFiles(self.source / REGULAR, self.source / BOLD)

    @property
    def prepared_files(self) -> FontFiles:
        return FontFiles(self.prepared / REGULAR.name, self.prepared / BOLD.name)


@lru_cache(maxsize=1)
def common_characters() -> frozenset[int]:
    """Code points of the prepared copy: Latin with punctuation, and GB 2312."""
    points = {*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2010, 0x2040)}
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            text = bytes((row, cell)).decode("gb2312", errors="ignore")
            points.update(map(ord, text))
    return frozenset(points)


def prepare_fonts(folders: FontFolders) -> FontFiles:
    """Write the smaller copies if they are missing or older than their source; about 1 s.

    Raises InvoiceFontMissing where the font package isn't installed.
    """
    if not folders.whole_files.exist:
        raise InvoiceFontMissing(f"没有找到字体：{folders.source}")
    folders.prepared.mkdir(parents=True, exist_ok=True)
    whole, small = folders.whole_files, folders.prepared_files
    for source, target in ((whole.regular, small.regular), (whole.bold, small.bold)):
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            _write_subset(source, target)
    return small


def _write_subset(source: Path, target: Path) -> None:
    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    options.drop_tables = [*options.drop_tables, *UNUSED_TABLES]
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=common_characters())
    subsetter.subset(font)
    # Another process may be reading or writing the same copy: it appears whole, by a rename.
    scratch = target.with_suffix(f".{os.getpid()}.tmp")
    font.save(str(scratch))
    font.close()
    scratch.replace(target)


def choose_fonts(folders: FontFolders, texts: Iterable[str]) -> FontFiles:
    """The prepared copy where it holds every character of ``texts``, else the whole font.

    Raises InvoiceFontMissing where the one that is needed isn't there.
    """
    needed = {ord(character) for text in texts for character in text}
    if folders.prepared_files.exist and needed <= common_characters():
        return folders.prepared_files
    if not folders.whole_files.exist:
        raise InvoiceFontMissing(f"没有找到字体：{folders.source}")
    return folders.whole_files
