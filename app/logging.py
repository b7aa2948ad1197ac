"""Structured logs on standard error: one JSON object a line, with the request's id."""

from __future__ import annotations

import logging
import sys

import structlog

from kernel.settings import Environment, Settings


def configure_logging(settings: Settings) -> None:
    """People at a terminal get readable lines; everything else gets JSON."""
    readable = sys.stderr.isatty() and settings.env is not Environment.PRODUCTION
    level = logging.WARNING if settings.env is Environment.TEST else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
