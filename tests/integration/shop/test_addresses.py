"""The address book: encrypted, masked, one's own, with one default."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.errors import InvalidInput, NotFound
from kernel.web import API
from merchants.services import MerchantView
from shop.services import addresses
from shop.services.addresses import (
    AddressView,
    TooManyAddresses,
    add_address,
    change_address,
    delete_address,
    find_address,
    list_addresses,
    list_regions,
    open_sealed,
    region_name,
)
from tests.factories.enterprises import build_company, hire
from tests.factories.people import PASSWORD

DATA = {
    "name": " 李明 ",
    "phone": "13812345566",
    "region_code": "330106",
    "detail": "文三路 1 号",
}


@pytest.fixture
def person(north: MerchantView) -> Actor:
    with write_transaction():
        return hire(build_company().id)


def _add(person: Actor, *, is_default: bool = False, **changes: str) -> AddressView:
    with write_transaction():
        return add_address(person_id=person.person_id, data=DATA | changes, is_default=is_default)


def _change(person: Actor, address_id: str, *, is_default: bool = False, **changes: str) -> None:
    with write_transaction():
        change_address(
            person_id=person.person_id,
            address_id=address_id,
            data=DATA | changes,
            is_default=is_default,
        )


def _defaults(person: Actor) -> list[tuple[str, bool]]:
    return [(a.detail, a.is_default) for a in list_addresses(person_id=person.person_id)]


def test_an_address_is_masked_on_screen_and_whole_for_who_delivers(person: Actor) -> None:
    made = _add(person)
    assert (made.name, made.phone, made.detail) == ("李明", "138****5566", "文三路 1 号")
    assert (made.region_code, made.region_name) == ("330106", "浙江省 杭州市 西湖区")
    assert open_sealed(made.sealed) == {
        "name": "李明",
        "phone": "13812345566",
        "detail": "文三路 1 号",
    }
    assert find_address(person_id=person.person_id, address_id=made.public_id) == made


def test_nothing_personal_stands_in_the_database_in_the_clear(person: Actor) -> None:
    _add(person)
    row = db.session.execute(text("SELECT * FROM address")).one()
    for secret in ("李明", "13812345566", "文三路"):
        assert all(secret not in str(value) for value in row)


def test_the_first_is_the_default_and_there_is_never_more_than_one(person: Actor) -> None:
    _add(person, detail="甲")
    assert _defaults(person) == [("甲", True)]
    second = _add(person, detail="乙")
    assert _defaults(person) == [("甲", True), ("乙", False)]
    _add(person, detail="丙", is_default=True)
    assert _defaults(person) == [("丙", True), ("甲", False), ("乙", False)]
    _change(person, second.public_id, detail="乙", is_default=True)
    assert _defaults(person) == [("乙", True), ("甲", False), ("丙", False)]
    _change(person, second.public_id, detail="丁")
    assert _defaults(person)[0] == ("丁", True)


def test_a_masked_phone_sent_back_keeps_the_number(person: Actor) -> None:
    made = _add(person)
    _change(person, made.public_id, phone="138****5566", detail="新址")
    kept = find_address(person_id=person.person_id, address_id=made.public_id)
    assert open_sealed(kept.sealed)["phone"] == "13812345566"
    assert kept.detail == "新址"
    _change(person, made.public_id, phone="13900001111")
    kept = find_address(person_id=person.person_id, address_id=made.public_id)
    assert kept.phone == "139****1111"


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"region_code": "999999"}, ["region_code"]),
        ({"region_code": ""}, ["region_code"]),
        ({"phone": "123"}, ["phone"]),
        ({"phone": "139****0000"}, ["phone"]),
        ({"phone": "138-abc-5566"}, ["phone"]),
        ({"phone": "x", "region_code": "x"}, ["region_code", "phone"]),
    ],
)
def test_what_cannot_be_delivered_to_is_refused(
    person: Actor, changes: dict[str, str], fields: list[str]
) -> None:
    made = _add(person)
    for attempt in (
        lambda: _add(person, is_default=False, **changes),
        lambda: _change(person, made.public_id, is_default=False, **changes),
    ):
        with pytest.raises(InvalidInput) as caught:
            attempt()
        assert [entry["field"] for entry in caught.value.errors] == fields
    assert list_addresses(person_id=person.person_id) == [made]


@pytest.mark.parametrize("phone", ["13812345566", "+86 138 1234 5566", "0571-88888888"])
def test_phones_as_people_write_them(person: Actor, phone: str) -> None:
    assert open_sealed(_add(person, phone=phone).sealed)["phone"] == phone


def test_nobody_reaches_anothers_address(person: Actor) -> None:
    made = _add(person)
    with write_transaction():
        other = hire(build_company("贝塔贸易").id)
    assert list_addresses(person_id=other.person_id) == []
    attempts = (
        lambda: find_address(person_id=other.person_id, address_id=made.public_id),
        lambda: _change(other, made.public_id, detail="x"),
        lambda: _delete(other, made.public_id),
    )
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert list_addresses(person_id=person.person_id) == [made]


def _delete(person: Actor, address_id: str) -> None:
    with write_transaction():
        delete_address(person_id=person.person_id, address_id=address_id)


def test_a_deleted_address_is_gone(person: Actor) -> None:
    made = _add(person)
    _delete(person, made.public_id)
    assert list_addresses(person_id=person.person_id) == []
    with pytest.raises(NotFound):
        _delete(person, made.public_id)


def test_deleting_the_default_leaves_one_of_the_others_default(person: Actor) -> None:
    first = _add(person, detail="甲")
    _add(person, detail="乙")
    _add(person, detail="丙")
    _delete(person, first.public_id)
    assert _defaults(person) == [("乙", True), ("丙", False)]


def test_there_is_an_end_to_addresses(person: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 2)
    _add(person)
    _add(person)
    before = list_addresses(person_id=person.person_id)
    with pytest.raises(TooManyAddresses):
        _add(person)
    assert list_addresses(person_id=person.person_id) == before


def test_regions_go_from_province_to_district() -> None:
    provinces = list_regions(parent="")
    assert {"code": "330000", "name": "浙江省", "has_children": True} in provinces
    assert 30 <= len(provinces) <= 34
    cities = list_regions(parent="330000")
    assert cities[0] == {"code": "330100", "name": "杭州市", "has_children": True}
    districts = list_regions(parent="330100")
    assert {"code": "330106", "name": "西湖区", "has_children": False} in districts
    assert list_regions(parent="330106") == []
    assert list_regions(parent="nowhere") == []


@pytest.mark.parametrize(
    ("code", "name"),
    [("330106", "浙江省 杭州市 西湖区"), ("330000", "浙江省"), ("110101", "北京市 东城区")],
)
def test_a_region_is_told_with_all_above_it(code: str, name: str) -> None:
    assert region_name(code) == name


def test_the_address_book_over_http(person: Actor, client: FlaskClient) -> None:
    signed_in = client.post(
        f"{API}/auth/login", json={"login": person.login, "password": PASSWORD}
    ).get_json()
    headers = {"X-CSRF-Token": signed_in["csrf_token"]}
    body = DATA | {"is_default": False}
    made = client.post(f"{API}/addresses", json=body, headers=headers)
    assert made.status_code == 201
    assert made.get_json()["phone"] == "138****5566"
    assert "sealed" not in made.get_json()
    address_id = made.get_json()["address_id"]
    changed = client.put(
        f"{API}/addresses/{address_id}", json=body | {"detail": "新址"}, headers=headers
    )
    assert changed.get_json()["detail"] == "新址"
    listed = client.get(f"{API}/addresses").get_json()
    assert listed == {"items": [changed.get_json()]}
    refused = client.post(f"{API}/addresses", json=body | {"phone": "1"}, headers=headers)
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "phone")
    assert client.delete(f"{API}/addresses/{address_id}", headers=headers).status_code == 204
    assert client.delete(f"{API}/addresses/{address_id}", headers=headers).status_code == 404
    regions = client.get(f"{API}/regions", query_string={"parent": "330100"}).get_json()
    assert regions["items"][0]["code"].startswith("3301")
    categories = client.get(f"{API}/categories").get_json()["items"]
    assert categories[0]["children"][0]["id"].startswith("cat_")
