"""Where the cache is, and how its files are written."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO


def cache_folder() -> Path:
    """What `TUNER_CACHE` names, or `tuner` below `XDG_CACHE_HOME`; by default `~/.cache/tuner`."""
    if folder := os.environ.get("TUNER_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuner"


def write_whole(path: Path, write: Callable[[IO[bytes]], object], *, keep: bool = False) -> None:
    """Write a file, which appears as a whole. Its folder is made if it is missing.

    Args:
        path: The file.
        write: Writes its content.
        keep: Whether a file that another process has written meanwhile is kept; otherwise the last one wins.

    Raises:
        OSError: The file cannot be written. Nothing of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".new", delete=False) as file:
        unfinished = Path(file.name)
        try:
            write(file)
        except OSError:
            unfinished.unlink()
            raise
    if keep and path.exists():
        unfinished.unlink()
    else:
        unfinished.replace(path)
