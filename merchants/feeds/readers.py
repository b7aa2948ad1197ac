"""Reading a merchant's file: which format, which encoding, and its records one by one.

CSV and JSON Lines are streamed; a workbook is held in memory and therefore limited in size.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from python_calamine import CalamineError, CalamineWorkbook

from merchants.feeds.problems import (
    FeedEmpty,
    FeedEncodingUnknown,
    FeedNotATable,
    FeedNotFound,
    FeedTooLarge,
)

MAX_WORKBOOK_BYTES = 64 * 1024 * 1024
# An unclosed quote may swallow the rest of a file; a real text of several lines is shorter.
MAX_JOINED_LINES = 60
DELIMITERS = (",", "\t", ";")
WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """A data row: its number from 1, its cells, and why it could not be read, if so."""

    number: int
    cells: list[str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class FeedFile:
    """A file whose format is known. ``lines`` is about how many records it has."""

    path: Path
    digest: str
    lines: int
    header: list[str]
    encoding: str
    _read: Callable[[], Iterator[Record]]

    def records(self) -> Iterator[Record]:
        """All data rows from the first; may be asked for again."""
        return self._read()


@dataclass(frozen=True, slots=True)
class _Scan:
    digest: str
    lines: int
    head: bytes
    has_nul: bool
    is_utf8: bool


# How many columns of a header are known: tells the right encoding and delimiter from wrong ones.
HeaderScore = Callable[[Sequence[str]], int]


def open_feed(path: Path, score: HeaderScore) -> FeedFile:
    """Find out what the file is. Raises a Problem where it is no table, empty or unreadable."""
    if not path.is_file():
        raise FeedNotFound(f"没有找到文件 {path.name}")
    scan = _scan(path)
    if not scan.head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise FeedEmpty("文件是空的")
    if scan.head.startswith(WORKBOOK_STARTS):
        return _open_workbook(path, scan)
    if scan.has_nul:
        utf16 = scan.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise FeedEncodingUnknown if utf16 else FeedNotATable
    if scan.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _open_json_lines(path, scan)
    return _open_csv(path, scan, score)


def _scan(path: Path) -> _Scan:
    """One pass over the bytes: fingerprint, line count, and whether they are UTF-8."""
    digest, lines, head, has_nul = sha256(), 0, b"", False
    decoder, is_utf8 = codecs.getincrementaldecoder("utf-8")(), True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            head = head or chunk[:65536]
            digest.update(chunk)
            lines += chunk.count(b"\n")
            has_nul = has_nul or b"\0" in chunk
            is_utf8 = is_utf8 and _decodes(decoder, chunk)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    return _Scan(digest.hexdigest(), lines, head, has_nul, is_utf8)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _is_gb18030(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("gb18030")()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if not _decodes(decoder, chunk):
                return False
    return _decodes(decoder, b"", final=True)


def _encodings(path: Path, scan: _Scan) -> list[tuple[str, str]]:
    """(encoding, errors) worth trying, best first. A damaged file keeps its good rows: the broken
    characters become U+FFFD and make their own rows bad.
    """
    if scan.is_utf8:
        return [("utf-8-sig", "strict")]
    if scan.head.startswith(codecs.BOM_UTF8):
        return [("utf-8-sig", "replace")]
    strict = [("gb18030", "strict")] if _is_gb18030(path) else []
    return [*strict, ("utf-8", "replace"), ("gb18030", "replace")]


def _open_csv(path: Path, scan: _Scan, score: HeaderScore) -> FeedFile:
    best: tuple[int, list[str], str, str, str] | None = None
    for encoding, errors in _encodings(path, scan):
        for delimiter in DELIMITERS:
            records = _csv_rows(path, encoding, errors, delimiter)
            header = next((cells for cells, error in records if not error), [])
            points = score(header)
            if best is None or points > best[0]:
                best = (points, header, encoding, errors, delimiter)
    assert best is not None  # there is always an encoding to try
    points, header, encoding, errors, delimiter = best
    if not scan.is_utf8 and points == 0:
        raise FeedEncodingUnknown

    def read() -> Iterator[Record]:
        rows = _csv_rows(path, encoding, errors, delimiter, width=len(header))
        next(rows)
        for number, (cells, error) in enumerate(rows, start=1):
            yield Record(number, cells, error)

    return FeedFile(path, scan.digest, scan.lines, header, encoding, read)


def _csv_rows(
    path: Path, encoding: str, errors: str, delimiter: str, *, width: int = 0
) -> Iterator[tuple[list[str], str]]:
    """(cells, error) of each record; a record whose quotes never close costs only its own line."""
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        waiting: deque[str] = deque()
        while True:
            line = waiting.popleft() if waiting else file.readline()
            if not line:
                return
            if line.isspace():
                continue
            if line.count('"') % 2 == 0:
                yield _cells(line, delimiter), ""
                continue
            more = _lines_spanned(waiting, file.readline)
            cells = _cells(line + "".join(more), delimiter, strict=True)
            if more and (not width or len(cells) == width):
                for _ in more:
                    waiting.popleft()
                yield cells, ""
                continue
            alone = _cells(line, delimiter)
            # An inch sign inside a plain cell is an odd quote that opens nothing.
            inch = width and len(alone) == width and f'{delimiter}"' not in line
            yield (alone, "") if inch else ([line.rstrip("\r\n")], "引号没有配对")


def _lines_spanned(waiting: deque[str], read_line: Callable[[], str]) -> list[str]:
    """The lines up to the one that closes an open quote, or none. They stay in ``waiting``."""
    for position in range(MAX_JOINED_LINES):
        if position == len(waiting):
            following = read_line()
            if not following:
                return []
            waiting.append(following)
        if waiting[position].count('"') % 2:
            return list(waiting)[: position + 1]
    return []


def _cells(record: str, delimiter: str, *, strict: bool = False) -> list[str]:
    """A record that is no CSV comes back as its one line. ``strict``: nothing but a delimiter
    may follow a closing quote.
    """
    try:
        return next(csv.reader((record,), delimiter=delimiter, strict=strict), [])
    except csv.Error:
        return [record.rstrip("\r\n")]


def _open_json_lines(path: Path, scan: _Scan) -> FeedFile:
    if not scan.is_utf8:
        raise FeedEncodingUnknown("JSON Lines 必须是 UTF-8 编码")
    header: list[str] = []
    for item in _json_objects(path, limit=200):
        header += [key for key in item or () if key not in header]
    if not header:
        raise FeedNotATable("每行应是一个 JSON 对象")

    def read() -> Iterator[Record]:
        for number, item in enumerate(_json_objects(path), start=1):
            if item is None:
                yield Record(number, [], "这一行不是 JSON 对象")
            else:
                yield Record(number, [_cell_text(item.get(key)) for key in header])

    return FeedFile(path, scan.digest, scan.lines, header, "utf-8-sig", read)


def _json_objects(path: Path, limit: int | None = None) -> Iterator[dict[str, Any] | None]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    with path.open(encoding="utf-8-sig") as file:
        for count, line in enumerate(file):
            if limit is not None and count >= limit:
                return
            if line.isspace():
                continue
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError:
                yield None


def _open_workbook(path: Path, scan: _Scan) -> FeedFile:
    if path.stat().st_size > MAX_WORKBOOK_BYTES:
        raise FeedTooLarge
    try:
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    except (CalamineError, OSError, ValueError, IndexError):
        raise FeedNotATable from None
    if not rows:
        raise FeedEmpty
    header = [_cell_text(value) for value in rows[0]]

    def read() -> Iterator[Record]:
        for number, row in enumerate(rows[1:], start=1):
            cells = [_cell_text(value) for value in row]
            if any(cells):
                yield Record(number, cells)

    return FeedFile(path, scan.digest, len(rows), header, "xlsx", read)


def _cell_text(value: Any) -> str:
    """A value as a person would have typed it; a float only passes through its shortest text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, list):
        return "|".join(_cell_text(entry) for entry in value)
    return str(value)
