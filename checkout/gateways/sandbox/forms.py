"""Form bodies as Stripe reads them: ``metadata[order]=…``, ``expand[]=…``, ``expand[0]=…``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Union
from urllib.parse import parse_qsl

from checkout.gateways.sandbox.errors import ApiError, invalid, missing

Tree = dict[str, Union[str, "Tree"]]

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"^-?[0-9]{1,18}$")
MOST_PAIRS = 500
DEEPEST = 5
METADATA_KEYS, METADATA_NAME, METADATA_VALUE = 50, 40, 500


def parse_form(text: str) -> Tree:
    """The nested tree of a form body or a query string; lists become dictionaries "0", "1", …"""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PAIRS)
    except (UnicodeDecodeError, ValueError) as error:
        raise invalid(f"Invalid form encoding: {error}") from error
    return _nest(pairs)


def _nest(pairs: Iterable[tuple[str, str]]) -> Tree:
    root: Tree = {}
    for name, value in pairs:
        found = _NAME.match(name)
        if found is None:
            raise invalid(f"Invalid parameter name: {name[:100]}", param=name[:100])
        parts = [found[1], *_PART.findall(found[2])]
        if len(parts) > DEEPEST:
            raise invalid(f"Invalid parameter name: {name[:100]}", param=found[1])
        _put(root, parts, value)
    return root


def _put(root: Tree, parts: list[str], value: str) -> None:
    node = root
    for part in parts[:-1]:
        below = node.setdefault(part or str(len(node)), {})
        if isinstance(below, str):
            raise invalid("Invalid object", param=parts[0])
        node = below
    last = parts[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid("Invalid string", param=parts[0])
    node[last] = value


class Params:
    """The parameters of one call, read by type; what isn't known is refused by name."""

    def __init__(self, tree: Tree, *, at: str = "") -> None:
        self._tree = tree
        self._at = at

    def _name(self, name: str) -> str:
        return f"{self._at}[{name}]" if self._at else name

    def __contains__(self, name: object) -> bool:
        return name in self._tree

    def is_object(self, name: str) -> bool:
        """Whether ``name`` was given with parts (``created[gte]=…``) and not as one value."""
        return isinstance(self._tree.get(name), dict)

    def only(self, known: Collection[str]) -> None:
        """Refuse any parameter that isn't ``known`` (Stripe: ``parameter_unknown``)."""
        for name in self._tree:
            if name not in known:
                full = self._name(name)
                raise invalid(
                    f"Received unknown parameter: {full}", param=full, code="parameter_unknown"
                )

    def text(self, name: str, *, longest: int = 5000) -> str | None:
        """A string, or None where it is absent; an empty one is kept (it unsets)."""
        value = self._tree.get(name)
        if value is None:
            return None
        if isinstance(value, dict):
            raise invalid(f"Invalid string: {self._name(name)}", param=self._name(name))
        if len(value) > longest:
            raise invalid(
                f"Invalid string: {value[:20]}…; must be at most {longest} characters",
                param=self._name(name),
            )
        return value

    def need_text(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise missing(self._name(name))
        return value

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        """A whole number within bounds; anything else is ``parameter_invalid_integer``."""
        value = self.text(name)
        if value is None:
            return None
        full = self._name(name)
        if not _INTEGER.match(value):
            raise invalid(
                f"Invalid integer: {value[:40]}", param=full, code="parameter_invalid_integer"
            )
        number = int(value)
        if number < least:
            raise invalid(
                f"This value must be greater than or equal to {least}.",
                param=full,
                code="parameter_invalid_integer",
            )
        if number > most:
            raise invalid(
                f"This value must be less than or equal to {most}.",
                param=full,
                code="amount_too_large" if "amount" in name else "parameter_invalid_integer",
            )
        return number

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            raise invalid(
                f"Invalid {self._name(name)}: must be one of {', '.join(sorted(allowed))}",
                param=self._name(name),
            )
        return value

    def flag(self, name: str) -> bool:
        return self.choice(name, ("true", "false", "1", "0", "")) in ("true", "1")

    def child(self, name: str) -> Params | None:
        """A nested object, or None where it is absent."""
        value = self._tree.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            raise invalid("Invalid object", param=self._name(name))
        return Params(value, at=self._name(name))

    def texts(self, name: str) -> list[str]:
        """A list of strings, in the order of their indexes as sent."""
        value = self._tree.get(name)
        if value is None or value == "":
            return []
        if isinstance(value, str):
            raise invalid("Invalid array", param=self._name(name))
        items = []
        for item in value.values():
            if isinstance(item, dict):
                raise invalid("Invalid array", param=self._name(name))
            items.append(item)
        return items

    def metadata(self) -> dict[str, str] | None:
        """Stripe's ``metadata``: None if absent, {} if unset by an empty string."""
        value = self._tree.get("metadata")
        if value is None:
            return None
        if isinstance(value, str):
            if value:
                raise invalid("Invalid object", param="metadata")
            return {}
        return {key: _metadata_value(key, item) for key, item in value.items()}


def _metadata_value(key: str, value: str | Tree) -> str:
    if isinstance(value, dict):
        raise invalid("Metadata values must be strings", param=f"metadata[{key[:60]}]")
    if len(key) > METADATA_NAME or len(value) > METADATA_VALUE:
        raise invalid(
            f"Metadata keys can have up to {METADATA_NAME} characters and values up to "
            f"{METADATA_VALUE}.",
            param=f"metadata[{key[:60]}]",
        )
    return value


def merge_metadata(old: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """Stripe's merge: a named key is set, an empty value removes it, ``{}`` removes all."""
    if change is None:
        return old
    if not change:
        return {}
    merged = {key: value for key, value in {**old, **change}.items() if value != ""}
    if len(merged) > METADATA_KEYS:
        raise too_many_metadata()
    return merged


def too_many_metadata() -> ApiError:
    return invalid(f"Metadata can have up to {METADATA_KEYS} keys.", param="metadata")
