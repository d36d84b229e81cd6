"""Measuring lanes on data they are not trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.models import Network
from objectives.training.devices.memory import sent
from objectives.training.measuring.tally import ACCURACY, DECISIVE, ERROR, LOSS, Tally, mean
from objectives.training.measuring.terms import terms
from tuner.objective import MeasuringPlan, Target

TEST_ERROR, TEST_ACCURACY = "test/error", "test/accuracy"
METRICS = frozenset({"train/loss", LOSS, ERROR, ACCURACY, TEST_ERROR, TEST_ACCURACY})
"""What can be measured. The accuracies are measured in place of the errors if the goal asks for accuracy."""

BLOCK = 512
"""Validation examples that are always measured, and that are measured at a time on a CPU."""
BLOCK_ELSEWHERE = 4096
"""Examples that are measured at a time on an accelerator, after the first block."""
ORDER = 0
"""The seed of the order in which validation examples are measured."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples on the device, in blocks.

    Attributes:
        inputs: `[example, feature]`.
        labels: `[example]`.
    """

    inputs: Tensor
    labels: Tensor
    blocks: Sequence[slice]

    def __len__(self) -> int:
        return len(self.labels)


class Evaluation:
    """The validation and test examples, kept on the device.

    Args:
        plan: What measurements are asked for.
        lanes: Lanes that are measured at once, at most.
    """

    def __init__(
        self, splits: Splits, plan: MeasuringPlan, *, lanes: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        validation = splits.validation
        order = torch.randperm(len(validation), generator=torch.Generator().manual_seed(ORDER))
        shuffled = Split(validation.inputs[order], validation.labels[order])
        self._validation = _placed(shuffled, device=device, dtype=dtype)
        self._test = _placed(splits.test, device=device, dtype=dtype)
        self._plan, self._lanes, self._device = plan, lanes, device
        self._accuracy = plan.metric == ACCURACY
        first, *rest = self._validation.blocks
        # An accelerator is waited for once between the first block and all others; a CPU after every block.
        self._waves = [[first], rest] if device.type != "cpu" else [[each] for each in self._validation.blocks]

    def target(self, reached: int) -> Target | None:
        """What decides when a measurement may end, for a lane that has met `reached` targets; None if nothing does."""
        targets = self._plan.targets if self._plan.metric in DECISIVE else ()
        return targets[reached] if reached < len(targets) else None

    def measure(self, network: Network, parameters: Tensor, targets: Sequence[Target | None]) -> list[Tally]:
        """The sums of each lane over the validation examples, or over as many as are enough for its target.

        Args:
            network: Computes the outputs.
            parameters: `[lane, parameter]`.
            targets: Of each lane, as `target` tells them.
        """
        metric = self._plan.metric if self._plan.metric in DECISIVE else ERROR
        tallies = [Tally(len(self._validation), metric, each) for each in targets]
        for wave in self._waves:
            going = [row for row, each in enumerate(tallies) if not each.is_over]
            # All that is to do is given to the device before anything is waited for.
            given = [
                (group, self._terms(network, self._rows(parameters, group), block))
                for block in wave
                for group in _groups(going, self._lanes)
            ]
            for group, (wrong, losses) in given:
                for row, *found in zip(group, wrong.cpu().numpy(), losses.cpu().numpy(), strict=True):
                    tallies[row].add(*found)
        return tallies

    def test(self, network: Network, parameters: Tensor) -> list[dict[str, float]]:
        """The test metrics of each lane, over all test examples."""
        found = []
        for group in _groups(range(len(parameters)), self._lanes):
            rows = self._rows(parameters, group)
            blocks = [terms(network, rows, *_part(self._test, each))[0].sum(1) for each in self._test.blocks]
            found += torch.stack(blocks).sum(0).tolist()
        return [self._test_metrics(wrong) for wrong in found]

    def _test_metrics(self, wrong: int) -> dict[str, float]:
        many = len(self._test)
        return {TEST_ACCURACY: mean(many - wrong, many)} if self._accuracy else {TEST_ERROR: mean(wrong, many)}

    def _terms(self, network: Network, rows: Tensor, block: slice) -> tuple[Tensor, Tensor]:
        return terms(network, rows, *_part(self._validation, block))

    def _rows(self, parameters: Tensor, rows: Sequence[int]) -> Tensor:
        """Some rows of the parameters; no copy if these are all rows."""
        if len(rows) == len(parameters):
            return parameters
        return parameters[sent(torch.tensor(rows), self._device)]


def _groups(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The rows, in groups of `size` and perhaps a smaller one."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _placed(split: Split, *, device: torch.device, dtype: torch.dtype) -> Examples:
    """Examples on a device, with blocks of a size that suits it. The first block has the same size on every device."""
    size, many = BLOCK if device.type == "cpu" else BLOCK_ELSEWHERE, len(split)
    starts = [0, *range(BLOCK, many, size)]
    blocks = [slice(start, stop) for start, stop in zip(starts, [*starts[1:], many], strict=True)]
    return Examples(split.inputs.to(device, dtype), split.labels.to(device), blocks)


def _part(examples: Examples, block: slice) -> tuple[Tensor, Tensor]:
    return examples.inputs[block], examples.labels[block]
