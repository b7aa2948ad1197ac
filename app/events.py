"""Who hears what: outbox events of one room wired to the tasks of another."""

from __future__ import annotations

from kernel.outbox import listen

LISTENERS: dict[str, tuple[str, ...]] = {}


def wire_events() -> None:
    """Called once for each application; wiring twice changes nothing."""
    for event, names in LISTENERS.items():
        for name in names:
            listen(event, name)
