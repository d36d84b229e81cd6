"""What every sampler must do, run over every sampler that is shipped."""

import math
from collections import deque
from collections.abc import Mapping

import pytest

from tuner.experiment.components import available, build
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace
from tuner.samplers import Sampler
from tuner.trial import Value

SPACE = SearchSpace(
    {
        "learning_rate": Range(1e-3, 10.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.999, scale=Scale.REVERSE_LOG),
        "depth": Range(1, 4, integer=True),
        "activation": Choice(("relu", "tanh")),
        "decay": Fixed(0.5),
    }
)

pytestmark = pytest.mark.parametrize("kind", available("tuner.samplers"))


def sampler(kind: str) -> Sampler:
    return build("tuner.samplers", {"kind": kind}, Sampler)


def loss(point: Mapping[str, Value]) -> float:
    """A bowl with its bottom at learning rate 0.1."""
    return abs(math.log10(float(point["learning_rate"])) + 1)


def points(kind: str, *, count: int, depth: int, seed: int = 7) -> list[Mapping[str, Value]]:
    """The points of a search with `depth` in flight."""
    suggestions = sampler(kind).start(SPACE, seed=seed)
    flying = deque((number, suggestions.ask(number)) for number in range(depth))
    found = []
    for number in range(depth, count + depth):
        told, point = flying.popleft()
        found.append(point)
        suggestions.tell(told, loss(point))
        if number < count:
            flying.append((number, suggestions.ask(number)))
    return found


def test_every_point_lies_in_the_space(kind: str) -> None:
    assert all(point in SPACE for point in points(kind, count=30, depth=4))


def test_the_same_seed_gives_the_same_points(kind: str) -> None:
    assert points(kind, count=30, depth=4) == points(kind, count=30, depth=4)


def test_another_seed_gives_other_points(kind: str) -> None:
    assert points(kind, count=3, depth=1, seed=7) != points(kind, count=3, depth=1, seed=8)


def test_points_in_flight_differ(kind: str) -> None:
    suggestions = sampler(kind).start(SPACE, seed=7)

    flying = [suggestions.ask(number) for number in range(8)]

    assert len({each["learning_rate"] for each in flying}) == 8


def test_a_search_goes_on_from_what_was_queued_and_told(kind: str) -> None:
    suggestions = sampler(kind).start(SPACE, seed=7)
    for number, point in enumerate(points(kind, count=20, depth=1)):
        suggestions.queue(number, point)
        suggestions.tell(number, loss(point))

    assert suggestions.ask(20) in SPACE
