"""A search space in Optuna's terms. Samplers and stores translate here, so that both mean the same parameters.

Optuna has no reverse log scale. A range on it is searched as the log-uniform number `1 - value`, under that name, so
that it stays in Optuna's joint search space. Fixed values are no parameters to Optuna.
"""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuner.experiment.space import Choice, Fixed, Parameter, Range, Scale, SearchSpace
from tuner.trial import Value


def distributions_of(space: SearchSpace) -> dict[str, BaseDistribution]:
    """What Optuna searches, by Optuna's names.

    >>> distributions_of(SearchSpace({"momentum": Range(0.0, 0.75, scale=Scale.REVERSE_LOG)}))
    {'1 - momentum': FloatDistribution(high=1.0, log=True, low=0.25, step=None)}
    """
    return {
        _optuna_name(name, parameter): _distribution(parameter)
        for name, parameter in space.parameters.items()
        if not isinstance(parameter, Fixed)
    }


def encode(space: SearchSpace, point: Mapping[str, Value]) -> dict[str, Value]:
    """A point of the space as Optuna's parameters.

    >>> encode(SearchSpace({"momentum": Range(0.0, 0.99, scale=Scale.REVERSE_LOG)}), {"momentum": 0.75})
    {'1 - momentum': 0.25}
    """
    return {
        _optuna_name(name, parameter): 1 - _number(point[name]) if _is_reversed(parameter) else point[name]
        for name, parameter in space.parameters.items()
        if not isinstance(parameter, Fixed)
    }


def decode(space: SearchSpace, parameters: Mapping[str, Value]) -> dict[str, Value]:
    """The point of the space that Optuna's parameters mean; its inverse is exact to 12 digits on a reverse log scale.

    >>> decode(SearchSpace({"momentum": Range(0.0, 0.99, scale=Scale.REVERSE_LOG)}), {"1 - momentum": 0.1})
    {'momentum': 0.9}
    """
    return {
        name: parameter.value
        if isinstance(parameter, Fixed)
        else _plain(parameter, parameters[_optuna_name(name, parameter)])
        for name, parameter in space.parameters.items()
    }


def _optuna_name(name: str, parameter: Parameter) -> str:
    return f"1 - {name}" if _is_reversed(parameter) else name


def _is_reversed(parameter: Parameter) -> bool:
    return isinstance(parameter, Range) and parameter.scale is Scale.REVERSE_LOG


def _distribution(parameter: Range | Choice) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.options)
    low, high = parameter.low, parameter.high
    if _is_reversed(parameter):
        low, high = 1 - high, 1 - low
    log = parameter.scale is not Scale.LINEAR
    return IntDistribution(int(low), int(high), log=log) if parameter.integer else FloatDistribution(low, high, log=log)


def _plain(parameter: Range | Choice, given: Value) -> Value:
    """A value from Optuna's, undone where it is reversed: rounded as `Range.at` rounds, and never outside the range."""
    if isinstance(parameter, Choice) or not _is_reversed(parameter):
        return given
    value = 1 - _number(given)
    rounded = value if parameter.integer else float(f"{value:.12g}")
    return min(max(rounded, parameter.low), parameter.high)


def _number(value: Value) -> float:
    """A value on a range, which is a number. Raises `TypeError`."""
    if isinstance(value, str):
        raise TypeError(f"{value!r} is not a number")
    return value
