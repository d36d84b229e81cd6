"""Trains many trials in lockstep: the trainer of every supervised objective."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch

from objectives.data import Splits
from objectives.models import Architecture, Model, NamedWeights
from objectives.optimizers import Optimizer, fisher_of
from objectives.schedules import Schedule, check_budget
from objectives.training import checkpoint as checkpoints
from objectives.training.criteria import Criteria
from objectives.training.devices.arithmetic import (
    Precision,
    denormals_flushed,
    deterministic_kernels,
    one_thread,
    tensor_cores,
)
from objectives.training.devices.clock import device_name, seconds_of
from objectives.training.devices.memory import memory_watched, sent
from objectives.training.inputs.examples import Examples
from objectives.training.lanes import lanes_for
from objectives.training.measuring.grid import Progress
from objectives.training.measuring.snapshots import KEPT, Snapshot, Snapshots
from objectives.training.measuring.whole import evaluation_for
from objectives.training.minibatches import Minibatches, Order
from objectives.training.networks.network import Computation, Networks, networks_for
from tuner.objective import MeasuringPlan
from tuner.trial import Measurement, TrialSpec

ACCELERATOR_CHUNK = 16
"""Steps that an accelerator trains before the host looks at what was measured."""


class LaneTrainer:
    """Implements `tuner.objective.Trainer`, `MeasuresEnds`, `GivesWeights`, `TimesSteps` and `NamesDevice`.

    A trial's result is the same in any lane, beside any neighbours; only the number of lanes may change its rounding.

    Args:
        splits: The data.
        device: As torch names it, or `auto`: the accelerator, if there is one.
        computation: How gradients are computed.
        plan: What measurements are asked for.
        criteria: What is minimised and measured.
        chunk: Steps that `advance` trains; by default up to the next measurement on the CPU. On an accelerator
            it is 16, or fewer if the parameters are so many that they cannot be kept for measuring.

    Raises:
        OutOfMemory: The device cannot hold this many lanes.
        ConfigError: Minibatches or microbatches would split a group of examples that are normalised together, or the
            schedule needs the budget, which the plan does not know.
    """

    def __init__(
        self,
        splits: Splits,
        model: Model | Architecture,
        *,
        optimizer: Optimizer,
        schedule: Schedule,
        batch_size: int,
        lanes: int,
        device: str,
        computation: Computation = Computation(),  # noqa: B008 - a frozen value
        plan: MeasuringPlan = MeasuringPlan(),  # noqa: B008 - a frozen value
        criteria: Criteria = Criteria(),  # noqa: B008 - a frozen value
        chunk: int | None = None,
    ) -> None:
        check_budget(schedule, plan.max_steps)
        on = torch.device(_accelerator() if device == "auto" else device)
        self._lane_count, self._batch_size, self._device = lanes, batch_size, on
        self._examples = len(splits.train)
        self._progress: dict[int, Progress] = {}
        self._tensor_cores = computation.precision is Precision.TF32
        self._deterministic, dtype = computation.deterministic, computation.dtype
        with self._watched(), torch.inference_mode():
            self._networks = _networks(
                model, splits, computation, criteria, optimizer, lanes=lanes, batch_size=batch_size, device=on
            )
            network = self._networks.now
        # Tensors that are made in inference mode cannot be trained outside of it: one mode for all.
        self._mode = torch.no_grad if network.autograd else torch.inference_mode
        with self._watched(), self._mode():
            examples = Examples(splits.train, splits, device=on, dtype=dtype)
            self._minibatches = Minibatches(examples, batch_size=batch_size, lanes=lanes)
            self._lanes = lanes_for(
                self._networks, splits, plan, criteria, optimizer, schedule, lanes=lanes, device=on, dtype=dtype
            )
            self._evaluation = evaluation_for(splits, plan, criteria, lanes=lanes, device=on, dtype=dtype)
            self._snapshots = Snapshots(self._evaluation)
            self._initial_losses = torch.zeros(lanes, device=on, dtype=torch.float64)
        affordable = max(1, KEPT // (lanes * network.parameters))
        self._chunk = min(ACCELERATOR_CHUNK, affordable) if chunk is None and on.type != "cpu" else chunk

    @property
    def lanes(self) -> int:
        return self._lane_count

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def device_name(self) -> str:
        return device_name(self._device)

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial in a free lane, from its seed or from what `save` returned.

        Raises:
            ValueError: The lane holds a trial, or the other lanes' trials name other regularisers.
            ConfigError: The trial names a regulariser that the network cannot apply.
        """
        if lane in self._progress:
            raise ValueError(f"lane {lane} holds a trial; unload it first")
        with self._computing():
            if checkpoint is None:
                generator = torch.Generator().manual_seed(trial.seed)
                row = self._lanes.first_row(self._networks.now.initialise(generator))
                order, progress = Order(generator, self._examples), Progress()
            else:
                row, order, progress = checkpoints.read(checkpoint, examples=self._examples)
            hyperparameters = {name: float(value) for name, value in trial.hyperparameters.items()}
            if not progress.step:
                self._initial_losses[lane] = self._evaluation.initial_loss(self._networks.now, row.parameters)
            self._lanes.write(lane, row, seed=trial.seed, step=progress.step, hyperparameters=hyperparameters)
            self._minibatches.open(lane, order, seed=trial.seed, step=progress.step)
            self._progress[lane] = progress

    def save(self, lane: int) -> bytes:
        """The state of the trial in a lane. After `load` of this state, results are identical."""
        with self._mode():
            return checkpoints.write(self._lanes.read(lane), self._minibatches.rest(lane), self._progress[lane])

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        """Train every loaded lane. Returns each lane's measurements, oldest first.

        The CPU trains until a lane is measured. An accelerator trains a fixed number of steps, and the host waits for
        it only then. The number of steps never depends on timing, so that a run can be repeated.

        Raises:
            OutOfMemory: The device is full.
        """
        if not self._progress:
            return {}
        with self._computing():
            left = self._chunk or self._until_due()
            self._snapshots.taken.clear()
            while left:
                steps = min(left, self._until_due(), self._minibatches.ready)
                self._lanes.train(*self._minibatches.take(steps))
                for progress in self._progress.values():
                    progress.step += steps
                left -= steps
                if due := [lane for lane, progress in self._progress.items() if not progress.until_due]:
                    self._snapshots.taken.append(self._snapshot(due))
            return self._snapshots.measure(self._networks.now, self._progress)

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        """What the measurement at `step`, in the last `advance`, left out: over all validation and test examples.

        Raises:
            ValueError: The lane was not measured there.
            OutOfMemory: The device is full.
        """
        with self._computing():
            return self._snapshots.measure_end(self._networks.now, lane, step)

    def weights(self, lane: int, step: int) -> bytes:
        """See `tuner.objective.GivesWeights`."""
        network = self._networks.now
        if not isinstance(network, NamedWeights):
            raise NotImplementedError
        with self._mode():
            named = network.named_weights(self._snapshots.parameters(lane, step))
        file = io.BytesIO()
        torch.save({name: each.cpu() for name, each in named.items()}, file)
        return file.getvalue()

    def time_steps(self, steps: int) -> float:
        """See `tuner.objective.TimesSteps`."""
        with self._computing():
            return seconds_of(lambda: self._train(steps), self._device)

    def unload(self, lane: int) -> None:
        """Free a lane."""
        del self._progress[lane]
        self._minibatches.close(lane)
        self._snapshots.forget(lane)
        with self._mode():
            self._lanes.clear(lane)

    def close(self) -> None:
        """Release the device; the trainer cannot be used any more."""
        self._progress.clear()
        del self._networks, self._lanes, self._minibatches, self._snapshots, self._evaluation
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _train(self, steps: int) -> None:
        """Train for so many steps and no more: nothing is counted, and nothing measured."""
        while steps:
            now = min(steps, self._minibatches.ready)
            self._lanes.train(*self._minibatches.take(now))
            steps -= now

    def _until_due(self) -> int:
        """Steps until some lane is measured."""
        return min(progress.until_due for progress in self._progress.values())

    def _snapshot(self, lanes: Sequence[int]) -> Snapshot:
        """Some lanes as they are to be measured, without waiting for the device."""
        due = [self._progress[lane] for lane in lanes]
        before = [progress.measured for progress in due]
        rows = sent(torch.tensor(lanes), self._device)
        counts = sent(torch.tensor([progress.step - progress.measured for progress in due]), self._device)
        train_losses = self._lanes.collect_losses(rows) / counts
        if 0 in before:
            is_first = sent(torch.tensor(before) == 0, self._device)
            train_losses = torch.where(is_first, self._initial_losses[rows], train_losses)
        for progress in due:
            progress.measured = progress.step
        steps = [progress.step for progress in due]
        return Snapshot(lanes, steps, before, self._lanes.measured[rows], train_losses)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """The settings under which everything is trained and measured."""
        with (
            self._watched(),
            one_thread(),
            denormals_flushed(),
            tensor_cores(allowed=self._tensor_cores),
            deterministic_kernels(self._device, wanted=self._deterministic),
            self._mode(),
        ):
            yield

    def _watched(self) -> AbstractContextManager[None]:
        return memory_watched(lanes=self._lane_count, batch_size=self._batch_size, device=self._device)


def _networks(
    model: Model | Architecture,
    splits: Splits,
    computation: Computation,
    criteria: Criteria,
    optimizer: Optimizer,
    *,
    lanes: int,
    batch_size: int,
    device: torch.device,
) -> Networks:
    """The networks that minimise the loss, with factors if the optimizer needs them."""
    return networks_for(
        model,
        splits,
        computation,
        lanes=lanes,
        batch_size=batch_size,
        device=device,
        loss=criteria.loss,
        fisher=fisher_of(optimizer),
    )


def _accelerator() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
