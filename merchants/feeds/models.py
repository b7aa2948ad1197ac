"""What is remembered of a merchant's feeds: last rows, runs, bad rows, mappings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, BigId, Json, LongText, UtcDateTime


class FeedLastRow(Base):
    """The merchant's last row of a SKU, which the next one is compared with (Domain rule 33)."""

    __tablename__ = "feed_last_row"

    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    sku_code: Mapped[str] = mapped_column(String(64), primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), nullable=False)
    columns: Mapped[str] = mapped_column(LongText, nullable=False)  # merchants.feeds.rows.FeedRow


class FeedRun(Base):
    """An import and how far it has come; committed with each batch, so that it can be resumed."""

    __tablename__ = "feed_run"
    __table_args__ = (Index("ix_feed_run_merchant_id_digest", "merchant_id", "digest"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), nullable=False, unique=True)
    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), nullable=False)
    file_name: Mapped[str] = mapped_column(String(200), nullable=False)
    digest: Mapped[str] = mapped_column(String(64), nullable=False)  # SHA-256 of the file
    state: Mapped[str] = mapped_column(String(10), nullable=False)  # running, done, stopped, left
    row_number: Mapped[int] = mapped_column(nullable=False, default=0)  # the last one committed
    new: Mapped[int] = mapped_column(nullable=False, default=0)
    changed: Mapped[int] = mapped_column(nullable=False, default=0)
    unchanged: Mapped[int] = mapped_column(nullable=False, default=0)
    bad: Mapped[int] = mapped_column(nullable=False, default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class FeedError(Base):
    """A bad row as it stood in the file, and what is wrong with it."""

    __tablename__ = "feed_error"

    run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id"), primary_key=True)
    row_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cells: Mapped[list[str]] = mapped_column(Json, nullable=False)
    message: Mapped[str] = mapped_column(String(300), nullable=False)


class FeedHeader(Base):
    """Which field a merchant's own header means."""

    __tablename__ = "feed_header"

    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    header: Mapped[str] = mapped_column(String(100), primary_key=True)  # folded
    field: Mapped[str] = mapped_column(String(20), nullable=False)


class FeedCategory(Base):
    """Which of our categories a merchant's own category means."""

    __tablename__ = "feed_category"

    merchant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(300), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"), nullable=False)
