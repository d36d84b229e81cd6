"""Errors of devices whose memory is full, and copies from the host to a device."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from tuner.errors import OutOfMemory


@contextmanager
def memory_watched(*, lanes: int, batch_size: int, device: torch.device) -> Iterator[None]:
    """Turns a failed allocation in this context into `OutOfMemory`."""
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        message = f"{device} cannot hold {lanes} lanes at batch size {batch_size}; use fewer lanes"
        raise OutOfMemory(message) from error


FULL = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Messages of failed allocations that have no exception class: those of the CPU, of the driver and of libraries."""


def is_full(error: BaseException | None) -> bool:
    """Whether this error, or an error in whose handling it was raised, is a failed allocation.

    A CUDA graph whose recording ends early raises an error of its own.
    """
    if error is None:
        return False
    failed = isinstance(error, torch.OutOfMemoryError) or any(each in str(error) for each in FULL)
    return failed or is_full(error.__context__)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A copy of the host's values on a device. Copies to a GPU are from pinned memory, so that nothing waits."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def moved(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The values on a device, as numbers of this type; whole numbers stay as they are."""
    return values.to(device, dtype) if values.is_floating_point() else values.to(device)
