"""Where the cache is."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """What `TUNER_CACHE` names, or `tuner` below `XDG_CACHE_HOME`; by default `~/.cache/tuner`."""
    if folder := os.environ.get("TUNER_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuner"
