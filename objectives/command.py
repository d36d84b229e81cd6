"""A training script of any kind as a workload: a command with the hyperparameters among its arguments."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, MinLen

from objectives.loops.devices import Devices, inside, load_torch_beside_gpus, resolved, variables
from objectives.loops.processes import ProcessLoop
from objectives.loops.templates import check_command, filled, placeholders
from objectives.loops.told import BATCH_SIZE, CHECKPOINT, DEVICE, MAX_STEPS, RESERVED, SEED, short_seed
from objectives.loops.trainer import LoopTrainer
from tuner.experiment.limits.numbers import NAMES, Seconds, Within
from tuner.objective import MeasuringPlan, Trainer
from tuner.trial import TrialSpec

__all__ = ["Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """Implements `tuner.objective.Objective` and `PlannedObjective`.

    Each trial is a process, which prints a JSON object a line: `{"step": 100, "validation/error": 0.12}`. All lanes run
    at the same time.

    Attributes:
        command: The program and its arguments, with `{learning_rate}` for a hyperparameter, and `{batch_size}`,
            `{seed}`, `{device}`, `{max_steps}` and `{checkpoint}` for what else a trial is told.
        metrics: What it measures.
        train_examples: Size of the training set.
        devices: Whether it sees the GPU of its worker, or all.
        grace_seconds: Seconds from SIGTERM to SIGKILL when a trial is cut.

    Raises:
        ConfigError: The command cannot be run here, or would not learn the batch size.
    """

    command: Annotated[tuple[str, ...], MinLen(1)]
    metrics: Annotated[frozenset[str], MinLen(1), NAMES]
    train_examples: Annotated[int, Ge(1), Within(2**53)]
    devices: Devices = Devices.WORKER
    grace_seconds: Seconds = 5.0

    def __post_init__(self) -> None:
        check_command(self.command)
        load_torch_beside_gpus()

    @property
    def hyperparameters(self) -> frozenset[str]:
        return placeholders(self.command) - RESERVED

    @property
    def certain_early(self) -> frozenset[str]:
        return frozenset()

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer of `lanes` processes. Without a plan, `{max_steps}` is empty."""
        return self.planned_trainer(batch_size, lanes=lanes, device=device, plan=MeasuringPlan())

    def planned_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer of `lanes` processes. None is started before it has a trial."""
        on = resolved(device)

        def start(trial: TrialSpec, state: bytes) -> ProcessLoop:
            return self._loop(trial, state, batch_size=batch_size, device=on, max_steps=plan.max_steps)

        return LoopTrainer(start, lanes=lanes, device=on)

    def _loop(
        self, trial: TrialSpec, state: bytes, *, batch_size: int, device: str, max_steps: int | None
    ) -> ProcessLoop:
        """A trial whose process is started."""
        told: Mapping[str, object] = {
            **trial.hyperparameters,
            BATCH_SIZE: batch_size,
            SEED: short_seed(trial.seed),
            DEVICE: inside(device),
            MAX_STEPS: "" if max_steps is None else max_steps,
        }

        def fill(checkpoint: Path) -> Sequence[str]:
            return filled(self.command, {**told, CHECKPOINT: str(checkpoint)})

        identity = hashlib.sha256("\0".join(fill(Path())).encode()).hexdigest()[:12]
        return ProcessLoop(
            fill,
            environment=variables(device, self.devices),
            log_name=f"batch_size={batch_size}.seed={short_seed(trial.seed)}.{identity}.log",
            grace=self.grace_seconds,
            max_steps=max_steps,
            state=state,
            has_states=CHECKPOINT in placeholders(self.command),
        )
