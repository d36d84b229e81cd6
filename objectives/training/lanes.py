"""The tensors of all lanes: parameters, optimizer states, summed losses, and the hyperparameters of each trial."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.data import Splits
from objectives.implementing import implements
from objectives.models import Network, layout_of
from objectives.models.regularisation import GRADIENT_NOISE
from objectives.optimizers import Averages, Optimizer, State, fisher_of
from objectives.schedules import Schedule
from objectives.training.branches import Branches
from objectives.training.criteria import Criteria
from objectives.training.devices.recording import Recorder, recorder_for
from objectives.training.draws import StepSeeds
from objectives.training.groups import Group, Scratch
from objectives.training.hyperparameters import Hyperparameters, Numbers
from objectives.training.networks.network import Networks
from objectives.training.networks.regularisers import Regularisers
from tuner.objective import MeasuringPlan


@dataclass(frozen=True, slots=True)
class Row:
    """The state of the trial in one lane.

    Attributes:
        parameters: `[parameter]`.
        state: The optimizer's tensors, without the lane dimension.
        loss_sum: The sum of the training losses since the last measurement, a scalar.
    """

    parameters: Tensor
    state: State
    loss_sum: Tensor


class Lanes:
    """The tensors of all lanes; each lane is a row.

    A lane without a trial is trained with its group all the same, so that shapes never change. Its learning rate is 0.

    Args:
        recorder: Makes a recorder of steps; by default for a GPU, and none elsewhere, where steps are not recorded.
        side_by_side: Groups that a recorded step trains side by side, at most; by default all.
        max_steps: The budget of a trial, which the schedule is told.
        regularisers: What trials may name beside the hyperparameters of the optimizer and the schedule.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        optimizer: Optimizer,
        schedule: Schedule,
        lanes: int,
        device: torch.device,
        dtype: torch.dtype,
        recorder: Callable[[], Recorder] | None = None,
        side_by_side: int | None = None,
        max_steps: int | None = None,
        regularisers: Regularisers | None = None,
    ) -> None:
        self._networks, self._optimizer = networks, optimizer
        self._parameters = torch.zeros(lanes, networks.now.parameters, device=device, dtype=dtype)
        self._layout = layout_of(networks.now)
        self._state = optimizer.initial_state(self._parameters, self._layout)
        self._scratch = Scratch(self._parameters)
        self._loss_sums = torch.zeros(lanes, device=device, dtype=torch.float64)
        self._steps = torch.zeros(lanes, device=device, dtype=torch.int64)
        self._seeds = StepSeeds(lanes)
        self._hyperparameters = Hyperparameters(optimizer, schedule, lanes=lanes, device=device, max_steps=max_steps)
        self._numbers = Numbers(dtype)
        self._regularisers = regularisers or Regularisers(lanes, device=device, others=self._hyperparameters.names)
        self._vacant = set(range(lanes))
        self._needs_factors = fisher_of(optimizer) is not None
        self._recorder = None if self._needs_factors else recorder or recorder_for(device)
        self._side_by_side = side_by_side
        self._branches: Branches | None = None
        self._groups: list[Group] = []

    @property
    def parameters(self) -> Tensor:
        """`[lane, parameter]`."""
        return self._parameters

    @property
    def measured(self) -> Tensor:
        """The parameters that are measured, `[lane, parameter]`."""
        if implements(self._optimizer, Averages):
            return self._optimizer.measured(self._parameters, self._state)
        return self._parameters

    def first_row(self, parameters: Tensor) -> Row:
        """The row of a trial that starts from these parameters, `[parameter]`."""
        placed = parameters.to(self._parameters)
        state = self._optimizer.initial_state(placed.unsqueeze(0), self._layout)
        return Row(placed, tuple(each[0] for each in state), self._loss_sums.new_zeros(()))

    def write(self, lane: int, row: Row, *, seed: int, step: int, hyperparameters: Mapping[str, float]) -> None:
        """Set up a lane that has done `step` steps of a trial with this seed. Defaults stand in for what is missing.

        Raises:
            ConfigError: The trial names a regulariser that the network cannot apply.
            ValueError: The trial names other regularisers than those in other lanes.
        """
        is_first = len(self._vacant | {lane}) == len(self._parameters)
        if self._regularisers.choose(hyperparameters.keys(), self._networks.now, is_first=is_first):
            self._groups = []
        self._regularisers.write(lane, hyperparameters)
        self._parameters[lane] = row.parameters
        self._scratch.clear(lane)
        for kept, given in zip(self._state, row.state, strict=True):
            kept[lane] = given
        self._loss_sums[lane] = row.loss_sum
        self._steps[lane] = step
        self._seeds.write(lane, seed=seed, step=step)
        self._vacant.discard(lane)
        self._hyperparameters.write(lane, hyperparameters)
        self._numbers.forget()

    def read(self, lane: int) -> Row:
        """A copy of a lane, on the CPU."""
        state = tuple(each[lane].to("cpu", copy=True) for each in self._state)
        return Row(self._parameters[lane].to("cpu", copy=True), state, self._loss_sums[lane].to("cpu", copy=True))

    def clear(self, lane: int) -> None:
        """Vacate a lane and reset its values: arithmetic on the infinities of a diverged trial would stay slow."""
        row = self.first_row(torch.zeros_like(self._parameters[lane]))
        self.write(lane, row, seed=0, step=0, hyperparameters=self._hyperparameters.of_vacant | self._regularisers.none)
        self._vacant.add(lane)

    def train(self, inputs: Tensor, labels: Tensor) -> None:
        """Train every lane on its next minibatches.

        A group of lanes takes all these steps before the next group begins, so that its tensors stay in the
        processor's cache.

        Args:
            inputs: `[step, lane, example, feature]`.
            labels: `[step, lane, example]`.
        """
        if self._vacant:  # the time would not be that of full lanes
            self._train(inputs, labels)
        else:
            with self._networks.calibration.timed(len(inputs)):
                self._train(inputs, labels)

    def _train(self, inputs: Tensor, labels: Tensor) -> None:
        network = self._networks.now
        given = [self._next_numbers(len(inputs)), inputs, labels]
        groups = self._grouped(network)
        draws, is_noisy = network.draws or self._needs_factors, GRADIENT_NOISE in self._regularisers.active
        seeds = self._seeds.take(len(inputs)) if draws or is_noisy else None
        if seeds is not None and is_noisy:
            given.append(self._regularisers.weights(seeds, labels.shape[2]).to(self._parameters.dtype))
        noise = seeds if draws else None
        if self._recorder is None:
            self._train_each(groups, given, noise)
            return
        if self._branches is None:
            first = [each[0] for each in given]
            self._branches = Branches(groups, first, make=self._recorder, side_by_side=self._side_by_side)
        self._branches.train(given, noise, vacant=self._vacant)

    def _train_each(self, groups: Sequence[Group], given: Sequence[Tensor], noise: Tensor | None) -> None:
        """Train one group after the other, without recording."""
        for group in groups:
            if self._vacant.issuperset(range(group.lanes.start, group.lanes.stop)):
                continue
            for number, minibatch in enumerate(zip(*(each[:, group.lanes].unbind() for each in given), strict=True)):
                seeds = None if noise is None else noise[number, group.lanes]
                if seeds is not None and group.network.draws:
                    group.network.seed(int(seeds[0]))
                group.step(*minibatch, seeds=seeds)

    def collect_losses(self, lanes: Tensor) -> Tensor:
        """The sum of each lane's training losses since the last call for this lane, `[lane]`."""
        sums = self._loss_sums[lanes]
        self._loss_sums.index_fill_(0, lanes, 0.0)
        return sums

    def _next_numbers(self, steps: int) -> Tensor:
        """What the next steps need, `[step, lane, number]`. Adds the steps to the steps done."""
        ahead = torch.arange(steps, device=self._steps.device).unsqueeze(1) + self._steps
        self._steps += steps
        return self._numbers.together({**self._hyperparameters.numbers(ahead), **self._regularisers.numbers()}, ahead)

    def _grouped(self, network: Network) -> list[Group]:
        """All lanes, in groups of as many lanes as the network trains at once."""
        if not self._groups or self._groups[0].network is not network or self._groups[0].names != self._numbers.names:
            firsts = range(0, len(self._parameters), network.lanes)
            self._groups = [self._group(network, slice(first, first + network.lanes)) for first in firsts]
            self._branches = None
        return self._groups

    def _group(self, network: Network, lanes: slice) -> Group:
        return Group(
            network,
            self._layout,
            self._optimizer,
            lanes,
            self._parameters[lanes],
            tuple(each[lanes] for each in self._state),
            self._loss_sums[lanes],
            self._numbers.names,
            self._scratch,
        )


def lanes_for(
    networks: Networks,
    splits: Splits,
    plan: MeasuringPlan,
    criteria: Criteria,
    optimizer: Optimizer,
    schedule: Schedule,
    *,
    lanes: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Lanes:
    """The tensors of a trainer's lanes."""
    regularisers = Regularisers(
        lanes,
        device=device,
        others=optimizer.hyperparameters | schedule.hyperparameters,
        smoothing=criteria.smoothing,
        classes=splits.classes,
    )
    return Lanes(
        networks,
        optimizer=optimizer,
        schedule=schedule,
        lanes=lanes,
        device=device,
        dtype=dtype,
        max_steps=plan.max_steps,
        regularisers=regularisers,
    )
