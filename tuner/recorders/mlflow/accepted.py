"""What MLflow accepts of a run: names and lengths, checked before anything is sent, so that one value costs no run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tuner.experiment.workload.names import is_loggable

PARAMETER_LENGTH, TAG_LENGTH = 6_000, 5_000
"""Characters that every MLflow store keeps; some keep longer tags."""
METRICS, PARAMETERS, TAGS = 800, 100, 100
"""Values that one request holds: MLflow takes 1,000 in all."""

T = TypeVar("T")


def cut(text: str, length: int) -> str:
    """A text of at most this length.

    >>> cut("a long text", 8)
    'a lon...'
    """
    return text if len(text) <= length else f"{text[: length - 3]}..."


@dataclass(slots=True)
class Refusals:
    """The names of values that MLflow does not take, each once, in the order in which they were met."""

    names: dict[str, None] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """One more value was left out."""
        self.names.setdefault(cut(name, 60))

    @property
    def sentence(self) -> str:
        """What was left out, for a person; empty if nothing was."""
        return f"MLflow does not take {', '.join(self.names)}: left out there, and kept in the store" * bool(self.names)

    def takes(self, name: str) -> bool:
        """Whether MLflow takes a name; one that it does not take is remembered."""
        if not is_loggable(name):
            self.add(name)
        return is_loggable(name)

    def accepted(self, values: Mapping[str, str], length: int) -> dict[str, str]:
        """Tags or parameters as they can be sent: long values cut, those with other names left out."""
        return {name: cut(value, length) for name, value in values.items() if self.takes(name)}


def batches(values: Sequence[T], size: int) -> list[Sequence[T]]:
    """The values in order, at most `size` at once.

    >>> batches([1, 2, 3], 2)
    [[1, 2], [3]]
    """
    return [values[first : first + size] for first in range(0, len(values), size)]


def send(values: Sequence[T], attempt: Callable[[Sequence[T]], None], refused: Callable[[T], None]) -> None:
    """Send values together or, where a store refuses them for one of them, in halves until that one is alone.

    Args:
        values: What to send.
        attempt: Sends some. Raises `ValueError` if they are refused.
        refused: Is given each value that is refused alone.
    """
    try:
        attempt(values)
    except ValueError:
        if len(values) == 1:
            refused(values[0])
            return
        half = len(values) // 2
        for part in (values[:half], values[half:]):
            send(part, attempt, refused)
