"""Metrics: functions of a network's outputs and of the targets of a whole split, which are measured."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from objectives.losses import Loss, Targets, function_named, named
from tuner.errors import ConfigError, Problem

EVERY = frozenset(Targets)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured on validation and test examples.

    Attributes:
        name: What it is called behind the split: `validation/macro_f1`.
        function: From outputs `[example, output]`, or `[example, position, class]` for tokens, and targets of a whole
            split to a number.
        targets: The kinds of targets that it takes.
    """

    name: str
    function: Callable[[Tensor, Tensor], float | Tensor]
    targets: frozenset[Targets]


def loss_as_metric(loss: Loss) -> Metric:
    """A loss as it is measured."""
    return Metric("loss", loss.function, EVERY)


def metrics_named(names: Iterable[str], loss: Loss) -> tuple[Metric, ...]:
    """The metrics that names stand for.

    Args:
        names: Such as `error`; `loss`; or `package.module:function`, whose metric is called as the function.
        loss: What is minimised.

    Raises:
        ConfigError: There is no such metric, a name is there twice, or the loss has other targets than a metric.
    """
    problems: list[Problem] = []
    metrics: dict[str, Metric] = {}
    for index, name in enumerate(names):
        try:
            metric = _metric(name, loss)
            if metric.name in metrics:
                raise ConfigError([Problem("", f"{metric.name} is there twice")])
            if metric.name == "loss" != name:
                raise ConfigError([Problem("", f"{name} would be called as the loss is; give it another name")])
            metrics[metric.name] = metric
        except ConfigError as error:
            problems += [each.under(str(index)) for each in error.problems]
    if problems:
        raise ConfigError(problems)
    return tuple(metrics.values())


def _metric(name: str, loss: Loss) -> Metric:
    if name == "loss":
        return loss_as_metric(loss)
    found = named("objectives.metrics", name)
    if not isinstance(found, Metric):
        return Metric(name.partition(":")[2], function_named(name, found), EVERY)
    if loss.targets not in found.targets | {Targets.ANY}:
        takes = " or ".join(sorted(found.targets))
        raise ConfigError([Problem("", f"{name} is for {takes} as targets, and {loss.name} has {loss.targets}")])
    return found
