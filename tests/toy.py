"""A workload whose answer is known: the validation error halves every `half_life` steps, best at learning rate 0.1."""

import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuner.errors import OutOfMemory
from tuner.trial import Measurement, TrialSpec

TOY = """
name = "toy"
seed = 3
batch_sizes = [8, 16]

[objective]
kind = "tests.toy:Toy"

[goal]
metric = "validation/error"
below = 0.03
within_steps = 400

[space]
learning_rate = { low = 1e-3, high = 10, scale = "log" }

[search]
sampler = { kind = "random" }
points = 12
probes = 0
"""
"""Its experiment's file. It has as many trials as it says: none beyond its space."""

SMALL = TOY + "\n[confirmation]\ncandidates = 2\nneighbours = false\nchoose_seeds = 2\nreport_seeds = 3\n"
"""The same, soon done, and each study by itself."""


@dataclass(frozen=True, slots=True)
class Toy:
    """Error `2 ** -(step / half_life)`, with `half_life = 10 (1 + log10(learning_rate / 0.1) ** 2)`.

    Learning rates above 1 diverge. More loaded lanes than `capacity` run out of memory. Every step
    takes `pause` seconds. At one batch size, `slow_at_batch_size`, trials take three times the steps.
    """

    train_examples: int = 1024
    capacity: int = 1_000
    breaks_at_batch_size: int = 0
    pause: float = 0.0
    slow_at_batch_size: int = 0

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset({"train/loss", "validation/error", "test/error"})

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset({"learning_rate"})

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> "ToyTrainer":
        return ToyTrainer(self, batch_size, lanes, "cpu" if device == "auto" else device)


def half_life(learning_rate: float) -> float:
    """Steps in which the error halves."""
    return 10 * (1 + math.log10(learning_rate / 0.1) ** 2)


def steps_to(error: float, learning_rate: float) -> int:
    """The first step at which the error is below."""
    return math.floor(half_life(learning_rate) * -math.log2(error)) + 1


@dataclass(slots=True)
class ToyTrainer:
    """Lanes of curves that are known in advance."""

    toy: Toy
    batch_size: int
    lanes: int
    device: str
    running: dict[int, tuple[TrialSpec, int]] = field(default_factory=dict)
    loaded: list[TrialSpec] = field(default_factory=list)

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        assert lane not in self.running
        self.running[lane] = trial, int(checkpoint or 0)
        self.loaded.append(trial)

    def save(self, lane: int) -> bytes:
        return str(self.running[lane][1]).encode()

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        if self.batch_size == self.toy.breaks_at_batch_size:
            raise ZeroDivisionError("the toy is broken")
        if len(self.running) > self.toy.capacity:
            raise OutOfMemory(f"{len(self.running)} lanes do not fit")
        time.sleep(self.toy.pause)
        return {lane: [self._step(lane)] for lane in list(self.running)}

    def unload(self, lane: int) -> None:
        del self.running[lane]

    def close(self) -> None:
        self.running.clear()

    def _step(self, lane: int) -> Measurement:
        trial, step = self.running[lane]
        step += 1
        self.running[lane] = trial, step
        learning_rate = float(trial.hyperparameters["learning_rate"])
        slowness = 3 if self.batch_size == self.toy.slow_at_batch_size else 1
        error = 2 ** -(step / (slowness * half_life(learning_rate)))
        loss = math.nan if learning_rate > 1 else error
        return Measurement(step, {"train/loss": loss, "validation/error": error, "test/error": error})


@dataclass(frozen=True, slots=True)
class Mortal(Toy):
    """The toy, whose process is killed as it takes its 20th step. That happens once: then `grave` is there.

    At batch size 8 nothing happens to it.
    """

    grave: str = ""

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        return MortalTrainer(self, batch_size, lanes, "cpu", grave=Path(self.grave))


@dataclass(slots=True)
class MortalTrainer(ToyTrainer):
    """Lanes that die once."""

    grave: Path = Path()
    steps: int = 0

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        self.steps += 1
        if self.steps == 20 and self.batch_size != 8 and not self.grave.exists():
            self.grave.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return ToyTrainer.advance(self)
