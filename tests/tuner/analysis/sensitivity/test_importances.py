import math
from collections.abc import Callable, Mapping
from statistics import fmean

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from tests.tuner.synthetic import ended, study, trial
from tuner.analysis.sensitivity.importances import importances
from tuner.experiment.sequences import halton_point
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace
from tuner.records import PointRun, Role, StudyRecord
from tuner.trial import Value

SPACE = SearchSpace(
    {
        "learning_rate": Range(0.01, 1.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.99, scale=Scale.REVERSE_LOG),
        "rule": Choice(("sgd", "adam")),
        "decay": Fixed(1),
    }
)
POSITIONS: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(0, 1),
    "momentum": FloatDistribution(0, 1),
    "rule": CategoricalDistribution(("sgd", "adam")),
}


def searched(steps: Callable[[Mapping[str, Value]], float], *, count: int = 60) -> StudyRecord:
    """A quasi-random search of the space, in which a point takes so many steps."""
    points = [halton_point(SPACE, number, seed=0) for number in range(count)]
    return study(
        *(
            trial(number, ended(round(steps(point))), run=PointRun(number, 0, Role.SEARCH, point))
            for number, point in enumerate(points)
        ),
        space=SPACE,
    )


def test_the_parameter_that_decides_has_nearly_all_the_importance() -> None:
    found = importances(searched(lambda point: 1000 * float(point["learning_rate"])))

    assert list(found) == ["learning_rate", "momentum", "rule"]
    assert found["learning_rate"] > 0.9
    assert sum(found.values()) == pytest.approx(1)


def test_momentum_and_choices_are_parameters_like_any_other() -> None:
    by_momentum = importances(searched(lambda point: 1000 * (1 - float(point["momentum"]))))
    by_choice = importances(searched(lambda point: 100 if point["rule"] == "sgd" else 900))

    assert by_momentum["momentum"] > 0.9
    assert by_choice["rule"] > 0.9


def test_equal_parts_have_equal_importance() -> None:
    found = importances(
        searched(lambda point: 1000 * float(point["learning_rate"]) ** 0.5 * (1 - float(point["momentum"])) ** 0.5)
    )

    assert found["learning_rate"] == pytest.approx(0.5, abs=0.15)
    assert found["momentum"] == pytest.approx(0.5, abs=0.15)


def test_every_scale_weighs_evenly() -> None:
    by_rate = searched(lambda point: 100 * 2 ** ((float(point["learning_rate"]) > 0.1) + (point["rule"] == "sgd")))
    by_momentum = searched(lambda point: 100 * 2 ** ((float(point["momentum"]) > 0.9) + (point["rule"] == "sgd")))

    assert importances(by_rate) == pytest.approx({"learning_rate": 0.5, "momentum": 0, "rule": 0.5}, abs=0.1)
    assert importances(by_momentum) == pytest.approx({"learning_rate": 0, "momentum": 0.5, "rule": 0.5}, abs=0.1)


def test_they_are_those_that_optuna_computes_of_positions() -> None:
    record = searched(lambda point: 1000 * float(point["learning_rate"]) * (2 if point["rule"] == "sgd" else 1))
    theirs = optuna.create_study()
    for each in record.finished(Role.SEARCH):
        assert each.end is not None
        point = each.plan.hyperparameters
        positions = {name: limits.position(float(point[name])) for name, limits in SPACE.ranges()}
        params = {**positions, "rule": point["rule"]}
        theirs.add_trial(create_trial(value=each.end.loss, params=params, distributions=POSITIONS))
    seeds = [get_param_importances(theirs, evaluator=FanovaImportanceEvaluator(seed=seed)) for seed in range(3)]
    expected = {name: fmean(each[name] for each in seeds) for name in seeds[0]}

    found = importances(record)

    assert found == pytest.approx(expected, abs=0.03)


def test_the_same_record_gives_the_same_importances() -> None:
    record = searched(lambda point: 1000 * float(point["learning_rate"]) + math.sqrt(float(point["momentum"])))

    assert importances(record) == importances(record)


def test_few_trials_equal_ones_or_a_single_parameter_say_nothing() -> None:
    line = SearchSpace({"learning_rate": Range(0.01, 1.0, scale=Scale.LOG)})
    single = study(*(trial(number, ended(10 + number)) for number in range(20)), space=line)

    assert importances(searched(lambda point: 1000 * float(point["learning_rate"]), count=9)) == {}
    assert importances(searched(lambda point: 50)) == {}
    assert importances(single) == {}
