"""Image files decoded once, by a process for each core, into one file of bytes that all workers map into memory."""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from objectives.data.cache.folder import cache_folder, write_whole
from objectives.data.entry.refusals import refused
from objectives.data.images.crew import decode
from objectives.data.images.decoder import CHANNELS

VERSION = 1
"""Of how images are decoded."""


@dataclass(frozen=True, slots=True)
class Source:
    """An image file.

    Attributes:
        path: From the folder of all images.
        place: Its number among the decoded images.
    """

    path: str
    place: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """Decoded images.

    Attributes:
        pixels: `[image, byte]`, mapped from a file: they are read when they are used, and must not be written.
        counts: How many pixels of the counted images have each level, `[channel, level]`.
    """

    pixels: Tensor
    counts: NDArray[np.int64]


def decoded(folder: Path, sources: Sequence[Source], *, side: int, counted: int) -> Decoded:
    """Images as squares in colours, which are decoded unless a process has done so before.

    The file is in the cache folder. Its name is a hash of the images' paths, sizes and times of change, and of how they
    are decoded. It appears as a whole.

    Args:
        folder: The folder of all images.
        sources: The images. Their places are the numbers from 0 on, in any order.
        side: Height and width of a decoded image: its shorter side becomes so long, and the middle is cut out.
        counted: The pixels of the images up to this place are counted.

    Raises:
        ConfigError: An image cannot be read, or the file cannot be written.
    """
    try:
        path = cache_folder() / f"images-{_digest(folder, sources, side=side, counted=counted)}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    _write(path, folder, sources, side=side, counted=counted)
        counts = np.array(json.loads(_counts_of(path).read_text(encoding="utf-8")), np.int64)
        return Decoded(_mapped(path), counts)
    except (OSError, ValueError) as error:
        raise refused(f"the images of {folder} cannot be decoded into {cache_folder()}: {error}") from error


def _digest(folder: Path, sources: Sequence[Source], *, side: int, counted: int) -> str:
    settings = hashlib.blake2b(json.dumps([VERSION, side, counted]).encode(), digest_size=16)
    for each in sources:
        stat = (folder / each.path).stat()
        settings.update(json.dumps([each.path, each.place, stat.st_size, stat.st_mtime_ns]).encode())
    return settings.hexdigest()


def _write(path: Path, folder: Path, sources: Sequence[Source], *, side: int, counted: int) -> None:
    """Decode all images. Raises `ConfigError` or `OSError`; then nothing is left."""
    for each in path.parent.glob(f"{path.stem}.*.new"):  # of a process that was killed: we hold the lock
        each.unlink()
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    needed, free = len(sources) * CHANNELS * side**2, shutil.disk_usage(path.parent).free
    if needed > free:
        message = f"{needed / 1e9:.1f} GB are needed in {path.parent} for decoded images, and {free / 1e9:.1f} are free"
        raise refused(f"{message}; set TUNER_CACHE to a folder with more")
    try:
        images = np.lib.format.open_memmap(
            unfinished, mode="w+", dtype=np.uint8, shape=(len(sources), CHANNELS * side**2)
        )
        jobs = [(str(folder / each.path), each.place, each.place < counted) for each in sources]
        counts = decode(jobs, file=unfinished, offset=images.offset, side=side, what=str(folder))
        write_whole(_counts_of(path), lambda file: file.write(json.dumps(counts.tolist()).encode()))
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


def _counts_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _mapped(path: Path) -> Tensor:
    """The images of a file. The mapping can only be read: one that may be written counts as memory that is used up."""
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(images)
