"""Random numbers of lanes, computed from seeds: the same on every device, beside any neighbours, and after a restart.

A generator has a state that would have to be kept for each lane. These numbers are a hash of what they are for.
"""

import math
from enum import IntEnum

import torch
from torch import Tensor

BITS = 24
"""Of a uniform number: as many as a float32 holds."""


class Purpose(IntEnum):
    """What numbers are drawn for. Those of different purposes have nothing to do with each other."""

    DROPOUT = 0
    AUGMENTATION = 1
    GRADIENT_NOISE = 2
    LABELS = 3


def step_seeds(seeds: Tensor, steps: Tensor) -> Tensor:
    """A seed for each step of each trial, `[step, lane]`, int64, from 0 on.

    Args:
        seeds: Of the trials, `[lane]`, int64.
        steps: Steps done before, `[step, lane]`, int64.
    """
    return _mixed(_mixed(seeds) + steps)


class StepSeeds:
    """The seeds of the next steps of the trials in all lanes. They are on the host, where generators are seeded."""

    def __init__(self, lanes: int) -> None:
        self._seeds, self._counts = torch.zeros(2, lanes, dtype=torch.int64).unbind()

    def write(self, lane: int, *, seed: int, step: int) -> None:
        """Give a lane a trial with this seed, which has done `step` steps."""
        self._seeds[lane], self._counts[lane] = seed, step

    def take(self, steps: int) -> Tensor:
        """The seeds of the next steps, `[step, lane]`. The steps count as done then."""
        ahead = torch.arange(steps).unsqueeze(1) + self._counts
        self._counts += steps
        return step_seeds(self._seeds, ahead)


def uniforms(seeds: Tensor, many: int, purpose: Purpose) -> Tensor:
    """Numbers from 0, which may occur, to 1, which does not: `[..., many]`, float32.

    Args:
        seeds: `[...]`, int64, as `step_seeds` gives them.
        many: How many are drawn for each seed.
        purpose: What they are for.
    """
    return (_hashed(seeds, many, purpose) >> (63 - BITS)) * 2.0**-BITS


def normals(seeds: Tensor, many: int, purpose: Purpose) -> Tensor:
    """Normally distributed numbers of mean 0 and variance 1: `[..., many]`, float32. As `uniforms` else.

    Two uniform numbers make one (Box and Muller 1958).
    """
    radius, angle = uniforms(seeds, 2 * many, purpose).view(*seeds.shape, 2, many).unbind(-2)
    return (-2 * torch.log1p(-radius)).sqrt() * torch.cos(2 * math.pi * angle)


def _hashed(seeds: Tensor, many: int, purpose: Purpose) -> Tensor:
    """Whole numbers from 0 to 2^63 - 1, `[..., many]`."""
    numbers = torch.arange(many, device=seeds.device)
    return _mixed(_mixed(seeds + purpose).unsqueeze(-1) + numbers)


def _mixed(numbers: Tensor) -> Tensor:
    """Pseudo-random numbers from 0 to 2^63 - 1: the last steps of splitmix64 (Steele et al. 2014) on signed numbers."""
    mixed = (numbers ^ (numbers >> 30)) * -0x40A7B892E31B1A47
    mixed = (mixed ^ (mixed >> 27)) * -0x6B2FB644ECCEEE15
    return mixed ^ (mixed >> 31)  # of two numbers of the same sign, so that it is not negative
