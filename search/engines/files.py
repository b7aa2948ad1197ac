"""Small files that other processes read while they are replaced."""

import os
from pathlib import Path


def stamp(path: Path) -> tuple[int, int] | None:
    """Changes whenever the file is replaced; cheap enough to ask before every search."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    # The inode tells apart two replacements within one tick of the file system's clock.
    return stat.st_mtime_ns, stat.st_ino


def replace_file(path: Path, content: bytes) -> None:
    """Put new content in place in one step, durably: readers meet the old or the new, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with scratch.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
