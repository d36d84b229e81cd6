"""The arithmetic of an experiment: its precision, its threads, and whether a GPU repeats it to the last bit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


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
def deterministic_kernels(device: torch.device, *, wanted: bool) -> Iterator[None]:
    """Has a GPU add in a fixed order, with the same kernels each time, if that is wanted.

    That concerns cuDNN, and attention: its fused kernels add up gradients in any order. What a CPU computes does not
    depend on whether there is a GPU beside it.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    if wanted:
        cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with sdpa_kernel(SDPBackend.MATH) if wanted and device.type == "cuda" else nullcontext():
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits torch to one thread, unless `OMP_NUM_THREADS` is set: with several, rounding depends on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if "OMP_NUM_THREADS" in os.environ else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Rounds numbers below 1e-38 to zero. The decaying momentum of a dead unit would slow the processor tenfold.

    The setting is undone afterwards, because other libraries check for denormals and warn.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
