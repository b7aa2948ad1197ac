"""The command line: what it prints, what it returns, and that it waits."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from flask import Flask

from merchants.cli import catalogue_commands, feed_commands
from tests.integration.merchants.conftest import WriteFeed


@pytest.fixture
def waits() -> list[str]:
    return []


def run(waits: list[str], *arguments: str | Path) -> Result:
    group = feed_commands(
        wait_until_searchable=lambda: waits.append("waited"), picture_of=lambda _reference: ""
    )
    return CliRunner().invoke(group, ["import", *map(str, arguments)])


def test_counts_as_json_and_exit_0_when_all_landed(
    market: Flask, write_feed: WriteFeed, waits: list[str]
) -> None:
    result = run(waits, "--merchant", "north", write_feed([{}]), "--json")
    assert result.exit_code == 0
    said = orjson.loads(result.stdout)
    assert {key: said[key] for key in ("new", "changed", "unchanged", "bad", "dry_run")} == {
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "bad": 0,
        "dry_run": False,
    }
    assert waits == ["waited"]


def test_exit_1_when_some_rows_were_refused(
    market: Flask, write_feed: WriteFeed, waits: list[str], tmp_path: Path
) -> None:
    errors = tmp_path / "errors.csv"
    feed = write_feed([{}, {"SKU编码": "S2", "售价": "x"}])
    result = run(waits, "--merchant", "north", feed, "--errors", errors, "--no-wait")
    assert result.exit_code == 1
    assert result.stdout.split() == ["新增", "1", "变更", "0", "未变", "0", "有错", "1"]
    lines = errors.read_text(encoding="utf-8-sig").splitlines()
    assert [line.endswith("不是金额（元，最多两位小数）") for line in lines] == [False, True]
    assert waits == []


def test_a_dry_run_does_not_wait(market: Flask, write_feed: WriteFeed, waits: list[str]) -> None:
    result = run(waits, "--merchant", "north", write_feed([{}]), "--dry-run", "--json")
    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["new"] == 1
    assert waits == []


def test_a_refused_file_is_a_problem_with_its_code(
    market: Flask, tmp_path: Path, waits: list[str]
) -> None:
    missing = tmp_path / "no.csv"
    result = run(waits, "--merchant", "north", missing, "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["code"] == "feed_not_found"
    result = run(waits, "--merchant", "north", missing)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "没有找到文件 no.csv" in result.stderr


def test_wrong_use_is_exit_2(market: Flask, waits: list[str]) -> None:
    assert run(waits, "file.csv").exit_code == 2


def test_a_generated_feed_imports_whole(market: Flask, tmp_path: Path, waits: list[str]) -> None:
    out = tmp_path / "made.csv"
    made = CliRunner().invoke(
        catalogue_commands(), ["generate", "--items", "500", "--out", str(out), "--json"]
    )
    assert made.exit_code == 0
    assert orjson.loads(made.stdout)["items"] == 500
    result = run(waits, "--merchant", "north", out, "--json")
    assert result.exit_code == 0
    said = orjson.loads(result.stdout)
    assert (said["new"], said["bad"], said["warnings"]) == (500, 0, [])
