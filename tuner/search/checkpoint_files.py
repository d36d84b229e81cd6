"""The file of a checkpoint.

A file holds three lines and the trainer's state. The first line says that the file is a checkpoint. The second line is
a SHA-256 of all that follows. The third line is JSON: the trial's owner and its measurements. Reading a file runs no
code.
"""

import hashlib
import json
from collections.abc import Mapping

from tuner.search.loop import Checkpoint
from tuner.trial import Measurement

MAGIC = b"tuner checkpoint 1"

Owner = Mapping[str, object]
"""The trial that a checkpoint belongs to: everything that decides the trial's measurements."""


def encode(checkpoint: Checkpoint, *, owner: Owner) -> list[bytes]:
    """The parts of a file."""
    curve = [
        [each.step, {name: float(value) for name, value in each.metrics.items()}, dict(each.partial)]
        for each in checkpoint.curve
    ]
    header = json.dumps({"owner": owner, "curve": curve}).encode()
    return [MAGIC, b"\n", _digest(header, checkpoint.state), b"\n", header, b"\n", checkpoint.state]


def decode(content: bytes, *, owner: Owner) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        ValueError: The content is not a checkpoint, is damaged, or belongs to another owner.
    """
    magic, *rest = content.split(b"\n", 3)
    if magic != MAGIC:
        raise ValueError("it is no checkpoint of this version of tuner")
    if len(rest) < 3 or rest[0] != _digest(rest[1], rest[2]):
        raise ValueError("it is damaged")
    header = json.loads(rest[1])
    if header["owner"] != owner:
        raise ValueError("it is another trial's")
    return Checkpoint(tuple(Measurement(*each) for each in header["curve"]), rest[2])


def _digest(header: bytes, state: bytes) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(state)
    return digest.hexdigest().encode()
