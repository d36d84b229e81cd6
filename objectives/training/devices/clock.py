"""What a device is called, and how long it takes for something."""

import time
from collections.abc import Callable

import torch


def device_name(device: torch.device) -> str:
    """The model of a GPU; of any other device what torch calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def seconds_of(work: Callable[[], None], device: torch.device) -> float:
    """How long work takes on a device, which has first done what it was given before."""
    _wait_for(device)
    began = time.perf_counter()
    work()
    _wait_for(device)
    return time.perf_counter() - began


def _wait_for(device: torch.device) -> None:
    """Wait until an accelerator has done all that it was given. A CPU has done it when a call returns."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
