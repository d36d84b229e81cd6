"""Decodes image files into their places in one file of bytes. A program of its own: `decoder.py FILE OFFSET SIDE`.

It reads a line of JSON with some jobs, `[[path, place, is_counted], ...]`, and answers by a line: what it counted, or
what went wrong. It ends when its standard input does, and so with whoever started it.
"""

import errno
import json
import os
import sys
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

CHANNELS, LEVELS = 3, 256


def pixels_of(path: str, side: int) -> NDArray[np.uint8]:
    """An image in colours, `[channel, row, column]`: its shorter side becomes `side`, and the middle is cut out."""
    with Image.open(path) as image:
        square = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(square, dtype=np.uint8).transpose(2, 0, 1))


def done(jobs: Iterable[tuple[str, int, bool]], *, target: int, offset: int, side: int) -> dict[str, object]:
    """Do some jobs. Returns how many pixels of the counted images have each level, `[channel, level]`; or a failure."""
    counts = np.zeros((CHANNELS, LEVELS), np.int64)
    for path, place, is_counted in jobs:
        try:
            pixels = pixels_of(path, side)
        except Exception as error:  # Pillow raises errors of any kind for broken files
            return {"failure": f"{path} cannot be read as an image: {error or type(error).__name__}"}
        try:
            if os.pwrite(target, pixels.tobytes(), offset + place * pixels.size) < pixels.size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            return {"failure": f"the decoded images cannot be written: {error.strerror}"}
        if is_counted:
            counts += [np.bincount(each.ravel(), minlength=LEVELS) for each in pixels]
    return {"counts": counts.tolist()}


def main(file: str, offset: str, side: str) -> None:
    """Answer lines until they end.

    Args:
        file: What is written.
        offset: Its bytes before the first image.
        side: Height and width of all decoded images.
    """
    target = os.open(file, os.O_WRONLY)
    for line in sys.stdin:
        print(json.dumps(done(json.loads(line), target=target, offset=int(offset), side=int(side))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
