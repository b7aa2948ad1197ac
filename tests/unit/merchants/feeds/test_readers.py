"""Every format and encoding that merchants send, and what is none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from kernel.errors import Problem
from merchants.feeds.columns import detect_columns
from merchants.feeds.readers import Record, open_feed

HEADER = "商品编码,SKU编码,商品名称,售价,库存"


def score(header: Sequence[str]) -> int:
    return len(detect_columns(header))


def read(path: Path) -> list[Record]:
    return list(open_feed(path, score).records())


def written(folder: Path, data: bytes, name: str = "feed.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_encodings_are_found(tmp_path: Path, encoding: str, ending: str) -> None:
    text = ending.join([HEADER, "1,2,母亲节礼物-舒适安睡组合,9.90,3", ""])
    feed = open_feed(written(tmp_path, text.encode(encoding)), score)
    assert feed.header == HEADER.split(",")
    assert list(feed.records()) == [Record(1, ["1", "2", "母亲节礼物-舒适安睡组合", "9.90", "3"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    text = f"{HEADER}\n1,2,茶,9,3\n".replace(",", delimiter)
    assert read(written(tmp_path, text.encode()))[0].cells == ["1", "2", "茶", "9", "3"]


def test_quotes_may_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    text = f'{HEADER}\n1,2,"茶, ""好""\n两行",9,3\n\n4,5,y,9,3\n'
    assert [r.cells for r in read(written(tmp_path, text.encode()))] == [
        ["1", "2", '茶, "好"\n两行', "9", "3"],
        ["4", "5", "y", "9", "3"],
    ]


def test_an_open_quote_costs_only_its_own_line(tmp_path: Path) -> None:
    rows = [f"{i},{i},名{i},9,3" for i in range(100)]
    rows[10] = '10,10,"没有关上,9,3'
    records = read(written(tmp_path, "\n".join([HEADER, *rows]).encode()))
    assert len(records) == 100
    assert [r.number for r in records if r.error] == [11]
    assert records[10].cells == ['10,10,"没有关上,9,3']
    assert records[99].cells == ["99", "99", "名99", "9", "3"]


def test_two_open_quotes_do_not_join_what_lies_between(tmp_path: Path) -> None:
    rows = ['1,1,"开,9,3', "2,2,中间,9,3", '3,3,"又开,9,3', "4,4,尾,9,3"]
    records = read(written(tmp_path, "\n".join([HEADER, *rows]).encode()))
    assert [bool(r.error) for r in records] == [True, False, True, False]


def test_an_inch_sign_is_no_quote(tmp_path: Path) -> None:
    text = f'{HEADER}\n1,2,15.6" 屏幕,9,3\n4,5,y,9,3\n'
    assert [r.cells[2] for r in read(written(tmp_path, text.encode()))] == ['15.6" 屏幕', "y"]


def test_a_damaged_byte_makes_one_row_bad_and_not_the_file(tmp_path: Path) -> None:
    good = f"{HEADER}\n1,2,茶,9,3\n4,5,".encode()
    records = read(written(tmp_path, good + b"\xff\xfe\xe8" + ",9,3\n6,7,酒,9,3\n".encode()))
    assert [r.cells[2] for r in records if "\ufffd" not in r.cells[2]] == ["茶", "酒"]
    assert len(records) == 3


def test_json_lines(tmp_path: Path) -> None:
    text = (
        '{"商品编码": 1, "SKU编码": "2", "商品名称": "茶", "售价": 9.9, "图集": ["a", "b"]}\n'
        "\n[1]\n"
        '{"SKU编码": "3", "库存": 4, "商品名称": null}\n'
    )
    feed = open_feed(written(tmp_path, text.encode(), "feed.jsonl"), score)
    assert feed.header == ["商品编码", "SKU编码", "商品名称", "售价", "图集", "库存"]
    records = list(feed.records())
    assert records[0].cells == ["1", "2", "茶", "9.9", "a|b", ""]
    assert records[1].error == "这一行不是 JSON 对象"
    assert records[2].cells == ["", "3", "", "", "", "4"]


SHEET = """<?xml version="1.0"?><worksheet
 xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>SKU编码</t></is></c>
<c r="B1" t="inlineStr"><is><t>售价</t></is></c></row>
<row r="2"><c r="A2"><v>1181000</v></c><c r="B2"><v>9.9</v></c></row></sheetData></worksheet>"""
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(path: Path) -> Path:
    """The least that is a workbook."""
    with ZipFile(path, "w") as parts:
        parts.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types"></Types>')
        parts.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        parts.writestr(
            "xl/workbook.xml",
            '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
            f'xmlns:r="{RELATION}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
        )
        parts.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{RELATION}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        parts.writestr("xl/worksheets/sheet1.xml", SHEET)
    return path


def test_a_workbook_is_read_as_people_typed_it(tmp_path: Path) -> None:
    feed = open_feed(workbook(tmp_path / "feed.xlsx"), score)
    assert feed.header == ["SKU编码", "售价"]
    assert [r.cells for r in feed.records()] == [["1181000", "9.9"]]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "feed_empty"),
        (b"\xef\xbb\xbf\r\n", "feed_empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "feed_not_a_table"),
        (b"PK\x03\x04 not really a workbook", "feed_not_a_table"),
        (f"{HEADER}\n1,2,x,9,3\n".encode("utf-16"), "feed_encoding_unknown"),
        (b"\xe9\xe8\xff\xff \xff\x81\xff,\xff\n\xff\xff,\xff\n", "feed_encoding_unknown"),
        (b'{"a": 1}\n' + "茶".encode("gb18030"), "feed_encoding_unknown"),
        (b"{broken\n", "feed_not_a_table"),
    ],
)
def test_what_is_no_feed_is_named(tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(Problem) as caught:
        read(written(tmp_path, data))
    assert caught.value.code == code


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        open_feed(tmp_path / "no.csv", score)
    assert caught.value.code == "feed_not_found"
