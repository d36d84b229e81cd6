"""Measuring lanes on validation and test examples, and on training examples before they are trained."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.models import Network
from objectives.training.devices.memory import moved, sent
from objectives.training.devices.recording import Recorder, recorder_for
from objectives.training.measuring.recorded import RecordedTerms
from objectives.training.measuring.tally import ACCURACY, DECISIVE, ERROR, LOSS, Losses, Rows, Tally, mean
from objectives.training.measuring.terms import Found, Level, terms
from tuner.objective import MeasuringPlan

TEST_ERROR, TEST_ACCURACY = "test/error", "test/accuracy"
METRICS = frozenset({"train/loss", LOSS, ERROR, ACCURACY, TEST_ERROR, TEST_ACCURACY})
"""What can be measured. The accuracies are measured in place of the errors if the goal asks for accuracy."""

BLOCK = 512
"""Validation examples that are always measured, and the most that are measured at a time."""
TEST_BLOCK = 4096
"""Test examples that are measured at a time on an accelerator."""
AGAIN = 64
"""Lanes that are measured side by side are given equally many examples. At most so many of a group's are repeats."""
ORDER = 0
"""The seed of the order of the validation examples, and of which training examples give the initial loss."""


class Evaluation:
    """The validation and test examples, and a block of training examples, kept on the device.

    The validation examples are shuffled once, in the same way for every trial. So is what gives the initial loss.

    Attributes:
        plan: What measurements are asked for.

    Args:
        lanes: Lanes that are measured at once, at most.
        recorder: Makes a recorder of steps; by default for a GPU, and none elsewhere, where steps are not recorded.
    """

    def __init__(
        self,
        splits: Splits,
        plan: MeasuringPlan,
        *,
        lanes: int,
        device: torch.device,
        dtype: torch.dtype,
        recorder: Callable[[], Recorder] | None = None,
    ) -> None:
        order, initial = _shuffled(len(splits.validation)), initial_examples(splits.train)
        self._inputs = moved(splits.validation.inputs[order], device, dtype)
        self._labels = splits.validation.labels[order].to(device)
        self._initial_inputs = moved(initial.inputs, device, dtype)
        self._initial_labels = initial.labels.to(device)
        self._test_inputs = moved(splits.test.inputs, device, dtype)
        self._test_labels = splits.test.labels.to(device)
        self.plan, self._lanes, self._device, self._dtype = plan, lanes, device, dtype
        self._recorder = recorder or recorder_for(device)
        self._recorded: RecordedTerms | None = None
        self._metric = plan.metric if plan.metric in DECISIVE else ERROR
        self._targets = plan.targets if plan.metric in DECISIVE else ()

    def initial_loss(self, network: Network, parameters: Tensor) -> Tensor:
        """The loss of parameters `[parameter]` on a block of training examples, without waiting for the device.

        It is that of a measurement: without dropout, and with the running averages of a batch norm.
        """
        row = parameters.to(self._device, self._dtype).unsqueeze(0)
        _, losses = terms(network, row, self._initial_inputs, self._initial_labels)
        return losses.mean(dtype=torch.float64)

    def recall(self) -> Losses:
        """The recall of a lane that has not been measured (`Tally.recall`)."""
        return np.zeros(len(self._labels), np.float64 if self._dtype == torch.float64 else np.float32)

    def tally(self, recall: Losses, reached: int) -> Tally:
        """The measurement of a lane, not begun.

        Args:
            recall: Of the lane.
            reached: How many of the targets it has met; the next one decides when the measurement ends.
        """
        target = self._targets[reached] if reached < len(self._targets) else None
        return Tally(self._metric, target, recall)

    def measured(
        self, network: Network, parameters: Tensor, recalls: Sequence[Losses], reached: Sequence[int]
    ) -> Sequence[Tally]:
        """The measurement of each lane, as `tally` begins and `measure` completes it."""
        tallies = [self.tally(*each) for each in zip(recalls, reached, strict=True)]
        self.measure(network, parameters, tallies)
        return tallies

    def measure(self, network: Network, parameters: Tensor, tallies: Sequence[Tally]) -> None:
        """Measure each lane on the validation examples, or on as many as its tally asks for.

        A CPU is asked after every block. An accelerator is waited for three times at most: after the first block, after
        the chosen examples, and after all blocks for the lanes that are not decided then.

        Args:
            network: Computes the outputs.
            parameters: `[lane, parameter]`.
            tallies: Of each lane.
        """
        first = np.arange(min(BLOCK, len(self._labels)))
        picked = {row: first for row, each in enumerate(tallies) if not each.is_done}
        most = BLOCK
        while picked:
            found = [
                (group, self._terms(network, self._rows(parameters, group), [picked[row] for row in group]))
                for group in self._side_by_side(picked)
            ]
            for group, (levels, losses) in found:
                for row, *made in zip(group, levels.cpu().numpy(), losses.cpu().numpy(), strict=True):
                    many = len(picked[row])
                    tallies[row].add(picked[row], *(each[:many] for each in made))
            picked = {row: each.pick(most) for row, each in enumerate(tallies) if not each.is_done}
            most = BLOCK if self._device.type == "cpu" else len(self._labels)

    def test(self, network: Network, parameters: Tensor) -> list[dict[str, float]]:
        """The test metrics of each lane, over all test examples."""
        found = []
        size, many = BLOCK if self._device.type == "cpu" else TEST_BLOCK, len(self._test_labels)
        for rows in torch.split(parameters, self._lanes):
            wrong = torch.zeros(len(rows), dtype=torch.int64, device=self._device)
            for start in range(0, many, size):
                block = slice(start, start + size)
                levels, _ = terms(network, rows, self._test_inputs[block], self._test_labels[block])
                wrong += (levels != Level.RIGHT).sum(1)
            found += wrong.tolist()
        if self._metric == ACCURACY:
            return [{TEST_ACCURACY: mean(many - wrong, many)} for wrong in found]
        return [{TEST_ERROR: mean(wrong, many)} for wrong in found]

    def _side_by_side(self, picked: Mapping[int, Rows]) -> Iterator[Sequence[int]]:
        """The rows in groups that are measured at once.

        A recorded step takes the same time for any number of examples. Otherwise a group has about as many for each.
        """
        group: list[int] = []
        again = 0
        for row in sorted(picked, key=lambda each: len(picked[each]), reverse=True):
            again += len(picked[group[0]]) - len(picked[row]) if group else 0
            if len(group) == self._lanes or (again > AGAIN and self._recorder is None):
                yield group
                group, again = [], 0
            group.append(row)
        if group:
            yield group

    def _terms(self, network: Network, rows: Tensor, chosen: Sequence[Rows]) -> Found:
        """What some lanes make of the examples chosen for each of them, without waiting for the device.

        Lanes with fewer examples than others are measured on some of them again, which do not count.
        """
        if self._recorder is None and all(each is chosen[0] for each in chosen):
            index = sent(torch.from_numpy(chosen[0]), self._device)
            return terms(network, rows, self._inputs[index], self._labels[index])
        most = max(map(len, chosen))
        index = sent(torch.from_numpy(np.stack([np.resize(each, most) for each in chosen])), self._device)
        found = [self._compute(network, rows, part) for part in torch.split(index, BLOCK, dim=1)]
        levels, losses = zip(*found, strict=True)
        return torch.cat(levels, dim=1), torch.cat(losses, dim=1)

    def _compute(self, network: Network, rows: Tensor, chosen: Tensor) -> Found:
        """`terms` of the examples `[lane, example]`, recorded where steps are recorded."""
        if self._recorder is None:
            return terms(network, rows, self._inputs[chosen], self._labels[chosen])
        if self._recorded is None:
            self._recorded = RecordedTerms(
                network,
                self._inputs,
                self._labels,
                lanes=self._lanes,
                size=BLOCK,
                make=self._recorder,
                dtype=self._dtype,
            )
        return self._recorded(rows, chosen)

    def _rows(self, parameters: Tensor, rows: Sequence[int]) -> Tensor:
        """Some rows of the parameters; no copy if these are all rows."""
        if list(rows) == list(range(len(parameters))):
            return parameters
        return parameters[sent(torch.tensor(rows), self._device)]


def initial_examples(train: Split) -> Split:
    """The training examples that give the initial loss."""
    rows = _shuffled(len(train))[:BLOCK]
    return Split(train.inputs[rows], train.labels[rows])


def _shuffled(examples: int) -> Tensor:
    """The numbers of all examples, in the same random order each time."""
    return torch.randperm(examples, generator=torch.Generator().manual_seed(ORDER))
