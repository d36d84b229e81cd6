"""The hyperparameters that analysis knows by name, and their values at a point."""

from collections.abc import Mapping

from tuner.trial import Value

LEARNING_RATE = "learning_rate"
MOMENTUM = "momentum"
EFFECTIVE_LEARNING_RATE = "effective_learning_rate"


def value_of(name: str, point: Mapping[str, Value]) -> float | None:
    """A number at a point, or None if the point has no such number; the effective learning rate is `lr / (1 - m)`.

    >>> round(value_of("effective_learning_rate", {"learning_rate": 0.1, "momentum": 0.9}), 12)
    1.0
    """
    if name == EFFECTIVE_LEARNING_RATE:
        rate, momentum = value_of(LEARNING_RATE, point), value_of(MOMENTUM, point)
        return None if rate is None or momentum is None else rate / (1 - momentum)
    value = point.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
