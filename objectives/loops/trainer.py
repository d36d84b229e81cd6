"""A trainer whose lanes hold a training loop each, of any kind. They are asked for their next measurement in turn."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from objectives.loops.devices import named
from objectives.loops.saved import Saved
from tuner.errors import OutOfMemory
from tuner.trial import Failure, Measurement, TrialSpec

log = logging.getLogger(__name__)


class Loop(Protocol):
    """One trial in training. It stands still, or runs ahead, until it is asked for its next measurement."""

    def next(self) -> Measurement | Failure | None:
        """The next measurement; why there is none, if its code raised or ended; None if it has to be waited for.

        Raises:
            OutOfMemory: The device is full.
            ContractError: It measured something that is no measurement.
        """
        ...

    def save(self) -> tuple[bytes, Sequence[Measurement]]:
        """A state to go on from, empty if there is none yet, and the measurements until then that nobody asked for.

        Raises:
            NotImplementedError: It never has one.
        """
        ...

    def stop(self) -> None:
        """Ask it to end. Returns at once."""
        ...

    def close(self) -> None:
        """Stop it, and wait until it has ended."""
        ...


Start = Callable[[TrialSpec, bytes], Loop]
"""Starts a trial from its seed, or from a state if that is not empty."""


@dataclass(slots=True)
class _Lane:
    """A trial in training.

    Attributes:
        known: The last step that was measured before it was interrupted, or -1. What is measured again is dropped.
        ready: What was measured and not yet returned.
        failure: Why nothing more will be measured, if that has not been returned yet.
        step: The last step that was asked for.
        is_untried: Whether it was started from a state and has not measured anything since.
    """

    trial: TrialSpec
    loop: Loop
    known: int = -1
    ready: deque[Measurement] = field(default_factory=deque)
    failure: Failure | None = None
    step: int = 0
    is_untried: bool = False


class LoopTrainer:
    """Implements `tuner.objective.Trainer` and `NamesDevice` by loops.

    A trial whose code raises fails alone. If the device is full, there are too many lanes; if there is one lane, its
    trial fails.
    """

    def __init__(self, start: Start, *, lanes: int, device: str) -> None:
        self._start, self._number, self._device = start, lanes, device
        self._lanes: dict[int, _Lane] = {}

    @property
    def lanes(self) -> int:
        return self._number

    @property
    def device(self) -> str:
        return self._device

    @property
    def device_name(self) -> str:
        return named(self._device)

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial. Raises `ValueError` if the checkpoint is none of ours."""
        if checkpoint is None:
            self._lanes[lane] = _Lane(trial, self._start(trial, b""))
            return
        saved = Saved.decode(checkpoint)
        known = saved.ready[-1].step if saved.ready else saved.step
        loop = self._start(trial, saved.state)
        ready, is_untried = deque(saved.ready), bool(saved.state)
        self._lanes[lane] = _Lane(trial, loop, known, ready, step=saved.step, is_untried=is_untried)

    def save(self, lane: int) -> bytes:
        """See `Trainer.save`. A state may be older than the last measurement: the steps between are trained again."""
        held = self._lanes[lane]
        state, ahead = held.loop.save()
        ready = (*held.ready, *(each for each in ahead if each.step > held.known))
        return Saved(held.step, ready, state).encode()

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:
        """The next measurement of every lane; nothing as long as one has to be waited for.

        So the order of measurements never depends on time, and the worker may stop in between.
        """
        lanes = sorted(self._lanes.items())
        if not all(self._has_next(lane) for _, lane in lanes):
            return {}
        return {number: [self._taken(lane)] for number, lane in lanes}

    def unload(self, lane: int) -> None:
        self._lanes.pop(lane).loop.close()

    def close(self) -> None:
        for each in self._lanes.values():
            each.loop.stop()
        while self._lanes:
            self._lanes.popitem()[1].loop.close()

    def _has_next(self, lane: _Lane) -> bool:
        """Whether a lane has something to return. Raises `OutOfMemory` if fewer lanes may fit."""
        if lane.ready or lane.failure is not None:
            return True
        try:
            found = self._new(lane)
        except OutOfMemory as error:
            if self._number > 1:
                raise OutOfMemory(f"{self._device} cannot hold {self._number} lanes: {error}") from error
            found = Failure(f"{self._device} cannot hold even one lane: {error}")
        if isinstance(found, Measurement):
            lane.ready.append(found)
        else:
            lane.failure = found
        return found is not None

    def _taken(self, lane: _Lane) -> Measurement | Failure:
        """What a lane returns next."""
        if not lane.ready:
            assert lane.failure is not None
            return lane.failure
        found = lane.ready.popleft()
        lane.step = found.step
        return found

    def _new(self, lane: _Lane) -> Measurement | Failure | None:
        """The first measurement of a lane that is not known yet; None if it has to be waited for."""
        while True:
            found = lane.loop.next()
            if found is None:
                return None
            if isinstance(found, Failure) and lane.is_untried:
                log.warning("a trial starts again, because it cannot go on from its checkpoint: %s", found.reason)
                lane.loop.close()
                lane.loop, lane.is_untried = self._start(lane.trial, b""), False
                continue
            lane.is_untried = False
            if isinstance(found, Failure) or found.step > lane.known:
                return found


def ended_early(name: str, step: int, max_steps: int | None) -> str:
    """Why a loop that ended without an error is a failure.

    >>> ended_early("my_lab:train", 300, 1000)
    'my_lab:train ended after step 300, before the target or the budget of 1,000 steps'
    >>> ended_early("my_lab:train", 0, None)
    'my_lab:train ended without a measurement'
    """
    if step == 0:
        return f"{name} ended without a measurement"
    budget = "its budget" if max_steps is None else f"the budget of {max_steps:,} steps"
    return f"{name} ended after step {step:,}, before the target or {budget}"
