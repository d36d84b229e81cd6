"""The file of a checkpoint.

A file holds three lines and the trainer's state. The first line says that the file is a checkpoint. The second line is
a SHA-256 of all that follows. The third line is JSON: the trial's owner and its measurements. Reading a file runs no
code, and others may write to the folder: a file that none of ours has written is refused, whatever it holds.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Annotated, BinaryIO

from annotated_types import Ge, Le
from pydantic import TypeAdapter, ValidationError

from tuner.search.loop import Checkpoint
from tuner.trial import Measurement

MAGIC = b"tuner checkpoint 1"
SHA = hashlib.sha256()
CHUNK = 2**20
LAST_STEP = 2**31 - 1
"""The last step that PostgreSQL keeps."""
MOST_HEADER = 2**28
"""Bytes of the third line. A long trial has some hundreds of measurements."""

Owner = Mapping[str, object]
"""The trial that a checkpoint belongs to: everything that decides the trial's measurements."""


@dataclass(frozen=True, slots=True)
class _Header:
    """The third line."""

    owner: dict[str, object]
    curve: list[tuple[Annotated[int, Ge(1), Le(LAST_STEP)], dict[str, float], dict[str, int]]]


_header = TypeAdapter(_Header)


def encode(checkpoint: Checkpoint, *, owner: Owner) -> list[bytes]:
    """The parts of a file."""
    curve = [
        [each.step, {name: float(value) for name, value in each.metrics.items()}, dict(each.partial)]
        for each in checkpoint.curve
    ]
    header = json.dumps({"owner": owner, "curve": curve}).encode()
    return [MAGIC, b"\n", _digest([header, checkpoint.state]), b"\n", header, b"\n", checkpoint.state]


def decode(file: BinaryIO, *, owner: Owner) -> Checkpoint:
    """The checkpoint in a file.

    It is held in memory only once all of it is known to be what was written.

    Raises:
        ValueError: The content is not a checkpoint, is damaged, or belongs to another owner.
        OSError: It cannot be read.
    """
    if file.read(len(MAGIC) + 1) != MAGIC + b"\n":
        raise ValueError("it is no checkpoint of this version of tuner")
    digest, line = file.readline(2 * SHA.digest_size + 1), file.readline(MOST_HEADER).removesuffix(b"\n")
    start = file.tell()
    if digest != _digest(chain([line], iter(partial(file.read, CHUNK), b""))) + b"\n":
        raise ValueError("it is damaged")
    header = _read(line)
    if header.owner != owner:
        raise ValueError("it is another trial's")
    file.seek(start)
    try:
        return Checkpoint(tuple(Measurement(*each) for each in header.curve), file.read())
    except MemoryError as error:
        raise ValueError("there is no memory for it") from error


def _read(line: bytes) -> _Header:
    """The third line. Raises `ValueError`."""
    try:
        header = _header.validate_json(line, strict=True)
    except ValidationError as error:
        raise ValueError("its measurements mean nothing to this version of tuner") from error
    if any(after[0] <= before[0] for before, after in pairwise(header.curve)):
        raise ValueError("its measurements are in no order")
    return header


def _digest(parts: Iterable[bytes]) -> bytes:
    digest = SHA.copy()
    for each in parts:
        digest.update(each)
    return digest.hexdigest().encode()
