"""Stripe's lists: newest first, by cursor, with ``has_more`` and a few filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from checkout.gateways.sandbox import records
from checkout.gateways.sandbox.errors import invalid
from checkout.gateways.sandbox.forms import Params
from checkout.gateways.sandbox.objects import Dumper
from checkout.gateways.sandbox.store import load

MOST = 100
PAGING = ("limit", "starting_after", "ending_before", "created", "expand")
BOUNDS = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list at ``/v1/{path}``: of which records, and by which columns it may be narrowed."""

    path: str
    kind: type[Any]
    filters: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        return records.TABLES[self.kind]


LISTINGS: Mapping[str, Listing] = {
    listing.path: listing
    for listing in (
        Listing("payment_intents", records.Intent),
        Listing("charges", records.Charge, ("payment_intent",)),
        Listing("refunds", records.Refund, ("payment_intent", "charge")),
        Listing("events", records.Event, ("type", "types")),
        Listing("balance_transactions", records.BalanceTransaction, ("type", "source")),
    )
}


def page(listing: Listing, params: Params, connection: Connection, dumper: Dumper) -> Any:
    """One page in Stripe's envelope."""
    params.only((*PAGING, *listing.filters))
    table = listing.table
    limit = params.integer("limit", least=1, most=MOST) or 10
    query = select(table)
    for condition in _conditions(listing, params):
        query = query.where(condition)
    query, backwards = _from_cursor(query, table, params, connection)
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    shown = list(rows[:limit])
    if backwards:
        shown.reverse()
    body = {
        "object": "list",
        "url": f"/v1/{listing.path}",
        "has_more": len(rows) > limit,
        "data": [dumper.dump(load(listing.kind, row)) for row in shown],
    }
    return dumper.expand(body, params.texts("expand"))


def _conditions(listing: Listing, params: Params) -> list[ColumnElement[bool]]:
    columns = listing.table.c
    found: list[ColumnElement[bool]] = []
    for name in listing.filters:
        if name == "types":
            kinds = params.texts(name)
            if kinds:
                found.append(columns.type.in_(kinds))
        elif value := params.text(name):
            found.append(
                _type_is(columns.type, value) if name == "type" else columns[name] == value
            )
    return found + _created(listing.table, params)


def _type_is(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    if value.endswith(".*"):
        return column.startswith(value[:-1], autoescape=True)
    return column == value


def _created(table: Table, params: Params) -> list[ColumnElement[bool]]:
    if "created" not in params:
        return []
    column = table.c.created
    if not params.is_object("created"):
        return [column == params.integer("created", least=0, most=10**11)]
    bounds = params.child("created")
    if bounds is None:
        return []
    bounds.only(BOUNDS)
    found: list[ColumnElement[bool]] = []
    for name in BOUNDS:
        value = bounds.integer(name, least=0, most=10**11)
        if value is not None:
            found.append(
                {
                    "gt": column > value,
                    "gte": column >= value,
                    "lt": column < value,
                    "lte": column <= value,
                }[name]
            )
    return found


def _from_cursor(
    query: Select[Any], table: Table, params: Params, connection: Connection
) -> tuple[Select[Any], bool]:
    after, before = params.text("starting_after"), params.text("ending_before")
    if after and before:
        raise invalid("You can only specify one of starting_after and ending_before.")
    if before:
        place = _place(table, before, "ending_before", connection)
        return query.where(table.c.seq > place).order_by(table.c.seq), True
    if after:
        place = _place(table, after, "starting_after", connection)
        query = query.where(table.c.seq < place)
    return query.order_by(table.c.seq.desc()), False


def _place(table: Table, object_id: str, param: str, connection: Connection) -> int:
    place: int | None = connection.scalar(select(table.c.seq).where(table.c.id == object_id))
    if place is None:
        raise invalid(f"No such object: '{object_id}'", param=param, code="resource_missing")
    return place
