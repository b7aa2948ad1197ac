from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask

from kernel.auth.policy import Actor
from kernel.db import write_transaction
from points.services.pots import PotView
from tests.factories.enterprises import Company, build_company, build_pot, hire


@dataclass(frozen=True)
class Scene:
    company: Company
    pot: PotView
    employee: Actor


@pytest.fixture
def scene(app: Flask) -> Scene:
    """A company with one pot and one employee, and nothing granted."""
    with write_transaction():
        company = build_company()
        return Scene(company, build_pot(company), hire(company.id))
