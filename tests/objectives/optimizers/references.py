"""What optimizers must equal: those of `torch.optim`, or the published formula, for one tensor after the other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Values = Mapping[str, float]


@dataclass(frozen=True)
class Reference:
    """An optimizer of one module.

    Attributes:
        step: A step at a learning rate, by the gradients that the parameters have.
        measured: The module that is measured.
    """

    step: Callable[[float], None]
    measured: nn.Module


Make = Callable[[nn.Module, Values], Reference]
"""The reference for a module and a trial's hyperparameters."""


def of_torch(module: nn.Module, optimizer: torch.optim.Optimizer) -> Reference:
    def step(learning_rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()

    return Reference(step, module)


def of_updates(module: nn.Module, update: Callable[[nn.Parameter, float], None]) -> Reference:
    """What updates one tensor after the other."""

    @torch.no_grad()
    def step(learning_rate: float) -> None:
        for each in module.parameters():
            update(each, learning_rate)

    return Reference(step, module)


def sgd(module: nn.Module, values: Values, *, nesterov: bool = False) -> Reference:
    momentum, decay = values.get("momentum", 0.0), values.get("weight_decay", 0.0)
    parameters = module.parameters()
    is_nesterov = nesterov and momentum > 0  # torch.optim wants some momentum, without which both are the same
    return of_torch(module, torch.optim.SGD(parameters, 1.0, momentum, weight_decay=decay, nesterov=is_nesterov))


def nesterov(module: nn.Module, values: Values) -> Reference:
    return sgd(module, values, nesterov=True)


def decoupled(make: Make) -> Make:
    """The same optimizer with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def made(module: nn.Module, values: Values) -> Reference:
        inner = make(module, {**values, "weight_decay": 0.0})

        def step(learning_rate: float) -> None:
            with torch.no_grad():
                for each in module.parameters():
                    each.sub_(learning_rate * values["weight_decay"] * each)
            inner.step(learning_rate)

        return Reference(step, inner.measured)

    return made


def adam(module: nn.Module, values: Values) -> Reference:
    return _adam(torch.optim.Adam, module, values)


def adamw(module: nn.Module, values: Values) -> Reference:
    return _adam(torch.optim.AdamW, module, values)


def averaged(make: Make) -> Make:
    """The average of the parameters and buffers, which starts where they start."""

    def made(module: nn.Module, values: Values) -> Reference:
        inner = make(module, values)
        ema = get_ema_multi_avg_fn(values["averaging"])  # type: ignore[no-untyped-call]
        average = AveragedModel(module, multi_avg_fn=ema, use_buffers=True)
        average.update_parameters(module)  # the first call copies them

        def step(learning_rate: float) -> None:
            inner.step(learning_rate)
            average.update_parameters(module)

        return Reference(step, average.module)

    return made


def lars(module: nn.Module, values: Values) -> Reference:
    momentum, trust, decay = values["momentum"], values["trust_coefficient"], values.get("weight_decay", 0.0)
    velocities = {each: torch.zeros_like(each) for each in module.parameters()}

    def update(weight: nn.Parameter, learning_rate: float) -> None:
        gradient = gradient_of(weight)
        size, slope = norm(weight), norm(gradient)
        is_adapted = weight.ndim > 1 and size > 0 and slope > 0
        local = trust * size / (slope + decay * size) if is_adapted else 1.0
        velocity = momentum * velocities[weight] + learning_rate * local * (gradient + decay * weight)
        velocities[weight] = velocity
        weight.sub_(velocity)

    return of_updates(module, update)


def lamb(module: nn.Module, values: Values) -> Reference:
    decay, moments = values.get("weight_decay", 0.0), Moments(values)

    def update(weight: nn.Parameter, learning_rate: float) -> None:
        update = moments.direction(weight) + decay * weight
        size, length = norm(weight), norm(update)
        is_adapted = weight.ndim > 1 and size > 0 and length > 0
        weight.sub_(learning_rate * (size / length if is_adapted else 1.0) * update)

    return of_updates(module, update)


def lion(module: nn.Module, values: Values) -> Reference:
    decay, memories = values.get("weight_decay", 0.0), {each: torch.zeros_like(each) for each in module.parameters()}

    def update(weight: nn.Parameter, learning_rate: float) -> None:
        gradient, memory = gradient_of(weight), memories[weight]
        mixed = values["beta1"] * memory + (1 - values["beta1"]) * gradient
        memories[weight] = values["beta2"] * memory + (1 - values["beta2"]) * gradient
        weight.sub_(learning_rate * (mixed.sign() + decay * weight))

    return of_updates(module, update)


class Moments:
    """Those of Adam, for any number of tensors."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._kept: dict[nn.Parameter, tuple[int, Tensor, Tensor]] = {}

    def direction(self, weight: nn.Parameter) -> Tensor:
        """Where Adam goes, by the next gradient of a tensor."""
        gradient, (beta1, beta2) = gradient_of(weight), (self._values["beta1"], self._values["beta2"])
        count, first, second = self._kept.get(weight, (0, torch.zeros_like(weight), torch.zeros_like(weight)))
        count += 1
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        self._kept[weight] = count, first, second
        return first / (1 - beta1**count) / ((second / (1 - beta2**count)).sqrt() + self._values["epsilon"])


def gradient_of(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def norm(tensor: Tensor) -> float:
    return tensor.square().sum().sqrt().item()


def rates(values: Values, steps: int) -> Iterator[float]:
    """The learning rate of each step under linear decay."""
    for step in range(steps):
        done = min(step / values["decay_steps"], 1.0)
        yield values["learning_rate"] * (1 - (1 - values["end_factor"]) * done)


def _adam(kind: type[torch.optim.Adam], module: nn.Module, values: Values) -> Reference:
    betas, decay = (values["beta1"], values["beta2"]), values.get("weight_decay", 0.0)
    return of_torch(module, kind(module.parameters(), betas=betas, eps=values["epsilon"], weight_decay=decay))
