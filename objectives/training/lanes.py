"""The tensors of all lanes: parameters, optimizer states, summed losses, and the hyperparameters of each trial."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.models import Network
from objectives.optimizers import Optimizer, State
from objectives.schedules import Schedule
from objectives.training.branches import Branches
from objectives.training.devices.recording import Recorder, recorder_for
from objectives.training.groups import LEARNING_RATE, Group
from objectives.training.networks.network import Networks


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
    ) -> None:
        self._networks, self._optimizer, self._schedule = networks, optimizer, schedule
        self._parameters = torch.zeros(lanes, networks.now.parameters, device=device, dtype=dtype)
        self._state = optimizer.initial_state(self._parameters)
        self._loss_sums = torch.zeros(lanes, device=device, dtype=torch.float64)
        self._steps = torch.zeros(lanes, device=device, dtype=torch.int64)
        # Each lane's seed and steps done. They are on the host, where random generators are seeded.
        self._seeds, self._counts = torch.zeros(2, lanes, dtype=torch.int64).unbind()
        names = optimizer.hyperparameters | schedule.hyperparameters
        self._hyperparameters = {name: torch.ones(lanes, device=device, dtype=torch.float64) for name in sorted(names)}
        self._hyperparameters[LEARNING_RATE].zero_()
        self._columns = {name: self._column(name) for name in optimizer.hyperparameters - {LEARNING_RATE}}
        self._vacant = set(range(lanes))
        self._recorder = recorder or recorder_for(device)
        self._side_by_side = side_by_side
        self._branches: Branches | None = None
        self._groups: list[Group] = []

    @property
    def parameters(self) -> Tensor:
        """`[lane, parameter]`."""
        return self._parameters

    def first_row(self, parameters: Tensor) -> Row:
        """The row of a trial that starts from these parameters, `[parameter]`."""
        placed = parameters.to(self._parameters)
        state = self._optimizer.initial_state(placed.unsqueeze(0))
        return Row(placed, tuple(each[0] for each in state), self._loss_sums.new_zeros(()))

    def write(self, lane: int, row: Row, *, seed: int, step: int, hyperparameters: Mapping[str, float]) -> None:
        """Set up a lane that has done `step` steps of a trial with this seed."""
        self._parameters[lane] = row.parameters
        for kept, given in zip(self._state, row.state, strict=True):
            kept[lane] = given
        self._loss_sums[lane] = row.loss_sum
        self._steps[lane] = step
        self._seeds[lane], self._counts[lane] = seed, step
        self._vacant.discard(lane)
        for name, values in self._hyperparameters.items():
            values[lane] = hyperparameters[name]
        for name, column in self._columns.items():
            column.copy_(self._column(name))

    def read(self, lane: int) -> Row:
        """A copy of a lane, on the CPU."""
        state = tuple(each[lane].to("cpu", copy=True) for each in self._state)
        return Row(self._parameters[lane].to("cpu", copy=True), state, self._loss_sums[lane].to("cpu", copy=True))

    def clear(self, lane: int) -> None:
        """Vacate a lane and reset its values: arithmetic on the infinities of a diverged trial would stay slow."""
        vacant = dict.fromkeys(self._hyperparameters, 1.0) | {LEARNING_RATE: 0.0}
        row = self.first_row(torch.zeros_like(self._parameters[lane]))
        self.write(lane, row, seed=0, step=0, hyperparameters=vacant)
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
        groups = self._grouped(network)
        given = self._learning_rates(len(inputs)), inputs, labels
        noise = self._noise(len(inputs)) if network.draws else None
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
                if noise is not None:
                    group.network.seed(int(noise[number, group.lanes.start]))
                group.step(*minibatch)

    def collect_losses(self, lanes: Tensor) -> Tensor:
        """The sum of each lane's training losses since the last call for this lane, `[lane]`."""
        sums = self._loss_sums[lanes]
        self._loss_sums.index_fill_(0, lanes, 0.0)
        return sums

    def _learning_rates(self, steps: int) -> Tensor:
        """The learning rates of the next steps, `[step, lane, 1]`. Adds the steps to the steps done."""
        ahead = torch.arange(steps, device=self._steps.device).unsqueeze(1) + self._steps
        self._steps += steps
        rates = self._hyperparameters[LEARNING_RATE] * self._schedule.factor(ahead, self._hyperparameters)
        return rates.to(self._parameters.dtype).unsqueeze(-1)

    def _column(self, name: str) -> Tensor:
        """A hyperparameter in the shape that optimizers expect, `[lane, 1]`."""
        return self._hyperparameters[name].to(self._parameters.dtype).unsqueeze(1)

    def _noise(self, steps: int) -> Tensor:
        """Seeds of the next steps' random numbers, `[step, lane]`. Adds the steps to the steps done."""
        ahead = torch.arange(steps).unsqueeze(1) + self._counts
        self._counts += steps
        return _mixed(_mixed(self._seeds) + ahead)

    def _grouped(self, network: Network) -> list[Group]:
        """All lanes, in groups of as many lanes as the network trains at once."""
        if not self._groups or self._groups[0].network is not network:
            firsts = range(0, len(self._parameters), network.lanes)
            self._groups = [self._group(network, slice(first, first + network.lanes)) for first in firsts]
            self._branches = None
        return self._groups

    def _group(self, network: Network, lanes: slice) -> Group:
        return Group(
            network,
            self._optimizer,
            lanes,
            self._parameters[lanes],
            tuple(each[lanes] for each in self._state),
            self._loss_sums[lanes],
            {name: column[lanes] for name, column in self._columns.items()},
        )


def _mixed(numbers: Tensor) -> Tensor:
    """Pseudo-random numbers from 0 to 2^63 - 1: the last steps of splitmix64 (Steele et al. 2014) on signed numbers."""
    mixed = (numbers ^ (numbers >> 30)) * -0x40A7B892E31B1A47
    mixed = (mixed ^ (mixed >> 27)) * -0x6B2FB644ECCEEE15
    return mixed ^ (mixed >> 31)  # of two numbers of the same sign, so that it is not negative
