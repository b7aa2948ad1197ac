"""Reading and writing what is remembered of a merchant's feeds; the caller commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import BindParameter, Table, bindparam, delete, insert, select, update

from kernel.bulk import insert_rows, update_rows
from kernel.db import db
from kernel.ids import public_id
from merchants.feeds.columns import SYNONYMS, fold_header
from merchants.feeds.models import FeedCategory, FeedError, FeedHeader, FeedLastRow, FeedRun
from merchants.services import APPROVED, MerchantNotApproved, find_merchant

LAST_ROW = cast("Table", FeedLastRow.__table__)
RUN = cast("Table", FeedRun.__table__)
ERROR = cast("Table", FeedError.__table__)
HEADER = cast("Table", FeedHeader.__table__)
CATEGORY = cast("Table", FeedCategory.__table__)

# Made once: every batch asks it.
_CODES: BindParameter[Any] = bindparam("codes", expanding=True)
_LAST_ROWS = select(LAST_ROW.c.sku_code, LAST_ROW.c.offer_id, LAST_ROW.c.columns).where(
    LAST_ROW.c.merchant_id == bindparam("merchant_id"), LAST_ROW.c.sku_code.in_(_CODES)
)

RUNNING, DONE, STOPPED, LEFT = "running", "done", "stopped", "left"


@dataclass(slots=True)
class Progress:
    """Counts of rows (SKUs), and the number of the last row that is dealt with."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    row_number: int = 0

    @property
    def rows(self) -> int:
        return self.new + self.changed + self.unchanged + self.bad


@dataclass(frozen=True, slots=True)
class BadRecord:
    number: int
    cells: list[str]
    message: str


@dataclass(slots=True)
class Run:
    """A run under way; ``id`` 0 is a dry run, of which nothing is kept."""

    id: int
    public_id: str
    progress: Progress = field(default_factory=Progress)


def find_approved_merchant(code: str) -> int:
    """The merchant's id. Raises NotFound, MerchantNotApproved."""
    merchant = find_merchant(code=code)
    if merchant.state != APPROVED:
        raise MerchantNotApproved
    return merchant.id


def recall_headers(merchant_id: int) -> dict[str, str]:
    """Folded header → field."""
    query = select(HEADER.c.header, HEADER.c.field).where(HEADER.c.merchant_id == merchant_id)
    return dict(db.session.execute(query).tuples().all())


def remember_headers(merchant_id: int, mapping: Mapping[str, str]) -> None:
    """Keep header → field for the merchant's next files. Raises ValueError for no such field."""
    known = recall_headers(merchant_id)
    for header, name in mapping.items():
        if name not in SYNONYMS:
            raise ValueError(f"a feed has no field {name!r}")
        folded = fold_header(header)[:100]
        if folded not in known:
            row = {"merchant_id": merchant_id, "header": folded, "field": name}
            db.session.execute(insert(HEADER), [row])
        elif known[folded] != name:
            where = (HEADER.c.merchant_id == merchant_id) & (HEADER.c.header == folded)
            db.session.execute(update(HEADER).where(where).values(field=name))


def recall_categories(merchant_id: int) -> dict[str, int]:
    """The merchant's own category names → category id."""
    query = select(CATEGORY.c.name, CATEGORY.c.category_id)
    rows = db.session.execute(query.where(CATEGORY.c.merchant_id == merchant_id))
    return dict(rows.tuples().all())


def remember_category(merchant_id: int, *, name: str, category_id: int) -> None:
    """From the next import on, the merchant's ``name`` means this category."""
    where = (CATEGORY.c.merchant_id == merchant_id) & (CATEGORY.c.name == name)
    db.session.execute(delete(CATEGORY).where(where))
    row = {"merchant_id": merchant_id, "name": name, "category_id": category_id}
    db.session.execute(insert(CATEGORY), [row])


def recall_rows(merchant_id: int, sku_codes: Collection[str]) -> dict[str, tuple[int, str]]:
    """(offer id, last row) by SKU code."""
    rows = db.session.execute(_LAST_ROWS, {"merchant_id": merchant_id, "codes": sku_codes})
    return {code: (offer_id, columns) for code, offer_id, columns in rows}


def keep_rows(
    merchant_id: int,
    *,
    new: Sequence[tuple[str, int, str]],
    changed: Sequence[tuple[str, str]],
) -> None:
    """``new`` are (SKU code, offer id, row), ``changed`` are (SKU code, row)."""
    if new:
        insert_rows(
            LAST_ROW,
            [
                {
                    "merchant_id": merchant_id,
                    "sku_code": code,
                    "offer_id": offer_id,
                    "columns": columns,
                }
                for code, offer_id, columns in new
            ],
        )
    if changed:
        update_rows(
            LAST_ROW,
            [
                {"merchant_id": merchant_id, "sku_code": code, "columns": columns}
                for code, columns in changed
            ],
            key=("merchant_id", "sku_code"),
        )


def begin_run(merchant_id: int, *, file_name: str, digest: str, at: Any) -> Run:
    """The run of this file that a crash interrupted, or a new one. A run of another file that is
    still open was left behind and is closed.
    """
    open_runs = (RUN.c.merchant_id == merchant_id) & (RUN.c.state == RUNNING)
    found = db.session.execute(
        select(RUN).where(open_runs, RUN.c.digest == digest).order_by(RUN.c.id.desc()).limit(1)
    ).one_or_none()
    others = open_runs if found is None else open_runs & (RUN.c.id != found.id)
    db.session.execute(update(RUN).where(others).values(state=LEFT, updated_at=at))
    if found is not None:
        counts = Progress(found.new, found.changed, found.unchanged, found.bad, found.row_number)
        return Run(found.id, found.public_id, counts)
    name = public_id("fed")
    values = {
        "public_id": name,
        "merchant_id": merchant_id,
        "file_name": file_name[:200],
        "digest": digest,
        "state": RUNNING,
        "started_at": at,
        "updated_at": at,
    }
    db.session.execute(insert(RUN), [values])
    made = db.session.scalars(select(RUN.c.id).where(RUN.c.public_id == name)).one()
    return Run(made, name)


def keep_progress(run: Run, *, at: Any, state: str = RUNNING) -> None:
    values = {
        name: getattr(run.progress, name)
        for name in ("new", "changed", "unchanged", "bad", "row_number")
    }
    statement = update(RUN).where(RUN.c.id == run.id)
    db.session.execute(statement.values(state=state, updated_at=at, **values))


def keep_errors(run: Run, bad: Sequence[BadRecord]) -> None:
    if bad:
        rows = [
            {
                "run_id": run.id,
                "row_number": record.number,
                "cells": record.cells,
                "message": record.message[:300],
            }
            for record in bad
        ]
        db.session.execute(insert(ERROR), rows)


def errors_after(run: Run, row_number: int, limit: int = 1000) -> list[BadRecord]:
    """Bad rows in the file's order, by pages: pass the last number seen."""
    query = (
        select(ERROR.c.row_number, ERROR.c.cells, ERROR.c.message)
        .where(ERROR.c.run_id == run.id, ERROR.c.row_number > row_number)
        .order_by(ERROR.c.row_number)
        .limit(limit)
    )
    return [BadRecord(*row) for row in db.session.execute(query)]
