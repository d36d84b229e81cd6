"""The arithmetic of an experiment: its precision, and whether a GPU repeats it to the last bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import torch


class Precision(StrEnum):
    """The precision of matrix products and convolutions. Parameters are always float32.

    `tf32` rounds the inputs to 10 bits on a GPU, and is float32 on a CPU. `bf16` is torch's autocast.
    """

    FLOAT32 = "float32"
    TF32 = "tf32"
    BF16 = "bf16"


@contextmanager
def tensor_cores(*, allowed: bool) -> Iterator[None]:
    """Allows or forbids TF32 for float32 products and convolutions on a GPU."""
    kinds = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]  # it has
    before = [each.fp32_precision for each in kinds]
    for each in kinds:
        each.fp32_precision = "tf32" if allowed else "ieee"
    try:
        yield
    finally:
        for each, precision in zip(kinds, before, strict=True):
            each.fp32_precision = precision


@contextmanager
def deterministic_kernels(*, wanted: bool) -> Iterator[None]:
    """Has cuDNN choose kernels that add in a fixed order, and the same kernels each time, if that is wanted."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    if wanted:
        cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
