from __future__ import annotations

import pytest

from checkout.gateways.sandbox.errors import ApiError
from checkout.gateways.sandbox.forms import Params, merge_metadata, parse_form


def test_nested_names_and_both_kinds_of_lists() -> None:
    tree = parse_form(
        "amount=100&metadata[order]=ord_1&metadata[note]=%E7%A6%8F+a&expand[]=a&expand[]=b"
        "&types[1]=y&types[0]=x&payment_method_data[card][number]=4242"
    )
    assert tree == {
        "amount": "100",
        "metadata": {"order": "ord_1", "note": "福 a"},
        "expand": {"0": "a", "1": "b"},
        "types": {"1": "y", "0": "x"},
        "payment_method_data": {"card": {"number": "4242"}},
    }
    assert Params(tree).texts("expand") == ["a", "b"]
    assert Params(tree).metadata() == {"order": "ord_1", "note": "福 a"}


@pytest.mark.parametrize(
    "body",
    [
        "a=1&a[b]=2",
        "a[b]=2&a=1",
        "a[b][c][d][e][f]=1",
        "a]b=1",
        "a=%ff",
        "&".join(f"a{i}=1" for i in range(501)),
    ],
)
def test_malformed_bodies_are_refused(body: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_form(body)
    assert caught.value.status == 400
    assert caught.value.validation


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("amount=1.5", "parameter_invalid_integer"),
        ("amount=abc", "parameter_invalid_integer"),
        ("amount=0", "parameter_invalid_integer"),
        ("amount=-5", "parameter_invalid_integer"),
        ("amount=", "parameter_invalid_integer"),
        ("amount=１００", "parameter_invalid_integer"),
        ("amount=100000000", "amount_too_large"),
        ("amount=1000000000000", "amount_too_large"),
        ("amount[x]=1", None),
    ],
)
def test_amounts(body: str, code: str | None) -> None:
    with pytest.raises(ApiError) as caught:
        Params(parse_form(body)).integer("amount", least=1, most=99_999_999)
    assert (caught.value.code, caught.value.param) == (code, "amount")


def test_unknown_parameters_are_named_in_full() -> None:
    params = Params(parse_form("card[number]=1&card[colour]=red")).child("card")
    assert params is not None
    with pytest.raises(ApiError) as caught:
        params.only(("number",))
    assert caught.value.code == "parameter_unknown"
    assert caught.value.param == "card[colour]"


@pytest.mark.parametrize(
    ("old", "change", "merged"),
    [
        ({"a": "1"}, None, {"a": "1"}),
        ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": "1", "b": "2"}, {"a": ""}, {"b": "2"}),
        ({"a": "1"}, {}, {}),
    ],
)
def test_metadata_merges(
    old: dict[str, str], change: dict[str, str] | None, merged: dict[str, str]
) -> None:
    assert merge_metadata(old, change) == merged


def test_metadata_limits() -> None:
    with pytest.raises(ApiError):
        merge_metadata({}, {str(i): "x" for i in range(51)})
    for body in ("metadata[" + "k" * 41 + "]=1", "metadata[k]=" + "v" * 501, "metadata[a][b]=1"):
        with pytest.raises(ApiError) as caught:
            Params(parse_form(body)).metadata()
        assert caught.value.status == 400
