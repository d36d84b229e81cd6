"""One trial of a small network by K-FAC as a loop that is written out: an example at a time, dense inverses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.training.draws import Purpose, step_seeds, uniforms

BATCH, SHAPE, CLASSES = 8, (1, 6, 6), 3


@dataclass(frozen=True)
class Small:
    """A convolution, a norm and two linear layers."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        behind = nn.Sequential(nn.Linear(2 * (shape[1] - 2) * (shape[2] - 2), 4), nn.Tanh(), nn.Linear(4, classes))
        return nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.GroupNorm(1, 2), nn.Tanh(), nn.Flatten(), *behind)


class Plain:
    """A trial of `Small`, in float64, with factors of sampled labels.

    Args:
        trial: The hyperparameters.
        seed: Of the labels.
        generator: Draws the parameters, as a lane's.
    """

    def __init__(self, trial: Mapping[str, float], *, seed: int, generator: torch.Generator) -> None:
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        self.module = Small().module(SHAPE, CLASSES).double()
        self._trial, self._seed, self._done = trial, seed, 0
        self._layers = [each for each in self.module if isinstance(each, nn.Linear | nn.Conv2d)]
        self._below = [torch.zeros(9, 9), torch.zeros(33, 33), torch.zeros(5, 5)]
        self._above = [torch.zeros(2, 2), torch.zeros(4, 4), torch.zeros(CLASSES, CLASSES)]
        self._velocity = [torch.zeros_like(each) for each in self.module.parameters()]

    def step(self, inputs: Tensor, labels: Tensor) -> None:
        parameters = list(self.module.parameters())
        loss = functional.cross_entropy(self.module(inputs.view(-1, *SHAPE)), labels)
        decay = self._trial.get("weight_decay", 0.0)
        gradients = torch.autograd.grad(loss, parameters)
        convolution, scale, shift, *linear = [
            gradient + decay * each for gradient, each in zip(gradients, parameters, strict=True)
        ]
        if self._done % self._trial["update_interval"] == 0:
            self._update(inputs.view(-1, 1, *SHAPE))
        directions = [self._solved(0, convolution.flatten(1)).view(convolution.shape), scale, shift]
        for number in (1, 2):
            weights, biases = linear[2 * number - 2 : 2 * number]
            both = self._solved(number, torch.cat([weights, biases.unsqueeze(1)], 1))
            directions += [both[:, :-1], both[:, -1]]
        with torch.no_grad():
            for each, velocity, direction in zip(parameters, self._velocity, directions, strict=True):
                velocity.mul_(self._trial["momentum"]).add_(direction)
                each.sub_(self._trial["learning_rate"] * velocity)
        self._done += 1

    def _solved(self, number: int, gradient: Tensor) -> Tensor:
        below, above = self._below[number], self._above[number]
        pi = math.sqrt((below.trace() / len(below)) / (above.trace() / len(above)))
        root = math.sqrt(self._trial["damping"])
        damped_below = below + pi * root * torch.eye(len(below)).double()
        damped_above = above + root / pi * torch.eye(len(above)).double()
        solved: Tensor = torch.linalg.inv(damped_above) @ gradient @ torch.linalg.inv(damped_below)
        return solved

    def _update(self, images: Tensor) -> None:
        step = step_seeds(torch.tensor([self._seed]), torch.tensor([[self._done]]))
        chances = uniforms(step_seeds(step, torch.arange(BATCH)), 1, Purpose.LABELS).flatten().tolist()
        moments = [self._of_example(image, chance) for image, chance in zip(images, chances, strict=True)]
        number = 1 + self._done // self._trial["update_interval"]
        kept = min(1 - 1 / number, self._trial["factor_decay"])
        for layer in range(3):
            for factors, side in ((self._below, 0), (self._above, 1)):
                mean = torch.stack([each[layer][side] for each in moments]).mean(0)
                factors[layer] = kept * factors[layer] + (1 - kept) * mean

    def _of_example(self, image: Tensor, chance: float) -> list[tuple[Tensor, Tensor]]:
        """Each layer's moments, for the first class up to which probabilities add up to more than the chance."""
        below: list[Tensor] = []
        above: list[Tensor] = []
        outputs = image
        for each in self.module:
            inputs, outputs = outputs, each(outputs)
            if each in self._layers:
                below.append(inputs.detach()[0])
                above.append(outputs)
        chances = outputs.softmax(1).flatten().tolist()
        label = next(index for index in range(CLASSES) if chance < sum(chances[: index + 1]))
        gradients = torch.autograd.grad(functional.cross_entropy(outputs, torch.tensor([label])), above)
        patches = torch.stack([below[0][0, y : y + 3, x : x + 3].flatten() for y in range(4) for x in range(4)])
        columns = gradients[0][0].flatten(1)
        found = [(patches.T @ patches, columns @ columns.T / len(patches))]
        for inputs, gradient in zip(below[1:], gradients[1:], strict=True):
            extended = torch.cat([inputs, torch.ones(1).double()])
            found.append((torch.outer(extended, extended), torch.outer(gradient[0], gradient[0])))
        return found
