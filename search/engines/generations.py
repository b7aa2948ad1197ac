"""The folders of an embedded index: generations, the pointer to the live one, the half-built.

``index/g-1-000007/`` is a generation, ``index/current`` a file with the name of the live one,
``index/building.json`` says which one is being built and how far it came. Pointer and state
are replaced in one step (``os.replace``), so that no reader meets half of either.
"""

import fcntl
import shutil
from pathlib import Path
from typing import IO

import orjson

from search.engines.base import FORMAT, IndexBusy, RebuildState
from search.engines.files import replace_file, stamp


class GenerationStore:
    """Names, publishes and removes generations under one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pointer = root / "current"
        self._building = root / "building.json"
        self._lock: IO[str] | None = None

    def path(self, generation: str) -> Path:
        """The folder of a generation."""
        return self.root / generation

    def live(self) -> str | None:
        """The published generation, if it exists in the format of this code."""
        try:
            name = self._pointer.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        readable = name.startswith(f"g-{FORMAT}-") and self.path(name).is_dir()
        return name if readable else None

    def pointer_stamp(self) -> tuple[int, int] | None:
        """Changes whenever another generation is published; cheap enough for every search."""
        return stamp(self._pointer)

    def commit_stamp(self, generation: str) -> tuple[int, int] | None:
        """Changes whenever the generation is committed to."""
        return stamp(self.path(generation) / "meta.json")

    def publish(self, generation: str) -> None:
        """Make a generation the live one, and forget that it was being built."""
        replace_file(self._pointer, generation.encode("ascii"))
        self._building.unlink(missing_ok=True)

    def create(self) -> str:
        """An empty folder for a new generation; its name sorts after all others."""
        numbers = [_number(folder.name) for folder in self.root.glob("g-*")]
        generation = f"g-{FORMAT}-{max(numbers, default=0) + 1:06d}"
        self.path(generation).mkdir(parents=True)
        return generation

    def building(self) -> RebuildState | None:
        """The unfinished generation that a process (this one or a dead one) was building."""
        try:
            fields = orjson.loads(self._building.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        state = RebuildState(**fields)
        return state if self.path(state.generation).is_dir() else None

    def remember_building(self, state: RebuildState) -> None:
        """Note how far the building came; call it after the commit that it speaks of."""
        replace_file(
            self._building,
            orjson.dumps(
                {
                    "generation": state.generation,
                    "fingerprint": state.fingerprint,
                    "last_id": state.last_id,
                    "written": state.written,
                }
            ),
        )

    def forget_building(self) -> None:
        """Drop the note of an unfinished generation (its folder goes with the next sweep)."""
        self._building.unlink(missing_ok=True)

    def sweep(self, *, keep: set[str]) -> None:
        """Remove generations that nobody needs.

        Files that a reader has mapped stay readable to it until it lets go of them.
        """
        for folder in self.root.glob("g-*"):
            if folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)

    def lock(self) -> None:
        """Become the one writer, until ``unlock`` or the end of the process.

        Raises:
            IndexBusy: another process is the writer.
        """
        if self._lock is not None:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        handle = (self.root / "writer.lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            raise IndexBusy(f"another process writes {self.root}") from error
        self._lock = handle

    def unlock(self) -> None:
        """Let another process become the writer."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _number(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0
