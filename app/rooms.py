"""The blueprints of every room, in the order of the house."""

from __future__ import annotations

from flask_smorest import Blueprint

from kernel.auth.api import blueprint as auth

BLUEPRINTS: tuple[Blueprint, ...] = (auth,)
