"""The workload of an experiment as MLflow parameters, which never change: none is a setting that may grow."""

from collections.abc import Iterator, Mapping

from tuner.experiment import Experiment

KIND = "kind"
"""The key of a table that names its component."""


def workload_parameters(experiment: Experiment) -> dict[str, str]:
    """What was trained, towards which goal and by which sampler; the budget is left out, because it may grow.

    >>> from tuner.experiment import load
    >>> for name, value in workload_parameters(load("digits")).items():
    ...     print(name, "=", value)
    workload = classification
    data = digits
    model = mlp
    optimizer = heavy_ball
    schedule = linear_decay
    goal = validation/error below 0.03
    sampler = tpe
    """
    parts = {name: _shown(each) for name, each in experiment.objective.items() if name != KIND}
    goal = {"goal": experiment.goal.phrase, "sampler": _shown(experiment.search.sampler)}
    return {"workload": experiment.kind} | parts | goal


def part_settings(experiment: Experiment) -> dict[str, str]:
    """The settings of the workload's parts.

    >>> from tuner.experiment import load
    >>> part_settings(load("digits"))
    {'model.hidden': '[128]'}
    """
    parts = {name: each for name, each in experiment.objective.items() if isinstance(each, Mapping)}
    return {path: str(value) for name, part in parts.items() for path, value in _leaves(part, f"{name}.")}


def _shown(part: object) -> str:
    """A setting, or the name of a component."""
    return str(part.get(KIND, "")) if isinstance(part, Mapping) else str(part)


def _leaves(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    """Every setting below a part that is no name of it, with its path."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        elif key != KIND:
            yield f"{prefix}{key}", value
