"""Measuring on a GPU by recorded steps, in which the lanes of a torch module are branches."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from objectives.models import Network
from objectives.training.devices.halving import in_parts
from objectives.training.devices.recording import RecordedBranches, Recorder
from objectives.training.inputs.examples import Examples
from objectives.training.measuring.terms import Found, terms


class RecordedTerms:
    """What lanes make of examples that are chosen for each of them, by one recorded step. See `terms`.

    Args:
        network: Computes the outputs.
        examples: All of them.
        lanes: Lanes that are measured side by side.
        size: Examples that each is measured on at a time.
        make: Makes a recorder.
        dtype: Of parameters and losses.
    """

    def __init__(
        self,
        network: Network,
        examples: Examples,
        *,
        lanes: int,
        size: int,
        make: Callable[[], Recorder],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._network, self._examples = network, examples
        self._parameters = torch.zeros(lanes, network.parameters, dtype=dtype, device=examples.device)
        first = torch.zeros(lanes, size, dtype=torch.int64, device=examples.home)
        self._given, self._labels = examples.given(first), examples.targets(first)
        self._levels = torch.zeros(self._labels.shape, dtype=torch.int8, device=examples.device)
        self._losses = torch.zeros(lanes, size, dtype=dtype, device=examples.device)
        at_once = 1 if network.autograd else lanes
        groups = [slice(first, min(first + at_once, lanes)) for first in range(0, lanes, at_once)]

        def record(part: slice, recorder: Recorder) -> tuple[int, RecordedBranches]:
            return groups[part][0].start, RecordedBranches(
                [partial(self._step, group) for group in groups[part]], (), recorder=recorder
            )

        self._recorded = in_parts(record, len(groups), make=make)

    def __call__(self, parameters: Tensor, chosen: Tensor) -> Found:
        """Measure some lanes, without waiting for the device.

        Args:
            parameters: `[lane, parameter]`, of as many lanes as are measured side by side, or fewer.
            chosen: The numbers of the examples, `[lane, example]`, at `Examples.home`: of as many as are measured at a
                time, or fewer.

        Returns:
            As `terms` does.
        """
        lanes, many = chosen.shape
        self._parameters[:lanes] = parameters
        self._given[:lanes, :many] = self._examples.given(chosen)
        self._labels[:lanes, :many] = self._examples.targets(chosen)
        for first, step in self._recorded:
            if first < lanes:
                step()
        return self._levels[:lanes, :many].clone(), self._losses[:lanes, :many].clone()

    def _step(self, lanes: slice) -> None:
        inputs = self._examples.made(self._given[lanes])
        levels, losses = terms(self._network, self._parameters[lanes], inputs, self._labels[lanes])
        self._levels[lanes] = levels
        self._losses[lanes] = losses
