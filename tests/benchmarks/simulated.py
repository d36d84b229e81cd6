"""A workload that trains nothing: every trial ends at its last measurement, and takes as long as it is told.

For benchmarks of everything around training. It needs no torch.
"""

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tuner.analysis.optimum.race import choosing_runs
from tuner.experiment import Experiment, parse
from tuner.trial import Measurement, TrialSpec

METRICS = ("train/loss", "validation/loss", "validation/error", "test/error")
"""Those of `objectives.classification`."""

TARGET = 0.03
"""The last measurement of a trial is the first whose validation error is below."""

SIMULATED = """
name = "{name}"
batch_sizes = {batch_sizes}

[objective]
kind = "tests.benchmarks.simulated:Simulated"
measurements = {measurements}
seconds = {seconds}

[goal]
metric = "validation/error"
below = 0.03
within_steps = 10000000

[space]
learning_rate = {{ low = 1e-3, high = 10, scale = "log" }}
momentum = {{ low = 0, high = 0.999, scale = "reverse_log" }}

[search]
sampler = {{ kind = "quasi_random" }}
points = {points}
width = {width}
slack = inf
optimism = inf
max_rounds = 1
probes = 0
second_look_points = 0

[confirmation]
candidates = 7
neighbours = false
choose_seeds = 4
report_seeds = 5
"""
CONFIRMED = choosing_runs(7, 4) + 5
"""Trials of a study that confirm its winner."""


def simulated(
    name: str, *, batch_sizes: Sequence[int], trials: int, measurements: int, width: int = 8, seconds: float = 0.0
) -> Experiment:
    """An experiment of so many trials a study, confirmation included. Nothing is cut: all curves are whole."""
    values = {"name": name, "batch_sizes": list(batch_sizes), "points": trials - CONFIRMED, "width": width}
    text = SIMULATED.format(**values, measurements=measurements, seconds=seconds)
    return parse(text, source="simulated.toml")


@dataclass(frozen=True, slots=True)
class Simulated:
    """Reaches its target in steps that fall with the batch size, best at an effective learning rate of 1.

    Attributes:
        measurements: How many a trial has.
        seconds: How long one takes, most of it asleep.
    """

    measurements: int = 100
    seconds: float = 0.0
    train_examples: int = 1_000_000

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(METRICS)

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset({"learning_rate", "momentum"})

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> "SimulatedTrainer":
        return SimulatedTrainer(self, batch_size, lanes, "cpu" if device == "auto" else device)


def steps_to_target(trial: TrialSpec, *, batch_size: int, measurements: int) -> int:
    """A paraboloid in log steps, up to e**4 times the least, with noise of 10 %; at least as many as measurements."""
    rate, momentum = (float(trial.hyperparameters[name]) for name in ("learning_rate", "momentum"))
    off = math.log10(rate / (1 - momentum))
    noise = random.Random(trial.seed).gauss(0, 0.1)
    least = measurements * (1 + 1000 / batch_size)
    return max(measurements, round(least * math.exp(off**2 / 4 + noise)))


@dataclass(slots=True)
class SimulatedTrainer:
    """Lanes of curves that are known in advance."""

    simulated: Simulated
    batch_size: int
    lanes: int
    device: str
    running: dict[int, tuple[TrialSpec, int]] = field(default_factory=dict)

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        self.running[lane] = trial, int(checkpoint or 0)

    def save(self, lane: int) -> bytes:
        return str(self.running[lane][1]).encode()

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        time.sleep(self.simulated.seconds / self.simulated.measurements)
        return {lane: [self._measure(lane)] for lane in list(self.running)}

    def unload(self, lane: int) -> None:
        del self.running[lane]

    def close(self) -> None:
        self.running.clear()

    def _measure(self, lane: int) -> Measurement:
        """The next measurement: an error that falls evenly on a log scale, from 1 to just below the target."""
        trial, before = self.running[lane]
        last, index = self.simulated.measurements, before + 1
        self.running[lane] = trial, index
        steps = steps_to_target(trial, batch_size=self.batch_size, measurements=last)
        error = TARGET ** (index / last) * (0.999 if index == last else 1.0)
        values = (2.3 * error, 2.4 * error, error, 1.1 * error)
        return Measurement(steps * index // last, dict(zip(METRICS, values, strict=True)))
