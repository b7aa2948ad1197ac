"""A person's address book. Name, phone and detail are encrypted (Domain rule 21)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import Row, Table, bindparam, func, select, update

from kernel import clock
from kernel.crypto import decrypt, encrypt, mask_phone
from kernel.db import db, run
from kernel.errors import InvalidInput, NotFound, Problem
from kernel.ids import public_id
from shop.models import Address

_REGIONS = Path(__file__).resolve().parent.parent / "regions.json"
MAX_ADDRESSES = 30
_PHONE = re.compile(r"\+?[0-9][0-9 -]{6,18}[0-9]")


# Made once: building a statement costs more than running it.
_FIND = select(cast("Table", Address.__table__)).where(
    Address.public_id == bindparam("the_address"), Address.person_id == bindparam("the_owner")
)


class TooManyAddresses(Problem):
    code = "too_many_addresses"
    status = 409
    title = "地址太多，请先删除不用的地址"


@dataclass(frozen=True, slots=True)
class AddressView:
    """``phone`` is masked; ``sealed`` is the encrypted whole, to go with an order."""

    public_id: str
    name: str
    phone: str
    region_code: str
    region_name: str
    detail: str
    is_default: bool
    sealed: str


@lru_cache(maxsize=1)
def _regions() -> Mapping[str, str]:
    """Administrative division codes (GB/T 2260) and names."""
    content: dict[str, str] = orjson.loads(_REGIONS.read_bytes())
    return content


def _parent(code: str) -> str:
    if code.endswith("0000"):
        return ""
    return code[:2] + "0000" if code.endswith("00") else code[:4] + "00"


@lru_cache(maxsize=1)
def _children() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code in _regions():
        found.setdefault(_parent(code), []).append(code)
    return found


def list_regions(*, parent: str) -> list[dict[str, object]]:
    """Divisions below ``parent`` (the provinces for an empty one), in code order."""
    return [
        {"code": code, "name": _regions()[code], "has_children": code in _children()}
        for code in sorted(_children().get(parent, ()))
    ]


def region_name(code: str) -> str:
    """``浙江省 杭州市 西湖区``."""
    names: list[str] = []
    while code:
        name = _regions().get(code, "")
        if name and name not in names:
            names.append(name)
        code = _parent(code)
    return " ".join(reversed(names))


def _checked(data: Mapping[str, str]) -> str:
    errors = []
    if data["region_code"] not in _regions():
        errors.append({"field": "region_code", "message": "没有这个地区"})
    if not _PHONE.fullmatch(data["phone"]):
        errors.append({"field": "phone", "message": "请填写有效的电话号码"})
    if errors:
        raise InvalidInput("地址有误", errors=errors)
    return encrypt(orjson.dumps({k: data[k].strip() for k in ("name", "phone", "detail")}).decode())


def open_sealed(sealed: str) -> dict[str, str]:
    """``{name, phone, detail}`` in the clear, for those who deliver."""
    content: dict[str, str] = orjson.loads(decrypt(sealed))
    return content


def _view(row: Address | Row[Any]) -> AddressView:
    content = open_sealed(row.sealed)
    return AddressView(
        public_id=row.public_id,
        name=content["name"],
        phone=mask_phone(content["phone"]),
        region_code=row.region_code,
        region_name=region_name(row.region_code),
        detail=content["detail"],
        is_default=row.is_default,
        sealed=row.sealed,
    )


def list_addresses(*, person_id: int) -> list[AddressView]:
    """The default one first."""
    rows = db.session.scalars(
        select(Address)
        .where(Address.person_id == person_id)
        .order_by(Address.is_default.desc(), Address.id)
        .limit(MAX_ADDRESSES)
    )
    return [_view(row) for row in rows]


def find_address(*, person_id: int, address_id: str) -> AddressView:
    """Raises :class:`NotFound` also for somebody else's."""
    row = run(_FIND, [{"the_address": address_id, "the_owner": person_id}]).one_or_none()
    if row is None:
        raise NotFound("没有这个地址")
    return _view(row)


def _own(person_id: int, address_id: str) -> Address:
    row = db.session.scalar(
        select(Address).where(Address.public_id == address_id, Address.person_id == person_id)
    )
    if row is None:
        raise NotFound("没有这个地址")
    return row


def _make_default(person_id: int, address: Address) -> None:
    db.session.execute(
        update(Address)
        .where(Address.person_id == person_id, Address.id != address.id)
        .values(is_default=False)
    )
    address.is_default = True


def add_address(*, person_id: int, data: Mapping[str, str], is_default: bool) -> AddressView:
    """``data``: name, phone, region_code, detail. Raises InvalidInput, TooManyAddresses."""
    sealed = _checked(data)
    count = db.session.scalar(select(func.count()).where(Address.person_id == person_id)) or 0
    if count >= MAX_ADDRESSES:
        raise TooManyAddresses
    address = Address(
        public_id=public_id("adr"),
        person_id=person_id,
        sealed=sealed,
        region_code=data["region_code"],
        is_default=False,
        created_at=clock.now(),
    )
    db.session.add(address)
    db.session.flush()
    if is_default or count == 0:
        _make_default(person_id, address)
    return _view(address)


def change_address(
    *, person_id: int, address_id: str, data: Mapping[str, str], is_default: bool
) -> AddressView:
    """Replace an address. A masked phone sent back unchanged keeps the number that was there."""
    address = _own(person_id, address_id)
    before = open_sealed(address.sealed)
    if data["phone"] == mask_phone(before["phone"]):
        data = {**data, "phone": before["phone"]}
    address.sealed = _checked(data)
    address.region_code = data["region_code"]
    if is_default:
        _make_default(person_id, address)
    db.session.flush()
    return _view(address)


def delete_address(*, person_id: int, address_id: str) -> None:
    """The oldest of the others becomes the default, where this one was. Raises NotFound."""
    address = _own(person_id, address_id)
    was_default = address.is_default
    db.session.delete(address)
    db.session.flush()
    if not was_default:
        return
    heir = db.session.scalar(
        select(Address).where(Address.person_id == person_id).order_by(Address.id).limit(1)
    )
    if heir is not None:
        heir.is_default = True
        db.session.flush()
