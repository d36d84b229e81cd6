"""Where files of published data sets lie: as torchvision lays them out, which also downloads those that are missing.

torchvision is imported only for a download and for what it reads itself: that takes seconds.
"""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from objectives.data.cache.folder import cache_folder
from objectives.data.entry.refusals import refused
from tuner.errors import ConfigError

VARIABLE, OFFLINE = "TUNER_DATA", "TUNER_OFFLINE"
PATIENCE = 10.0
"""Seconds that a server may take to answer, or to go on."""


def data_folder() -> Path:
    """The folder of data sets: what `TUNER_DATA` names; by default `data` in the cache folder, `~/.cache/tuner`."""
    root = os.environ.get(VARIABLE)
    return Path(root).expanduser() if root else cache_folder() / "data"


def provide(name: str, files: Sequence[Path], *, root: Path, download: Callable[[str], object]) -> None:
    """See to it that files are there: those that are missing are downloaded. One process does so, the others wait.

    Args:
        name: What messages call the data set.
        files: Those that are needed, in `root`.
        root: The folder of data sets.
        download: Downloads all of them into a folder, laid out as in `root`, and compares their checksums.

    Raises:
        ConfigError: They are missing, and cannot be downloaded.
    """
    if not missing_of(files):
        return
    if os.environ.get(OFFLINE):
        raise _missing(name, files, root, f"nothing is downloaded, as {OFFLINE} is set")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):
            if missing_of(files):
                _download(root, download)
    except (OSError, RuntimeError, EOFError, HTTPException) as error:  # as urllib and torchvision raise them
        raise _missing(name, files, root, f"they cannot be downloaded: {_line(error)}") from error
    if missing_of(files):
        raise _missing(name, files, root, "the download does not have them")


def missing_of(files: Sequence[Path]) -> list[Path]:
    """Those of the files that are not there, unpacked or with `.gz` at their end."""
    return [each for each in files if not each.exists() and not packed(each).exists()]


def packed(path: Path) -> Path:
    """The path of a file that is compressed."""
    return path.with_name(f"{path.name}.gz")


def _download(root: Path, download: Callable[[str], object]) -> None:
    """Download into a folder beside the others, and move the files to their place when all are complete."""
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as folder, _patience(), redirect_stdout(sys.stderr):
        download(folder)
        for each in sorted(Path(folder).rglob("*")):
            target = root / each.relative_to(folder)
            if each.is_dir():
                target.mkdir(exist_ok=True)
            else:
                shutil.move(each, target)


@contextmanager
def _patience() -> Iterator[None]:
    """Connections that are made in this context wait for a short time only; torchvision has no setting for it."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _missing(name: str, files: Sequence[Path], root: Path, reason: str) -> ConfigError:
    missing = missing_of(files)
    folder = missing[0].parent
    names = ", ".join(each.name for each in missing)
    advice = f"put them there, or set {VARIABLE} to a folder with {folder.relative_to(root)}"
    return refused(f"{folder} lacks {names} of {name}, and {reason}; {advice}")


def _line(error: BaseException) -> str:
    """The last line of what an error says, which with torchvision is the reason."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    return lines[-1] if lines else type(error).__name__
