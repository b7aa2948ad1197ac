"""Facets of the demo world: each count is what its choice finds, and none tells what is hidden."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.shopper import Client, body, problem


def _ask(client: Client, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = body(client.get("/search", **asked))
    return answer


def _category(client: Client, name: str) -> str:
    for top in body(client.get("/categories"))["items"]:
        for each in (top, *top["children"]):
            if each["name"] == name:
                return str(each["id"])
    raise LookupError(name)


def _of_attributes(facets: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {name: values for name, values in facets.items() if name.startswith("attribute.")}


@pytest.mark.parametrize("name", ["被子", "杯壶", "坚果炒货"])
def test_what_is_offered_of_a_category_is_what_is_found(employee: Client, name: str) -> None:
    category = _category(employee, name)
    whole = _ask(employee, category=category)
    attributes = _of_attributes(whole["facets"])

    assert 0 < len(attributes) <= 6
    for key, values in {**attributes, "price": whole["facets"]["price"]}.items():
        assert 0 < len(values) <= 20
        for each in values:
            chosen = _ask(employee, category=category, **{key: each["value"]})
            assert chosen["total"] == each["count"] > 0
            assert [v for v in chosen["facets"][key] if v not in values] == []
    assert sum(each["count"] for each in whole["facets"]["price"]) == whole["total"]
    assert _of_attributes(_ask(employee, q=name)["facets"])


def test_all_goods_are_divided_by_price(employee: Client) -> None:
    whole = _ask(employee)
    prices = whole["facets"]["price"]

    assert 4 <= len(prices) <= 6
    assert sum(each["count"] for each in prices) == whole["total"]
    assert max(each["count"] for each in prices) <= whole["total"] / 2
    assert _of_attributes(whole["facets"]) == {}
    two = _ask(employee, price=[prices[0]["value"], prices[-1]["value"]])
    assert two["total"] == prices[0]["count"] + prices[-1]["count"]
    assert two["facets"]["price"] == prices


def test_what_a_programme_hides_has_no_facets_and_is_not_related(
    employee: Client, stranger: Client
) -> None:
    """Beta's people see no liquor."""
    liquor = _ask(employee, q="白酒")["items"][0]["category"]
    seen = _of_attributes(_ask(employee, category=liquor["id"])["facets"])
    asked = {f"{name}": values[0]["value"] for name, values in seen.items()}

    assert seen
    assert _of_attributes(_ask(stranger, category=liquor["id"])["facets"]) == {}
    for name, value in asked.items():
        found = _ask(stranger, category=liquor["id"], **{name: value})
        assert (found["total"], found["facets"][name]) == (
            0,
            [{"value": value, "label": value, "count": 0}],
        )
    nothing = {"q": f"{liquor['name']} 蚕丝被 联名", "price_max": 1}
    offered = {each["id"]: each for each in _ask(employee, **nothing)["related_categories"]}
    assert liquor["id"] in offered
    others = _ask(stranger, **nothing)["related_categories"]
    assert others
    assert liquor["id"] not in {each["id"] for each in others}
    for each in others:
        assert _ask(stranger, category=each["id"])["total"] == each["count"]


def test_too_much_is_refused(employee: Client) -> None:
    many = {f"attribute.{number}": "1" for number in range(11)}
    for asked in (many, {"attribute.颜色": [str(n) for n in range(51)]}, {"attribute.长" * 9: "1"}):
        refused = problem(employee.get("/search", **asked), 422, "invalid_input")
        assert {each["field"].split(".")[0] for each in refused["errors"]} == {"attribute"}
