"""Bulk writing against a server that answers as told: no room, conflicts, refusals."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import orjson
import pytest

from search.engines.base import EngineUnavailable, ProductChange, RefusedDocuments
from search.engines.elasticsearch_bulk import BulkWriter, NoSuchAlias
from search.engines.elasticsearch_server import ElasticsearchServer, EngineOverloaded
from tests.integration.search.listings import group

Answer = Callable[[str, str], dict[str, Any]]


class Server:
    """Answers each line of a bulk request by a function of kind and id; remembers requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[list[str]] = []
        self.pauses: list[float] = []

    @property
    def writing(self) -> "Server":
        return self

    def call(self, ask: Callable[[], Any]) -> Any:
        return ask()

    def bulk(self, *, operations: Sequence[bytes], **_: Any) -> dict[str, Any]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        lines = [orjson.loads(each) for each in operations]
        headers = [each for each in lines if each.keys() <= {"index", "delete"}]
        kinds = [(kind, line["_id"]) for header in headers for kind, line in header.items()]
        self.requests.append([f"{kind} {id_}" for kind, id_ in kinds])
        return {"items": [{kind: answer(kind, id_)} for kind, id_ in kinds]}


def writer(server: Server) -> BulkWriter:
    return BulkWriter(cast(ElasticsearchServer, server), sleep=server.pauses.append)


def created(_kind: str, _id: str) -> dict[str, Any]:
    return {"status": 201, "result": "created"}


def no_room(_kind: str, _id: str) -> dict[str, Any]:
    return {"status": 429, "error": {"type": "es_rejected_execution_exception"}}


def one(product_id: int, version: int = 1) -> ProductChange:
    return group(product_id, version=version, merchants=(1,))


def test_what_found_no_room_is_sent_again_with_growing_pauses() -> None:
    def half(kind: str, id_: str) -> dict[str, Any]:
        return no_room(kind, id_) if id_ == "2.0" else created(kind, id_)

    server = Server(half, half, half, created)

    report = writer(server).write("alias", [one(1), one(2)])

    assert (report.written, report.stale) == (2, 0)
    assert server.requests == [["index 1.0", "index 2.0"], *[["index 2.0"]] * 3]
    assert server.pauses == [0.1, 0.2, 0.4]


def test_a_server_that_stays_full_is_unavailable() -> None:
    def full(_kind: str, _id: str) -> dict[str, Any]:
        raise EngineOverloaded("queue is full")

    for answer in (full, no_room):
        server = Server(answer)
        with pytest.raises(EngineUnavailable):
            writer(server).write("alias", [one(1)])
        assert max(server.pauses) == 5.0


def test_refused_documents_are_named_after_all_others_were_written() -> None:
    def refuses(kind: str, id_: str) -> dict[str, Any]:
        if id_ == "2.0":
            return {"status": 400, "error": {"type": "x", "reason": "no such field"}}
        return created(kind, id_)

    server = Server(refuses)

    with pytest.raises(RefusedDocuments, match=r"\[2\].*no such field") as refused:
        writer(server).write("alias", [one(1), one(2), one(3)])

    assert refused.value.product_ids == (2,)
    assert server.requests == [["index 1.0", "index 2.0", "index 3.0"]]


def test_a_stale_writer_takes_back_what_it_wrote_and_what_is_older_beyond_it() -> None:
    """The newer writer stops at the gap that this one makes, so this one must go on."""

    def newer_first(kind: str, id_: str) -> dict[str, Any]:
        if kind == "delete":
            found = id_ in {"7.2", "7.3"}
            return {"status": 200 if found else 404, "result": "deleted" if found else "not_found"}
        if id_ != "7.2":
            return {"status": 409, "error": {"type": "version_conflict_engine_exception"}}
        return {"status": 200, "result": "updated"}

    server = Server(newer_first)

    report = writer(server).write("alias", [group(7, version=4, merchants=(1, 2, 3))])

    assert (report.written, report.stale) == (0, 1)
    assert server.requests[1:] == [["delete 7.2"], ["delete 7.3"], ["delete 7.4"]]


def test_a_group_that_was_replaced_is_cut_off_at_its_end() -> None:
    def was_longer(kind: str, id_: str) -> dict[str, Any]:
        if kind == "index":
            return {"status": 200, "result": "updated"}
        found = id_ != "7.4"
        return {"status": 200 if found else 404, "result": "deleted" if found else "not_found"}

    server = Server(was_longer)

    report = writer(server).write("alias", [group(7, version=5, merchants=(1, 2))])

    assert (report.written, report.stale) == (1, 0)
    assert server.requests[1:] == [["delete 7.2"], ["delete 7.3"], ["delete 7.4"]]


def test_requests_are_bounded_and_a_missing_alias_is_told() -> None:
    server = Server(created)
    writer(server).write("alias", [one(number) for number in range(2_500)])
    assert [len(request) for request in server.requests] == [1_250, 1_250]

    gone = Server(
        lambda _kind, _id: {"status": 404, "error": {"type": "index_not_found_exception"}}
    )
    with pytest.raises(NoSuchAlias):
        writer(gone).write("alias", [one(1)])
