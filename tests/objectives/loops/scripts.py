"""The training script of these tests as a workload, and trainers that run it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from objectives.command import Command
from objectives.loops.devices import Devices
from tuner.objective import MeasuringPlan, Trainer
from tuner.trial import Failure, Measurement, TrialSpec

SCRIPT = Path(__file__).parent / "script.py"
PYTHON = (sys.executable, "-S", str(SCRIPT))


def command(*rest: str, grace: float = 5.0, devices: Devices = Devices.WORKER) -> Command:
    """The script with further arguments."""
    arguments = (*PYTHON, "{learning_rate}", "{batch_size}", "{seed}", *rest)
    return Command(arguments, frozenset({"validation/error"}), 1024, devices, grace)


@contextmanager
def loaded(workload: Command, *specs: TrialSpec, device: str = "cpu") -> Iterator[Trainer]:
    """A trainer with a trial in each of its lanes."""
    plan = MeasuringPlan(max_steps=5000)
    with closing(workload.planned_trainer(8, lanes=len(specs), device=device, plan=plan)) as trainer:
        for lane, each in enumerate(specs):
            trainer.load(lane, each)
        yield trainer


def spec(rate: float = 0.5, seed: int = 7) -> TrialSpec:
    return TrialSpec(seed, {"learning_rate": rate})


def curve(trainer: Trainer, chunks: int, lane: int = 0) -> Sequence[Measurement | Failure]:
    found: list[Measurement | Failure] = []
    for _ in range(chunks):
        found += advanced(trainer)[lane]
    return found


def advanced(trainer: Trainer) -> Mapping[int, Sequence[Measurement | Failure]]:
    """What the lanes measure next, however long it takes."""
    while not (measured := trainer.advance()):
        pass
    return measured


def errors(trainer: Trainer, chunks: int, lane: int = 0) -> list[tuple[int, float]]:
    """The steps and errors that a lane measures."""
    found = curve(trainer, chunks, lane)
    return [(each.step, each.metrics["validation/error"]) for each in found if isinstance(each, Measurement)]


def failure(*rest: str, chunks: int = 1) -> Failure:
    """How the script fails as it is asked for its last measurement."""
    with loaded(command(*rest), spec()) as trainer:
        last = curve(trainer, chunks)[-1]
    assert isinstance(last, Failure)
    return last
