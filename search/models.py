"""What the platform's operators tell the search, and how often words are searched for."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, UtcDateTime
from search.query_key import MAX_QUERY


class SearchSynonym(Base):
    """Words that mean the same (``group``), or one that stands for others (``alias``).

    ``words`` are the members of the group, or what the alias stands for; all are normalised as
    queries are. ``word`` is the alias itself, empty for a group.
    """

    __tablename__ = "search_synonym"
    __table_args__ = (CheckConstraint("(kind = 'alias') = (word <> '')", name="alias_has_word"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    kind: Mapped[str] = mapped_column(String(8), nullable=False)  # group, alias
    word: Mapped[str] = mapped_column(String(MAX_QUERY), nullable=False, default="")
    words: Mapped[list[str]] = mapped_column(Json, nullable=False)
    active: Mapped[bool] = mapped_column(nullable=False, default=True)
    changed_by: Mapped[str] = mapped_column(String(32), nullable=False)  # a person's public id
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class SearchRule(Base):
    """What is done with one product in the list of one query or of one category.

    Either ``query`` (normalised and exact, see ``search.query_key``) or ``category_id`` is
    given; the other is empty or 0. A product has at most one live rule and one draft in a list.
    """

    __tablename__ = "search_rule"
    __table_args__ = (
        UniqueConstraint("query", "category_id", "product_id", "state"),
        # The rules that are in force, read by every process every few seconds.
        Index("ix_search_rule_state_valid_until", "state", "valid_until"),
        CheckConstraint("(query = '') <> (category_id = 0)", name="one_list"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    query: Mapped[str] = mapped_column(String(MAX_QUERY), nullable=False, default="")
    category_id: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    product_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    action: Mapped[str] = mapped_column(String(8), nullable=False)  # pin, bury, boost
    # The place of a pin, from 1; the percent of a boost; 0 where the action takes neither.
    amount: Mapped[int] = mapped_column(nullable=False, default=0)
    # In force from the first moment until before the last; None: no bound.
    valid_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(12), nullable=False)  # draft, published
    changed_by: Mapped[str] = mapped_column(String(32), nullable=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class SearchQueryDay(Base):
    """How often a query was searched for on a day, in numbers alone: nobody is in here."""

    __tablename__ = "search_query_day"
    __table_args__ = (UniqueConstraint("day", "query"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    day: Mapped[date] = mapped_column(Date, nullable=False)
    query: Mapped[str] = mapped_column(String(MAX_QUERY), nullable=False)
    searches: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    found_nothing: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    clicks: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    # Of the places (from 1) of all results that were opened, for their mean.
    places: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
