"""Full devices, and what is sent to them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

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


FULL = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What failures say that have no class of their own: those of the CPU, of the driver and of libraries."""


def is_full(error: BaseException | None) -> bool:
    """Whether an allocation failed, here or in what this error came after: a recording that ends early has its own."""
    if error is None:
        return False
    failed = isinstance(error, torch.OutOfMemoryError) or any(each in str(error) for each in FULL)
    return failed or is_full(error.__context__)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Values of the host on a device. A GPU goes on meanwhile: from pinned memory, copying waits for nothing."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)
