from __future__ import annotations

import re

import pytest

from kernel import errors
from kernel.errors import PROBLEMS, Conflict, NotFound, Problem


def test_a_problem_says_its_code_and_what_to_do() -> None:
    problem = Conflict("订单已取消", extra={"order_id": "ord_1"}, retry_after=3)
    assert problem.to_dict() == {
        "type": "/api/docs#conflict",
        "title": "状态已变化，请刷新后再试",
        "status": 409,
        "detail": "订单已取消",
        "code": "conflict",
        "order_id": "ord_1",
    }
    assert problem.retry_after == 3
    assert str(problem) == "订单已取消"


def test_without_a_detail_the_title_is_told() -> None:
    assert NotFound().to_dict()["detail"] == "没有找到"


def test_fields_are_named_one_by_one() -> None:
    problem = errors.InvalidInput(errors=[{"field": "phone", "message": "请填写"}])
    assert problem.to_dict()["errors"] == [{"field": "phone", "message": "请填写"}]


def test_a_code_belongs_to_one_problem() -> None:
    with pytest.raises(TypeError, match="problem code 'not_found' is taken by NotFound"):
        type("Other", (Problem,), {"code": "not_found", "status": 404, "title": "x"})
    assert PROBLEMS["not_found"] is NotFound


def test_a_problem_without_a_code_of_its_own_shares_its_parents() -> None:
    kind = type("Gone", (NotFound,), {})
    assert kind().to_dict()["code"] == "not_found"
    assert kind not in PROBLEMS.values()


def test_the_table_of_problems_is_fit_to_be_shown() -> None:
    assert len(PROBLEMS) >= 20
    for code, kind in PROBLEMS.items():
        assert kind.code == code
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", code)
        assert 400 <= kind.status < 600
        assert kind.title != Problem.title
