"""Measuring lanes on data they are not trained on."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from objectives.data import Splits
from objectives.models import Network
from objectives.training.devices.memory import sent
from objectives.training.measuring.tally import ACCURACY, DECISIVE, ERROR, LOSS, Recall, Rows, Tally, mean
from objectives.training.measuring.terms import terms
from tuner.objective import MeasuringPlan

TEST_ERROR, TEST_ACCURACY = "test/error", "test/accuracy"
METRICS = frozenset({"train/loss", LOSS, ERROR, ACCURACY, TEST_ERROR, TEST_ACCURACY})
"""What can be measured. The accuracies are measured in place of the errors if the goal asks for accuracy."""

Found = tuple[Tensor, Tensor]
"""Whether each example is wrong, and its loss, both `[lane, example]`."""

BLOCK = 512
"""Validation examples that are always measured, and the most that are measured at a time."""
TEST_BLOCK = 4096
"""Test examples that are measured at a time on an accelerator."""
AGAIN = 64
"""Examples that lanes which are measured side by side may be measured on again, to be as many for each of them."""
ORDER = 0
"""The seed of the order of the validation examples."""


class Evaluation:
    """The validation and test examples, kept on the device.

    The validation examples are shuffled once, in the same way for every trial.

    Args:
        plan: What measurements are asked for.
        lanes: Lanes that are measured at once, at most.
    """

    def __init__(
        self, splits: Splits, plan: MeasuringPlan, *, lanes: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        order = torch.randperm(len(splits.validation), generator=torch.Generator().manual_seed(ORDER))
        self._inputs = splits.validation.inputs[order].to(device, dtype)
        self._labels = splits.validation.labels[order].to(device)
        self._test_inputs = splits.test.inputs.to(device, dtype)
        self._test_labels = splits.test.labels.to(device)
        self._lanes, self._device = lanes, device
        self._metric = plan.metric if plan.metric in DECISIVE else ERROR
        self._targets = plan.targets if plan.metric in DECISIVE else ()

    def recall(self) -> Recall:
        """The recall of a lane that has not been measured."""
        return Recall.of(len(self._labels), np.float64 if self._inputs.dtype == torch.float64 else np.float32)

    def tally(self, recall: Recall, reached: int) -> Tally:
        """The measurement of a lane, not begun.

        Args:
            recall: Of the lane.
            reached: How many of the targets it has met; the next one decides when the measurement ends.
        """
        target = self._targets[reached] if reached < len(self._targets) else None
        return Tally(self._metric, target, recall)

    def measure(self, network: Network, parameters: Tensor, tallies: Sequence[Tally]) -> None:
        """Measure each lane on the validation examples, or on as many as its tally asks for.

        A CPU is asked after every block. An accelerator is waited for twice: after the first block, and after the
        examples that should decide; lanes that are not decided then are measured on all others.

        Args:
            network: Computes the outputs.
            parameters: `[lane, parameter]`.
            tallies: Of each lane.
        """
        first = np.arange(min(BLOCK, len(self._labels)))
        block = slice(0, len(first))
        given = [
            (group, [first] * len(group), self._terms(network, parameters, group, block))
            for group in _groups(range(len(tallies)), self._lanes)
        ]
        _add(tallies, given)
        most = BLOCK
        while going := [row for row, each in enumerate(tallies) if not each.is_done]:
            picked = {row: tallies[row].pick(most) for row in going}
            given = [
                (group, [picked[row] for row in group], self._chosen_terms(network, parameters, group, picked))
                for group in _alike(picked, self._lanes)
            ]
            _add(tallies, given)
            most = BLOCK if self._device.type == "cpu" else len(self._labels)

    def test(self, network: Network, parameters: Tensor) -> list[dict[str, float]]:
        """The test metrics of each lane, over all test examples."""
        found = []
        size, many = BLOCK if self._device.type == "cpu" else TEST_BLOCK, len(self._test_labels)
        for group in _groups(range(len(parameters)), self._lanes):
            rows = self._rows(parameters, group)
            wrong = torch.zeros(len(rows), dtype=torch.int64, device=self._device)
            for start in range(0, many, size):
                block = slice(start, start + size)
                wrong += terms(network, rows, self._test_inputs[block], self._test_labels[block])[0].sum(1)
            found += wrong.tolist()
        if self._metric == ACCURACY:
            return [{TEST_ACCURACY: mean(many - wrong, many)} for wrong in found]
        return [{TEST_ERROR: mean(wrong, many)} for wrong in found]

    def _terms(self, network: Network, parameters: Tensor, rows: Sequence[int], of: slice | Tensor) -> Found:
        """What some lanes make of some examples, without waiting for the device."""
        return terms(network, self._rows(parameters, rows), self._inputs[of], self._labels[of])

    def _chosen_terms(
        self, network: Network, parameters: Tensor, rows: Sequence[int], picked: Mapping[int, Rows]
    ) -> Found:
        """What some lanes make of the examples picked for each of them.

        Lanes with fewer examples than others are measured on some of them again, which do not count.
        """
        most = max(len(picked[row]) for row in rows)
        index = torch.from_numpy(np.stack([np.resize(picked[row], most) for row in rows]))
        parts = torch.split(sent(index, self._device), BLOCK, dim=1)
        wrong, losses = zip(*(self._terms(network, parameters, rows, part) for part in parts), strict=True)
        return torch.cat(wrong, dim=1), torch.cat(losses, dim=1)

    def _rows(self, parameters: Tensor, rows: Sequence[int]) -> Tensor:
        """Some rows of the parameters; no copy if these are all rows."""
        if list(rows) == list(range(len(parameters))):
            return parameters
        return parameters[sent(torch.tensor(rows), self._device)]


def _add(tallies: Sequence[Tally], given: Sequence[tuple[Sequence[int], Sequence[Rows], Found]]) -> None:
    """Tell the tallies of some lanes what was found of these examples, and perhaps of some of them again."""
    for group, picked, (wrong, losses) in given:
        found = zip(group, picked, wrong.cpu().numpy(), losses.cpu().numpy(), strict=True)
        for row, examples, of_wrong, of_losses in found:
            tallies[row].add(examples, of_wrong[: len(examples)], of_losses[: len(examples)])


def _alike(picked: Mapping[int, Rows], size: int) -> Iterator[Sequence[int]]:
    """The rows in groups of `size` at most, in which few examples are measured again."""
    group: list[int] = []
    again = 0
    for row in sorted(picked, key=lambda each: len(picked[each]), reverse=True):
        again += len(picked[group[0]]) - len(picked[row]) if group else 0
        if group and (len(group) == size or again > AGAIN):
            yield group
            group, again = [], 0
        group.append(row)
    if group:
        yield group


def _groups(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The rows, in groups of `size` and perhaps a smaller one."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
