"""Which devices a training loop sees."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""There where a GPU may be: of NVIDIA, below Windows, of AMD."""


class Devices(StrEnum):
    """What a script sees: the device of its worker, or all that the worker sees."""

    WORKER = "worker"
    ALL = "all"


def load_torch_beside_gpus() -> None:
    """Load torch if there may be a GPU: it counts them, and each worker is given its own. It takes seconds."""
    if any(Path(each).exists() for each in DRIVERS):
        import torch  # noqa: F401


def resolved(device: str) -> str:
    """What `auto` comes to: a GPU, if torch is loaded and sees one."""
    if device != "auto":
        return device
    torch = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def named(device: str) -> str:
    """The model of a GPU, if torch is loaded and sees it; of any other device its name."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return device
    return str(torch.cuda.get_device_name(device))


def inside(device: str) -> str:
    """What a script calls its first GPU, whatever that is called outside.

    >>> inside("cuda:3")
    'cuda'
    """
    return "cuda" if device.startswith("cuda:") else device


@contextmanager
def threads_limited(device: str) -> Iterator[None]:
    """Within it, torch has one thread if a loop trains on the CPU, unless `OMP_NUM_THREADS` says otherwise.

    With several, rounding depends on their number.
    """
    torch = sys.modules.get("torch")
    if torch is None or device != "cpu" or THREADS[0] in os.environ:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def variables(device: str, devices: Devices) -> Mapping[str, str]:
    """The environment variables of a script: they hide other devices, and give it one thread on the CPU."""
    threads = {name: os.environ.get(name, "1") for name in THREADS if device == "cpu"}
    return {**threads, **_visible(device, devices)}


def _visible(device: str, devices: Devices) -> Mapping[str, str]:
    """The variable that hides other devices from a script."""
    kind, _, index = device.partition(":")
    if devices is Devices.ALL:
        return {}
    if kind == "cpu":
        return {VISIBLE: ""}
    if kind != "cuda" or not index:
        return {}
    ours = os.environ.get(VISIBLE)
    return {VISIBLE: index if ours is None else ours.split(",")[int(index)]}
