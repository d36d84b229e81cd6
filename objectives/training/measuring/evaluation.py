"""Measuring lanes on validation and test examples, and on training examples before they are trained."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.models import Network
from objectives.training.devices.memory import sent
from objectives.training.devices.recording import Recorder, recorder_for
from objectives.training.inputs.examples import Examples
from objectives.training.measuring.recorded import RecordedTerms
from objectives.training.measuring.tally import ACCURACY, DECISIVE, ERROR, Losses, Rows, Tally, mean
from objectives.training.measuring.terms import Found, Level, terms
from tuner.objective import MeasuringPlan

TEST_LOSS, TEST_ERROR, TEST_ACCURACY = "test/loss", "test/error", "test/accuracy"

BLOCK = 512
"""Validation examples that are always measured, and the most that are measured at a time."""
TEST_BLOCK = 4096
"""Test examples that are measured at a time on an accelerator."""
LABELS_OF_AN_EXAMPLE = 16
"""A block of texts has as many labels as if each had so many, so that the outputs of a lane take some megabytes."""
AGAIN = 64
"""Lanes that are measured side by side are given equally many examples. At most so many of a group's are repeats."""
ORDER = 0
"""The seed of the order of the validation examples, and of which training examples give the initial loss."""


class Evaluation:
    """The validation and test examples, and a block of training examples.

    The validation examples are shuffled once, in the same way for every trial. So is what gives the initial loss. The
    accuracies are measured in place of the errors if the goal asks for accuracy.

    Attributes:
        plan: What measurements are asked for.

    Args:
        lanes: Lanes that are measured at once, at most.
        test_loss: Whether the loss is measured on test examples, too.
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
        test_loss: bool = False,
        recorder: Callable[[], Recorder] | None = None,
    ) -> None:
        made = partial(Examples, splits=splits, device=device, dtype=dtype)
        self._validation = made(splits.validation, order=_shuffled(len(splits.validation)))
        self._initial, self._test = made(initial_examples(splits.train)), made(splits.test)
        self.plan, self._lanes, self._device, self._dtype, self._test_loss = plan, lanes, device, dtype, test_loss
        self._block, self._each = block_of(self._validation.labels), self._validation.labels[:1].numel()
        self._recorder = recorder or recorder_for(device)
        self._recorded: RecordedTerms | None = None
        self._metric = plan.metric if plan.metric in DECISIVE else ERROR
        self._targets = plan.targets if plan.metric in DECISIVE else ()

    def initial_loss(self, network: Network, parameters: Tensor) -> Tensor:
        """The loss of parameters `[parameter]` on a block of training examples, without waiting for the device.

        It is that of a measurement: without dropout, and with the running averages of a batch norm.
        """
        row = parameters.to(self._device, self._dtype).unsqueeze(0)
        found = (_terms_of(network, row, self._initial, each) for each in self._initial.blocks(BLOCK))
        return torch.cat([losses for _, losses in found], dim=1).mean(dtype=torch.float64)

    def recall(self) -> Losses:
        """The recall of a lane that has not been measured (`Tally.recall`)."""
        return np.zeros(len(self._validation), np.float64 if self._dtype == torch.float64 else np.float32)

    def tally(self, recall: Losses, reached: int) -> Tally:
        """The measurement of a lane, not begun.

        Args:
            recall: Of the lane.
            reached: How many of the targets it has met; the next one decides when the measurement ends.
        """
        target = self._targets[reached] if reached < len(self._targets) else None
        return Tally(self._metric, target, recall, self._each)

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
        first = np.arange(min(self._block, len(self._validation)))
        picked = {row: first for row, each in enumerate(tallies) if not each.is_done}
        most = self._block
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
            most = self._block if self._device.type == "cpu" else len(self._validation)

    def test(self, network: Network, parameters: Tensor) -> list[dict[str, float]]:
        """The test metrics of each lane, over all test examples."""
        found: list[dict[str, float]] = []
        size = block_of(self._test.labels, BLOCK if self._device.type == "cpu" else TEST_BLOCK)
        examples, labels = len(self._test), self._test.labels.numel()
        for rows in torch.split(parameters, self._lanes):
            wrong = torch.zeros(len(rows), dtype=torch.int64, device=self._device)
            loss = torch.zeros(len(rows), dtype=torch.float64, device=self._device)
            for block in self._test.blocks(size):
                levels, losses = _terms_of(network, rows, self._test, block)
                wrong += (levels != Level.RIGHT).flatten(1).sum(1)
                if self._test_loss:
                    loss += losses.sum(1, dtype=torch.float64)
            for many, total in zip(wrong.tolist(), loss.tolist(), strict=True):
                is_accuracy = self._metric == ACCURACY
                rate = {TEST_ACCURACY: mean(labels - many, labels)} if is_accuracy else {TEST_ERROR: mean(many, labels)}
                found.append({TEST_LOSS: mean(total, examples), **rate} if self._test_loss else rate)
        return found

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
            index = torch.from_numpy(chosen[0])
        else:
            most = max(map(len, chosen))
            index = torch.from_numpy(np.stack([np.resize(each, most) for each in chosen]))
        parts = torch.split(sent(index, self._validation.home), self._validation.at_once(self._block), dim=-1)
        found = [self._compute(network, rows, part) for part in parts]
        levels, losses = zip(*found, strict=True)
        return torch.cat(levels, dim=1), torch.cat(losses, dim=1)

    def _compute(self, network: Network, rows: Tensor, chosen: Tensor) -> Found:
        """`terms` of examples, `[example]` or `[lane, example]`, recorded where steps are recorded."""
        if self._recorder is None:
            return _terms_of(network, rows, self._validation, chosen)
        if self._recorded is None:
            self._recorded = RecordedTerms(
                network,
                self._validation,
                lanes=self._lanes,
                size=self._validation.at_once(self._block),
                make=self._recorder,
                dtype=self._dtype,
            )
        return self._recorded(rows, chosen)

    def _rows(self, parameters: Tensor, rows: Sequence[int]) -> Tensor:
        """Some rows of the parameters; no copy if these are all rows."""
        if list(rows) == list(range(len(parameters))):
            return parameters
        return parameters[sent(torch.tensor(rows), self._device)]


def _terms_of(network: Network, parameters: Tensor, examples: Examples, rows: Tensor | slice) -> Found:
    """`terms` of some examples, which are taken by their numbers."""
    return terms(network, parameters, examples.inputs(rows), examples.targets(rows))


def initial_examples(train: Split) -> Split:
    """The training examples that give the initial loss."""
    rows = _shuffled(len(train))[: block_of(train.labels)]
    return Split(train.inputs[rows], train.labels[rows])


def block_of(labels: Tensor, examples: int = BLOCK) -> int:
    """Examples that are measured at a time: so many if each has one class, and fewer texts.

    Args:
        labels: Of all examples.
        examples: How many if each has one label.
    """
    if labels.ndim == 1 or labels.is_floating_point():
        return examples
    return max(1, min(examples, examples * LABELS_OF_AN_EXAMPLE // labels.shape[1]))


def _shuffled(examples: int) -> Tensor:
    """The numbers of all examples, in the same random order each time."""
    return torch.randperm(examples, generator=torch.Generator().manual_seed(ORDER))
