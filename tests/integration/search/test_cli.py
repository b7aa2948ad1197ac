"""``mall search``: rebuild, query, evaluate, and waiting for the index."""

import json
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
