"""``mall search``: rebuild, query, evaluate, and waiting for the index."""

import json
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kernel import outbox
from kernel.settings import get_settings
from search import rebuilding, tasks
from search.cli import search_commands
from search.engines.choice import get_engine
from search.indexing import documents_fingerprint
from search.rebuilding import WorkerStopped, rebuild_now, wait_until_searchable
from search.requests import SearchRequest
from search.services import SearchResult, search
from tests.engines import other_engine
from tests.integration.search.world import World, add_product, change_product, index

_LABELS = {
    "queries": [
        {"query": "蚕丝被", "relevant": ["山岚蚕丝被春秋款"], "set": "real"},
        {"query": "挂耳", "relevant": ["北屿挂耳咖啡"], "set": "real"},
    ],
    "titles": ["山岚蚕丝被春秋款", "北屿挂耳咖啡"],
}


def run(*args: str) -> tuple[int, Any]:
    result = CliRunner().invoke(search_commands, [*args, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else None


@pytest.fixture
def stocked(world: World) -> World:
    add_product(world, "山岚蚕丝被春秋款", brand="山岚")
    add_product(world, "北屿挂耳咖啡", category="tea.coffee")
    index(world)
    return world


def test_query_prints_what_the_contract_says(stocked: World) -> None:
    code, body = run("query", "蚕丝被", "--size", "1")

    assert code == 0
    assert body["total"] == 1
    assert body["took_ms"] > 0
    assert body["items"][0]["title"] == "山岚蚕丝被春秋款"
    assert body["items"][0]["product_id"].startswith("prd_")
    assert body["facets"]["brand"][0]["label"] == "山岚"


def test_query_as_a_login_that_nobody_has_is_wrong_use(stocked: World) -> None:
    assert run("query", "被", "--as", "nobody@nowhere.example")[0] == 2


def test_rebuild_says_what_it_made_and_lets_go_of_the_index(stocked: World) -> None:
    before = get_engine().view().generation

    code, body = run("rebuild")

    assert code == 0
    assert (body["products"], body["listings"], body["by_worker"]) == (2, 2, False)
    assert body["generation"] == get_engine().view().generation != before
    other = other_engine()
    assert other.may_write()
    other.close()


def test_a_rebuild_anew_does_not_go_on_with_the_old(stocked: World) -> None:
    engine = get_engine()
    engine.begin_rebuild(fingerprint=documents_fingerprint())
    engine.write_rebuild([], last_id=10**6)

    assert rebuild_now(engine, anew=True).listings == 2


@pytest.mark.embedded_only("any process may write to a search server")
def test_a_worker_that_holds_the_index_is_asked(
    stocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_listeners", {})
    outbox.listen(tasks.REBUILD_WANTED, "search.rebuild")
    asked = other_engine()

    with pytest.raises(WorkerStopped):
        rebuild_now(asked, patience=0.3)

    assert outbox.backlog()["index"] == {"pending": 1}


@pytest.mark.embedded_only("any process may write to a search server")
def test_waiting_alone_does_the_work_and_waiting_for_a_stopped_worker_ends(
    stocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_listeners", {})
    monkeypatch.setattr(rebuilding, "_ALONE_SECONDS", 0.1)
    outbox.listen("shop.products_changed", "search.index_products")
    change_product(stocked.products["北屿挂耳咖啡"], title="北屿冷萃咖啡")
    other = other_engine()

    with pytest.raises(WorkerStopped):
        wait_until_searchable(other, patience=0.5)
    wait_until_searchable(get_engine())

    assert outbox.backlog() == {}
    assert run("query", "冷萃")[1]["total"] == 1


def test_evaluate_on_the_live_index(stocked: World, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(_LABELS))

    code, body = run("evaluate", str(labels))

    assert code == 0
    assert body["filler_left_out"] == 0
    assert body["sets"]["real"]["queries"] == 2
    assert body["sets"]["real"]["mrr_at_10"] == 1.0
    assert body["sets"]["real"]["failed"] == []


def test_evaluate_with_filler_leaves_the_live_index_alone(stocked: World, tmp_path: Path) -> None:
    labels, titles = tmp_path / "labels.json", tmp_path / "titles.txt"
    labels.write_text(json.dumps(_LABELS))
    titles.write_text("云川蚕丝被夏款\n南方保温杯大容量\n青禾龙井绿茶礼盒\n")
    before = (get_engine().view().generation, get_engine().view().size)

    code, body = run("evaluate", str(labels), "--filler", "50", "--titles", str(titles))

    assert code == 0
    assert body["filler_left_out"] > 0
    assert body["sets"]["real"]["recall_at_100"] == 1.0
    assert (get_engine().view().generation, get_engine().view().size) == before
    assert list(get_settings().data_dir.glob("evaluate-*")) == []


def test_evaluate_refuses_other_files_and_filler_without_titles(
    stocked: World, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text("{}")

    assert run("evaluate", str(labels))[0] == 1
    assert run("evaluate", str(labels), "--filler", "5")[0] == 2
    assert run("evaluate", str(tmp_path / "missing.json"))[0] == 2


def replay_file(tmp_path: Path) -> str:
    file = tmp_path / "queries.txt"
    file.write_text("蚕丝被\n挂耳\n\nzzqqxx\n 被 \n龙井\n", "utf-8")
    return str(file)


def test_replay_searches_once_for_each_line(stocked: World, tmp_path: Path) -> None:
    code, body = run("replay", replay_file(tmp_path))

    assert code == 0
    slowest = body.pop("slowest")
    assert 0 < body.pop("p50_ms") <= body.pop("p99_ms") == slowest[0]["ms"]
    assert {entry["query"] for entry in slowest} == {"蚕丝被", "挂耳", "zzqqxx", "被", "龙井"}
    assert [entry["ms"] for entry in slowest] == sorted((e["ms"] for e in slowest), reverse=True)
    assert sorted(body.pop("zero_examples")) == ["zzqqxx", "龙井"]
    assert body == {
        "queries": 5, "errors": 0, "zero_results": 2, "zero_share": 0.4, "failed": [],
        "next_after": 6,
    }  # fmt: skip


def test_replay_takes_a_part_and_says_where_to_go_on(stocked: World, tmp_path: Path) -> None:
    file = replay_file(tmp_path)
    _, head = run("replay", file, "--limit", "4", "--workers", "1")
    assert (head["queries"], head["zero_examples"], head["next_after"]) == (3, ["zzqqxx"], 4)
    _, rest = run("replay", file, "--after", "4", "--workers", "1")
    assert (rest["queries"], rest["zero_examples"], rest["next_after"]) == (2, ["龙井"], 6)
    _, nothing = run("replay", file, "--after", "6")
    assert (nothing["queries"], nothing["p99_ms"], nothing["zero_share"]) == (0, 0.0, 0.0)


def test_replay_tells_people_a_line_for_each_query(stocked: World, tmp_path: Path) -> None:
    said = CliRunner().invoke(search_commands, ["replay", replay_file(tmp_path)])
    assert said.exit_code == 0
    assert re.search(r"queries +│ 5 ", said.stdout)
    assert re.search(r"蚕丝被  [0-9.]+ ", said.stdout)
    assert re.search(r"│ (zzqqxx|龙井) +│", said.stdout)


def test_replay_counts_and_names_what_fails(
    stocked: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*, request: SearchRequest, **given: Any) -> SearchResult:
        if request.text == "挂耳":
            raise RuntimeError("no coffee")
        return search(request=request, **given)

    monkeypatch.setattr("search.cli.search", failing)

    code, body = run("replay", replay_file(tmp_path))

    assert (code, body["queries"], body["errors"], body["zero_results"]) == (0, 5, 1, 2)
    assert body["zero_share"] == 0.5
    assert body["failed"] == [{"query": "挂耳", "error": "RuntimeError: no coffee"}]


def test_replay_stops_at_ctrl_c_and_finishes_what_was_begun(
    stocked: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, told = threading.Event(), threading.Event()

    def slow(*, request: SearchRequest, **given: Any) -> SearchResult:
        if request.text == "zzqqxx":
            begun.set()
            assert told.wait(30)
        return search(request=request, **given)

    def interrupt() -> None:
        assert begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        # Only after the main thread was told is the query let go on.
        threading.Timer(1.0, told.set).start()

    monkeypatch.setattr("search.cli.search", slow)
    threading.Thread(target=interrupt).start()

    code, body = run("replay", replay_file(tmp_path), "--workers", "1")

    assert (code, body["queries"], body["next_after"]) == (1, 3, 4)
    assert run("replay", replay_file(tmp_path), "--after", "4")[1]["queries"] == 2
