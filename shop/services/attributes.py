"""The values that attributes have, each under a number that the search index knows it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from sqlalchemy import Table, select

from kernel.bulk import insert_new_rows
from kernel.db import db
from shop.attributes import Attribute
from shop.models import AttributeValue

ATTRIBUTE_VALUE = cast("Table", AttributeValue.__table__)


def keep_attributes(attributes: Iterable[Attribute]) -> None:
    """Number those that have no number yet; in the caller's write transaction."""
    wanted = dict.fromkeys(attributes)
    if not wanted:
        return
    known = find_attributes(wanted)
    # In one order, so that two imports of the same values wait for each other, but not in a ring.
    missing = sorted(attribute for attribute in wanted if attribute not in known)
    insert_new_rows(ATTRIBUTE_VALUE, [{"name": name, "value": value} for name, value in missing])


def find_attributes(attributes: Iterable[Attribute]) -> dict[Attribute, int]:
    """The numbers of those that have one: a statement for each name."""
    by_name: dict[str, list[str]] = {}
    for name, value in attributes:
        by_name.setdefault(name, []).append(value)
    table = ATTRIBUTE_VALUE.c
    return {
        (name, row.value): row.id
        for name, values in by_name.items()
        for row in db.session.execute(
            select(table.id, table.value).where(table.name == name, table.value.in_(values))
        )
    }


def read_attributes(ids: Iterable[int]) -> Mapping[int, Attribute]:
    """Names and values by number."""
    table = ATTRIBUTE_VALUE.c
    rows = db.session.execute(
        select(table.id, table.name, table.value).where(table.id.in_(sorted(ids)))
    )
    return {row.id: (row.name, row.value) for row in rows}
