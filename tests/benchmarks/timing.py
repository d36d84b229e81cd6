"""How training is timed."""

import time
from collections.abc import Callable

import torch

REPEATS = 5
SECONDS = 0.4
"""Of one measurement, about: a step at least."""

Train = Callable[[int], None]
"""Trains for a number of steps."""


def steps_in(wanted: float, train: Train, *, device: torch.device) -> int:
    """How many steps take about so many seconds, after some to warm up."""
    steps = 1
    seconds(train, steps, device=device)
    while (taken := seconds(train, steps, device=device)) < wanted / 4:
        steps *= 2
    return max(1, round(steps * wanted / taken))


def seconds(train: Train, steps: int, *, device: torch.device) -> float:
    """The time for a number of steps; of the processor, where they train on one."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start = clock()
    train(steps)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start
