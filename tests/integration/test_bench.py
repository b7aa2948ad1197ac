"""``mall bench`` in the smallest sizes: the shape of what it tells, not how fast anything is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from app.bench.figures import Figure, Lap, lap, median_rate, percentile, rounds
from app.bench.processes import BenchFailed
from app.bench.report import Options, measure, table
from app.bench.searching import pick_different

ROOT = Path(__file__).resolve().parents[2]
# CONTRACT's names, the service and the gentle rebuild, all on the embedded parts.
NAMES = {
    f"{name}_embedded"
    for name in (
        "search_http_p50",
        "search_http_p99",
        "search_service_p50",
        "search_service_p99",
        "search_engine_p50",
        "search_engine_p99",
        "import_rate",
        "import_seconds",
        "import_rss",
        "reimport_rate",
        "rebuild_rate",
        "rebuild_gentle_rate",
        "search_in_rebuild_p99",
        "freshness_p99",
        "checkout_service_rate",
        "checkout_http_rate",
        "posting_rate",
        "hot_account_rate",
    )
}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", "bench", *arguments]


def _environment(temporary: Path, live: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MALL_")}
    return {
        **kept,
        "TMPDIR": str(temporary),
        "MALL_DATA_DIR": str(live),
        "PYTHONPATH": str(ROOT),
    }


def _run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run to the end in a temporary folder of its own, which must be empty afterwards."""
    temporary, live = tmp_path / "temporary", tmp_path / "live"
    temporary.mkdir()
    done = subprocess.run(
        _command(*arguments, "--json"),
        env=_environment(temporary, live),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []
    assert not live.exists()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
def test_all_figures_beside_their_floors(tmp_path: Path) -> None:
    answer = _run(tmp_path, "all", "--rows", "300", "--seconds", "0.1")
    assert {figure["name"] for figure in answer["figures"]} == NAMES
    assert len(answer["figures"]) == len(NAMES)
    for figure in answer["figures"]:
        assert set(figure) == {"name", "ours", "floor", "ratio", "unit", "n"}
        assert figure["ours"] > 0, figure
        assert figure["floor"] > 0, figure
        assert figure["n"] > 0, figure
        assert figure["ratio"] == pytest.approx(figure["ours"] / figure["floor"], abs=0.02, rel=0.1)
    environment = answer["environment"]
    assert environment["parts"] == "embedded"
    assert environment["rows"] == 300
    assert environment["cores"] >= 1
    assert environment["memory"] > 0
    assert {"python", "sqlite", "tantivy", "commit", "date"} <= set(environment)


def test_one_group_alone(tmp_path: Path) -> None:
    answer = _run(tmp_path, "ledger", "--seconds", "0.1")
    assert [figure["name"] for figure in answer["figures"]] == ["posting_rate_embedded"]
    assert answer["figures"][0]["unit"] == "transactions/s"


def _queries(tmp_path: Path, count: int) -> str:
    """A file of so many different queries, each written twice."""
    file = tmp_path / "queries.txt"
    lines = [f"{word} {number}" for number, word in zip(range(count), cycle("被杯茶"))]
    file.write_text("\n".join([*lines, "", *(f"  {line}" for line in lines)]), "utf-8")
    return str(file)


def test_exactly_so_many_different_queries_are_searched_for(tmp_path: Path) -> None:
    queries = _queries(tmp_path, 70)
    answer = _run(tmp_path, "search", "--rows", "300", "--searches", "60", "--queries", queries)
    assert {figure["name"]: figure["n"] for figure in answer["figures"]} == {
        name: 60 for name in NAMES if re.match("search_(http|service|engine)_", name)
    }


def test_more_different_queries_than_there_are_end_the_bench(tmp_path: Path) -> None:
    file = Path(_queries(tmp_path, 40))
    assert len(pick_different(file, 40)) == 40
    with pytest.raises(BenchFailed, match="only 40 different queries"):
        measure("all", Options(rows=300, seconds=0.1, queries=file, searches=41), say=print)


def test_a_signal_stops_it_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        _command("ledger", "--seconds", "300"),
        env=_environment(temporary, tmp_path / "live"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list(temporary.glob("fuman-bench-*/bare.db")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert list(temporary.iterdir()) == []


def test_a_kept_measurement_is_shown_as_a_table(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    figure = Figure("posting_rate_embedded", 1_500.0, 3_000.0, "transactions/s", 12_345)
    file.write_text(json.dumps({"environment": {"cores": 2}, "figures": [figure.to_json()]}))
    done = subprocess.run(
        _command("show", str(file)), capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "posting_rate_embedded  1,500  3,000   0.50  transactions/s  12,345" in done.stdout
    assert "cores 2" in done.stdout


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"figures": 1}', b'{"figures": [{}]}'])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content)
    done = subprocess.run(
        _command("show", str(file)), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert "no output of mall bench" in done.stderr


def test_the_nearest_rank_is_a_percentile() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7
    assert percentile([1.0, 2.0], 0.99) == 2


def test_rates_are_medians_of_laps() -> None:
    assert median_rate([Lap(10, 1.0), Lap(90, 1.0), Lap(30, 1.0)]) == 30
    assert lap(lambda: time.sleep(0.002), seconds=0.01).count >= 2
    assert (rounds(8), rounds(0.01), rounds(8, of=2)) == (32, 3, 4)


def test_a_table_has_a_line_a_figure() -> None:
    figures = [
        Figure("import_seconds_embedded", 31.25, 12.5, "s", 100_000).to_json(),
        Figure("import_rss_embedded", 250_000_000, 240_000_000, "bytes", 100_000).to_json(),
    ]
    assert table(figures).splitlines() == [
        "figure                          ours        floor  ratio  unit         n",
        "import_seconds_embedded        31.25        12.50   2.50  s      100,000",
        "import_rss_embedded      250,000,000  240,000,000   1.04  bytes  100,000",
    ]
