"""What numbers are computed with, by choice of the experiment."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import torch


class Precision(StrEnum):
    """Of matrix products and convolutions; parameters are float32 always.

    `tf32` rounds their inputs to 10 bits on a GPU, and is float32 where there is none. `bf16` is torch's autocast.
    """

    FLOAT32 = "float32"
    TF32 = "tf32"
    BF16 = "bf16"


@contextmanager
def tensor_cores(*, allowed: bool) -> Iterator[None]:
    """Lets float32 products and convolutions on a GPU be TF32, or forbids it."""
    kinds = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]  # it has
    before = [each.fp32_precision for each in kinds]
    for each in kinds:
        each.fp32_precision = "tf32" if allowed else "ieee"
    try:
        yield
    finally:
        for each, precision in zip(kinds, before, strict=True):
            each.fp32_precision = precision
