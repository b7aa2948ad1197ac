"""Generated feeds: exact in number, distinct, reproducible, and like real ones."""

import csv
import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from merchants.feeds.columns import detect_columns, missing_columns
from merchants.feeds.generator import (
    COLUMNS,
    MOST_ROWS,
    generate_rows,
    read_titles,
    write_feed,
)

TITLES = (
    "加厚桌面鼠标垫超大号防水 黑色 800*300",
    "创意动漫鼠标垫小号可爱 星空",
    "游戏鼠标垫锁边办公加大 灰色",
    "防滑鼠标垫皮革双面 蓝色",
    "无线鼠标垫充电护腕 白色",
    "电竞鼠标垫布面耐磨 红色",
    "速干中性笔学生考试用 黑色12支",
    "按动中性笔子弹头办公 蓝色",
    "大容量中性笔签字笔 红色",
    "复古中性笔金属礼品 0.5mm",
    "彩色中性笔手账 12色",
    "可爱中性笔少女心 6支装",
)


@pytest.mark.parametrize("n", [1, 2, 999])
def test_exactly_so_many_rows(n: int) -> None:
    rows = list(generate_rows(n, 7))
    assert len(rows) == n
    assert len({row[1] for row in rows}) == n
    assert {len(row) for row in rows} == {len(COLUMNS)}


@pytest.mark.parametrize("n", [0, -1, MOST_ROWS + 1])
def test_other_numbers_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="5,000,000"):
        generate_rows(n, 7)


def test_the_header_is_understood() -> None:
    found = detect_columns(COLUMNS)
    assert len(found) == len(COLUMNS)
    assert missing_columns(found) == []


def test_the_same_for_the_same_seed() -> None:
    assert list(generate_rows(500, 3)) == list(generate_rows(500, 3))
    assert list(generate_rows(500, 3, TITLES)) == list(generate_rows(500, 3, TITLES))
    assert list(generate_rows(500, 3)) != list(generate_rows(500, 4))


def test_the_same_in_another_process() -> None:
    code = (
        "from merchants.feeds.generator import generate_rows\n"
        "from tests.unit.merchants.test_generator import TITLES\n"
        "print(list(generate_rows(200, 3, TITLES))[-1])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == str(list(generate_rows(200, 3, TITLES))[-1])


def test_a_longer_feed_begins_like_a_shorter_one() -> None:
    assert list(generate_rows(2_000, 3))[:300] == list(generate_rows(300, 3))


def test_one_product_in_seven_has_several_skus() -> None:
    counts = Counter(row[0] for row in generate_rows(20_000, 5))
    several = [count for count in counts.values() if count > 1]
    assert 0.13 <= len(several) / len(counts) <= 0.17
    assert set(several) == {2, 3, 4}
    rows = list(generate_rows(20_000, 5))
    assert len({(row[0], row[5]) for row in rows}) == len(rows)


def test_brands_and_categories_are_long_tailed() -> None:
    rows = list(generate_rows(20_000, 5))
    for column, least in ((3, 60), (4, 400)):
        counts = [count for _, count in Counter(row[column] for row in rows).most_common()]
        assert len(counts) >= least
        assert sum(counts[: len(counts) // 10]) >= len(rows) // 4
        assert counts[0] < len(rows) // 3


def test_categories_and_tax_codes_are_the_platforms() -> None:
    tree = json.loads(files("shop").joinpath("categories.json").read_text(encoding="utf-8"))
    known = {
        f"{top['name']} > {leaf['name']}": (leaf["tax_code"], leaf["unit"])
        for top in tree["categories"]
        for leaf in top["children"]
    }
    for row in generate_rows(3_000, 5):
        assert known[row[3]] == (row[14], row[9])


def test_prices_are_positive_decimals() -> None:
    for row in generate_rows(3_000, 5):
        yuan, fen = row[7].split(".")
        assert len(fen) == 2
        assert int(yuan) * 100 + int(fen) >= 190
        if row[6]:
            above, rest = row[6].split(".")
            assert int(above) * 100 + int(rest) > int(yuan) * 100 + int(fen)
        assert 0 <= int(row[8]) <= 511


def test_titles_are_recombined_within_their_kind() -> None:
    titles = {row[2] for row in generate_rows(2_000, 5, TITLES)}
    assert len(titles) > 100
    own = {title.rpartition(" ")[0] for title in TITLES}
    assert len(titles - own) > 80
    # A mouse mat and a pen are of different kinds, so none is made of both.
    for title in titles:
        assert not ("鼠标" in title and "中性" in title), title
    signs = set("".join(TITLES))
    assert set("".join(titles)) <= signs


def test_a_file_is_written(tmp_path: Path) -> None:
    path, told = tmp_path / "feed.csv", []

    def progress(done: int, due: int) -> None:
        told.append((done, due))

    write_feed(path, 45_000, 9, None, progress)
    assert told == [(20_000, 45_000), (40_000, 45_000), (45_000, 45_000)]
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 45_001


def test_memory_does_not_grow_with_the_rows() -> None:
    peaks = []
    for n in (2_000, 20_000):
        tracemalloc.start()
        for _ in generate_rows(n, 3):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_titles_are_read(tmp_path: Path) -> None:
    path = tmp_path / "titles.txt"
    path.write_text("\ufeff一件东西\n\n  另一件  \n", encoding="utf-8")
    assert read_titles(path) == ["一件东西", "另一件"]
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no titles"):
        read_titles(path)


def test_another_seller_has_the_barcoded_goods() -> None:
    """Same barcodes and titles, own codes, prices near by: several offers for one product."""
    coded = {row[15]: row for row in generate_rows(5_000, 3) if row[15]}
    assert 0.15 <= len(coded) / 5_000 <= 0.23
    others = list(generate_rows(500, 3, seller=2))
    assert len({row[1] for row in others}) == len(others) == 500
    cheaper = 0
    for row in others:
        first = coded[row[15]]
        assert row[2:6] == first[2:6]
        assert row[0] == f"S2-{first[0]}"
        own, theirs = int(row[7].replace(".", "")), int(first[7].replace(".", ""))
        assert 88 <= own * 100 // theirs <= 110
        cheaper += own < theirs
    assert 150 <= cheaper <= 350
    for code in coded:
        weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(code))
        assert len(code) == 13
        assert weighed % 10 == 0
