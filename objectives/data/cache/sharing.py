"""Data sets in memory that all workers of a machine share."""

import hashlib
import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objectives.data.cache.folder import cache_folder, write_whole

log = logging.getLogger(__name__)

WORTHWHILE = 2**24
"""Bytes from which on an array is shared."""


def shared(values: NDArray[np.float32] | NDArray[np.uint8], *, least: int = WORTHWHILE) -> Tensor:
    """A tensor of these values, in memory that is shared with every process that asked for the same values.

    The memory is a file in the cache folder that is mapped into it. The file is named by a hash of its content, so it
    is never out of date. Whoever writes to the tensor gets a copy of the page. A small array, or one that cannot be
    written to the cache, stays in memory of this process.

    Args:
        values: Any shape.
        least: Bytes from which on it is worth while.
    """
    if values.nbytes < least:
        return torch.from_numpy(values)
    content = np.ascontiguousarray(values)
    name = hashlib.blake2b(f"{content.shape} {content.dtype.str}".encode() + content.data, digest_size=16).hexdigest()
    path = cache_folder() / f"{name}.npy"
    try:
        if not path.exists():
            write_whole(path, lambda file: np.save(file, content), keep=True)
        mapped: NDArray[np.generic] = np.load(path, mmap_mode="c")
    except (OSError, ValueError) as error:
        log.debug("%s is not shared: %s", path, error)
        return torch.from_numpy(values)
    return torch.from_numpy(mapped)
