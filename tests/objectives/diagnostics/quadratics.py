"""Losses of which everything is known: examples pull the parameters towards their inputs."""

import torch
from torch import Tensor, nn

from objectives.diagnostics.training_loss import TrainingLoss
from objectives.losses import Loss, Targets


class Pull(nn.Module):
    """The difference between the parameters and an example's input."""

    def __init__(self, point: Tensor) -> None:
        super().__init__()
        self.point = nn.Parameter(point)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.point - inputs


def bowl(point: Tensor, curvatures: Tensor, inputs: Tensor) -> TrainingLoss:
    """The loss `1/2 sum h_i (x_i - input_i)^2`, averaged over the examples `[example, parameter]`."""

    def half_squares(outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (curvatures * outputs.square()).sum(1).mean()

    return TrainingLoss(Pull(point), Loss("bowl", half_squares, Targets.NUMBERS, ()), [(inputs, inputs)])


def slope(point: Tensor, steepness: Tensor) -> TrainingLoss:
    """The loss `steepness . x`, of two examples alike."""

    def along(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs @ steepness).mean()

    nothing = torch.zeros(2, len(point))
    return TrainingLoss(Pull(point), Loss("slope", along, Targets.NUMBERS, ()), [(nothing, nothing)])
