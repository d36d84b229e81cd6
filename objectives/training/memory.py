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
        # On the CPU the failure has no class of its own.
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        message = f"{device} cannot hold {lanes} lanes at batch size {batch_size}; use fewer lanes"
        raise OutOfMemory(message) from error
