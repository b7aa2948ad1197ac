"""The weights of both ranking stages, read from ``weights.json`` and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from search.engines.base import TokenField
from search.ranking import FEATURES

_FILE = Path(__file__).with_name("weights.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """How candidates are found and ordered.

    ``strict_enough``: this many listings with all words are enough, and no looser match set
    is tried. ``candidates``: how many the second stage looks at. ``second_stage`` has the
    order of ``ranking.FEATURES``. ``variety``: what a listing of the first page loses for each one
    of its merchant before it.
    """

    strict_enough: int
    candidates: int
    first_stage: Mapping[TokenField, float]
    second_stage: tuple[float, ...]
    variety: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Weights":
        """Check and read the file's content.

        Raises:
            KeyError: a weight is missing.
            ValueError: there is a weight that nothing uses.
        """
        second = value["second_stage"]
        unknown = set(second) - set(FEATURES)
        if unknown:
            raise ValueError(f"no such feature: {sorted(unknown)}")
        return cls(
            strict_enough=int(value["strict_enough"]),
            candidates=int(value["candidates"]),
            first_stage={field: float(value["first_stage"][field.value]) for field in TokenField},
            second_stage=tuple(float(second[name]) for name in FEATURES),
            variety=float(value["variety"]),
        )


@lru_cache(maxsize=1)
def get_weights() -> Weights:
    """The weights in use."""
    return Weights.from_json(orjson.loads(_FILE.read_bytes()))


def write_second_stage(weights: Sequence[float]) -> None:
    """Put other weights of the second stage into the file, in the order of ``FEATURES``."""
    value = orjson.loads(_FILE.read_bytes())
    found = dict(zip(FEATURES, weights, strict=True))
    value["second_stage"] = {name: round(weight, 3) for name, weight in found.items()}
    _FILE.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    get_weights.cache_clear()
