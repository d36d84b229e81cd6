import pytest

from tuner.experiment.distributions import decode, encode
from tuner.experiment.sequences import halton_point, is_from_sequence
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace
from tuner.samplers import Sampler
from tuner.samplers.quasi_random import QuasiRandom
from tuner.samplers.random import Random
from tuner.samplers.tpe import Tpe

SPACE = SearchSpace(
    {
        "learning_rate": Range(1e-3, 10.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.999, scale=Scale.REVERSE_LOG),
        "layers": Range(1, 9, integer=True),
        "rule": Choice(("sgd", "adam")),
        "decay": Fixed(0.1),
    }
)
SEED = 5


@pytest.mark.parametrize("sampler", [QuasiRandom(), Random(), Tpe(startup=20)])
def test_every_point_before_a_sampler_has_a_model_is_from_sequence(sampler: Sampler) -> None:
    suggestions = sampler.start(SPACE, seed=SEED)

    points = [suggestions.ask(number) for number in range(20)]

    assert all(is_from_sequence(SPACE, number, point, seed=SEED) for number, point in enumerate(points))


def test_the_points_of_a_model_are_not() -> None:
    suggestions = Tpe(startup=5).start(SPACE, seed=SEED)
    for number in range(5):
        suggestions.ask(number)
        suggestions.tell(number, float(number))

    points = {number: suggestions.ask(number) for number in range(5, 15)}

    assert not any(is_from_sequence(SPACE, number, point, seed=SEED) for number, point in points.items())


def test_a_point_is_recognised_after_a_store_kept_it_in_optunas_terms() -> None:
    stored = [encode(SPACE, halton_point(SPACE, number, seed=SEED)) for number in range(20)]

    assert all(is_from_sequence(SPACE, number, decode(SPACE, each), seed=SEED) for number, each in enumerate(stored))


def test_a_point_of_another_study_or_number_is_not() -> None:
    point = halton_point(SPACE, 3, seed=SEED)

    assert not is_from_sequence(SPACE, 4, point, seed=SEED)
    assert not is_from_sequence(SPACE, 3, point, seed=SEED + 1)


def test_the_only_point_of_a_space_without_parameters_is() -> None:
    assert is_from_sequence(SearchSpace({"decay": Fixed(0.1)}), 0, {"decay": 0.1}, seed=SEED)
