from collections.abc import Mapping

import hypothesis.strategies as st
import optuna
import pytest
from hypothesis import given
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tuner.experiment.distributions import decode, distributions_of, encode
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace
from tuner.trial import Value

SPACE = SearchSpace(
    {
        "learning_rate": Range(1e-3, 10.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.999, scale=Scale.REVERSE_LOG),
        "warmup": Range(0.0, 0.5),
        "layers": Range(1, 8, integer=True),
        "units": Range(16, 1024, scale=Scale.LOG, integer=True),
        "smoothing": Choice((0.0, 0.01, 0.1)),
        "nesterov": Fixed(True),
    }
)


def points() -> st.SearchStrategy[Mapping[str, Value]]:
    positions = st.lists(st.floats(0, 1), min_size=SPACE.dimensions, max_size=SPACE.dimensions)
    return positions.map(SPACE.at)


def test_each_kind_of_parameter_has_its_distribution() -> None:
    assert distributions_of(SPACE) == {
        "learning_rate": FloatDistribution(1e-3, 10.0, log=True),
        "1 - momentum": FloatDistribution(1 - 0.999, 1.0, log=True),
        "warmup": FloatDistribution(0.0, 0.5),
        "layers": IntDistribution(1, 8),
        "units": IntDistribution(16, 1024, log=True),
        "smoothing": CategoricalDistribution((0.0, 0.01, 0.1)),
    }


@given(points())
def test_a_point_survives_optuna(point: Mapping[str, Value]) -> None:
    there_and_back = decode(SPACE, encode(SPACE, point))

    assert there_and_back.pop("momentum") == pytest.approx(point["momentum"], abs=1e-12, rel=1e-12)
    assert there_and_back == {name: value for name, value in point.items() if name != "momentum"}


@given(points())
def test_optuna_accepts_every_point_of_the_space(point: Mapping[str, Value]) -> None:
    trial = optuna.trial.create_trial(params=encode(SPACE, point), distributions=distributions_of(SPACE), value=0.0)

    assert trial.params.keys() == distributions_of(SPACE).keys()


@given(st.integers(0, 2**32 - 1))
def test_what_optuna_suggests_lies_in_the_space(seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    trial = study.ask(distributions_of(SPACE))

    assert decode(SPACE, trial.params) in SPACE


@pytest.mark.parametrize("momentum", [0.0, 0.001, 0.3, 0.5, 0.9, 0.99, 0.999])
def test_a_decimal_stays_the_same_decimal_on_a_reverse_log_scale(momentum: float) -> None:
    space = SearchSpace({"momentum": Range(0.0, 0.999, scale=Scale.REVERSE_LOG)})

    assert decode(space, encode(space, {"momentum": momentum})) == {"momentum": momentum}


def test_whole_numbers_stay_whole_on_a_reverse_log_scale() -> None:
    space = SearchSpace({"offset": Range(-7, 0, scale=Scale.REVERSE_LOG, integer=True)})

    assert distributions_of(space) == {"1 - offset": IntDistribution(1, 8, log=True)}
    assert decode(space, {"1 - offset": 8}) == {"offset": -7}


def test_a_word_on_a_reverse_log_scale_is_refused() -> None:
    space = SearchSpace({"momentum": Range(0.0, 0.9, scale=Scale.REVERSE_LOG)})

    with pytest.raises(TypeError, match="'high' is not a number"):
        encode(space, {"momentum": "high"})
