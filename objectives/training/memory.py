"""Full devices."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tuner.errors import OutOfMemory


@contextmanager
def memory_watched(*, lanes: int, batch_size: int, device: torch.device) -> Iterator[None]:
    """Turns an allocation that fails, here, into `OutOfMemory`."""
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        message = f"{device} cannot hold {lanes} lanes at batch size {batch_size}; use fewer lanes"
        raise OutOfMemory(message) from error


def is_full(error: RuntimeError) -> bool:
    """Whether an allocation failed."""
    # On the CPU the failure has no class of its own.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
