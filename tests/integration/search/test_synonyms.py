"""Synonyms in a real database: in use without a rebuild, and every change in the audit log."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel.audit.models import AuditEntry
from kernel.audit.services import verify
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.errors import InvalidInput, NotFound
from search import synonyms
from search.engines.choice import get_engine
from search.models import SearchSynonym
from search.requests import SearchRequest
from search.services import search
from search.synonyms import (
    SynonymInput,
    SynonymKind,
    SynonymView,
    TooManySynonyms,
    add_synonym,
    change_synonym,
    current_synonyms,
    delete_synonym,
    list_synonyms,
)
from tests.factories.people import build_operator
from tests.integration.search.world import World, add_product, index, viewer


@pytest.fixture
def operator(app: Flask) -> Actor:
    with write_transaction():
        return build_operator()


def group(*words: str, active: bool = True) -> SynonymInput:
    return SynonymInput(SynonymKind.GROUP, "", words, active)


def alias(word: str, *words: str) -> SynonymInput:
    return SynonymInput(SynonymKind.ALIAS, word, words)


def add(actor: Actor, data: SynonymInput) -> SynonymView:
    with write_transaction():
        return add_synonym(actor=actor, data=data)


def actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


def test_a_change_is_in_use_at_once_and_audited(operator: Actor) -> None:
    assert current_synonyms().alternatives("充电宝") == ()

    added = add(operator, group("充电宝", "移动电源", "充电宝"))
    assert added.words == ("充电宝", "移动电源")
    assert current_synonyms().alternatives("充电宝") == ("移动电源",)

    with write_transaction():
        change_synonym(
            actor=operator, synonym_id=added.public_id, data=group("充电宝", "Power Bank")
        )
    assert current_synonyms().alternatives("充电宝") == ("power bank",)
    assert current_synonyms().alternatives("移动电源") == ()

    with write_transaction():
        off = group("充电宝", "power bank", active=False)
        change_synonym(actor=operator, synonym_id=added.public_id, data=off)
    assert current_synonyms().alternatives("充电宝") == ()

    with write_transaction():
        delete_synonym(actor=operator, synonym_id=added.public_id)
    assert list_synonyms(word="", before=None, limit=10) == []
    assert actions() == [
        "search.synonym_added",
        "search.synonym_changed",
        "search.synonym_changed",
        "search.synonym_deleted",
    ]
    assert verify() is None


def test_what_another_process_changed_is_seen_when_the_remembered_runs_out(
    operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert current_synonyms().alternatives("a1") == ()
    monkeypatch.setattr(synonyms, "forget_after_commit", lambda _: None)
    add(operator, group("a1", "b1"))
    assert current_synonyms().alternatives("a1") == ()
    now = synonyms._remembered._clock()
    monkeypatch.setattr(synonyms._remembered, "_clock", lambda: now + 5.1)
    assert current_synonyms().alternatives("a1") == ("b1",)


def test_a_change_that_is_rolled_back_is_in_use_nowhere(operator: Actor) -> None:
    def fail() -> None:
        with write_transaction():
            add_synonym(actor=operator, data=group("a1", "b1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert current_synonyms().alternatives("a1") == ()
    assert actions() == []


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (group("被"), "words"),
        (group("被", "被 "), "words"),
        (group("被", "！？"), "words.1"),
        (group("被", "长" * 33), "words.1"),
        (alias("", "被"), "word"),
        (alias("？", "被"), "word"),
        (alias("被", "被"), "words"),
    ],
)
def test_words_that_say_nothing_are_refused(
    operator: Actor, data: SynonymInput, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(operator, data)
    assert field in [error["field"] for error in refused.value.errors]
    assert db.session.scalar(select(func.count()).select_from(SearchSynonym)) == 0
    assert actions() == []


def test_there_is_an_end_to_their_number(operator: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synonyms, "MAX_SYNONYMS", 2)
    add(operator, group("a1", "b1"))
    add(operator, group("c1", "d1"))
    with pytest.raises(TooManySynonyms):
        add(operator, group("e1", "f1"))


def test_lists_are_newest_first_and_by_word(operator: Actor) -> None:
    for data in (group("番茄", "西红柿"), alias("番茄酱", "ketchup"), group("土豆", "马铃薯")):
        add(operator, data)

    rows = list_synonyms(word="", before=None, limit=2)
    assert [view.words for _, view in rows] == [("土豆", "马铃薯"), ("ketchup",)]
    rest = list_synonyms(word="", before=rows[-1][0], limit=2)
    assert [view.words for _, view in rest] == [("番茄", "西红柿")]
    found = list_synonyms(word="番茄", before=None, limit=1)
    assert [view.word for _, view in found] == ["番茄酱"]
    assert len(list_synonyms(word="番茄", before=None, limit=9)) == 2


def test_what_is_not_there_is_not_found(operator: Actor) -> None:
    with pytest.raises(NotFound), write_transaction():
        change_synonym(actor=operator, synonym_id="syn_none", data=group("a1", "b1"))
    with pytest.raises(NotFound), write_transaction():
        delete_synonym(actor=operator, synonym_id="syn_none")


def test_searches_hear_of_a_synonym_without_a_rebuild(world: World, operator: Actor) -> None:
    add_product(world, "普罗旺斯西红柿五斤装")
    add_product(world, "桑蚕丝夏被")
    index(world)
    state = get_engine().state()

    def found(text: str) -> list[str]:
        result = search(viewer=viewer(), request=SearchRequest(text))
        assert result.total == len(result.items)
        return [item.title for item in result.items]

    assert found("番茄") == []
    added = add(operator, group("番茄", "西红柿"))
    assert found("番茄") == ["普罗旺斯西红柿五斤装"]
    assert get_engine().state() == state
    with write_transaction():
        delete_synonym(actor=operator, synonym_id=added.public_id)
    assert found("番茄") == []
