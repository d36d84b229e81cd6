import math

import numpy as np
import pytest

from tests.tuner.analysis.landscapes import SPACE, Landscape, search
from tests.tuner.analysis.sensitivity.intervals import overlaps, training
from tests.tuner.synthetic import ended, study, trial
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.sensitivity.profiles import FACTORS, Profile, profiles
from tuner.experiment.sequences import halton_point
from tuner.experiment.space import Choice, Range, Scale, SearchSpace
from tuner.records import PointRun, Role, StudyRecord
from tuner.trial import Outcome

BOWL = Landscape((0.4, 0.5, 0.5, 0.6), (12.0, 6.0, 0.0, 24.0), None, math.inf, noise=0.05)
"""Quadratic, and without effect in the third parameter."""


def found(record: StudyRecord) -> dict[str, Profile]:
    best = best_trials(record, 1)[0].plan.hyperparameters
    return {each.parameter: each for each in profiles(record, best)}


@pytest.fixture(scope="module")
def bowl() -> dict[str, Profile]:
    return found(search(BOWL, seed=0))


@pytest.mark.parametrize(("column", "name"), [(0, "a"), (1, "b"), (3, "d")])
@pytest.mark.parametrize("index", [0, 1])
def test_the_interval_of_a_quadratic_is_known(bowl: dict[str, Profile], column: int, name: str, index: int) -> None:
    tolerance = bowl[name].tolerances[index]
    half = math.sqrt(math.log2(FACTORS[index]) / BOWL.curvature[column])
    low, high = max(BOWL.optimum[column] - half, 0), min(BOWL.optimum[column] + half, 1)

    assert SPACE.parameters[name].position(tolerance.low) == pytest.approx(low, abs=0.12)  # type: ignore[union-attr]
    assert SPACE.parameters[name].position(tolerance.high) == pytest.approx(high, abs=0.12)  # type: ignore[union-attr]
    assert (tolerance.low_open, tolerance.high_open) == (low == 0, high == 1)


def test_a_parameter_without_effect_may_be_anything(bowl: dict[str, Profile]) -> None:
    for each in bowl["c"].tolerances:
        assert (each.low, each.high, each.low_open, each.high_open) == (1, 100, True, True)


def test_an_interval_holds_the_narrower_one_the_optimum_and_what_trials_show(bowl: dict[str, Profile]) -> None:
    best = best_trials(search(BOWL, seed=0), 1)[0].plan.hyperparameters

    for name, profile in bowl.items():
        near, far = profile.tolerances
        assert far.low <= near.low <= float(best[name]) <= near.high <= far.high
        assert 1 <= near.trials <= far.trials
        for each in profile.tolerances:
            assert each.low <= each.shown[0] <= each.shown[1] <= each.high


def test_learning_rate_and_momentum_may_vary_widely_if_the_other_follows() -> None:
    valley = Landscape((0.5,) * 4, (0.0,) * 4, (40.0, 1.0, 1.0), math.inf, noise=0.05)
    record = training(valley, search(valley, seed=1))

    for name in ("learning_rate", "momentum"):
        near = found(record)[name].tolerances[0]
        limits = dict(record.space.ranges())[name]
        assert limits.position(near.high) - limits.position(near.low) > 0.6  # a point by itself tolerates 0.12


def test_an_optimum_beyond_the_edge_leaves_the_interval_open_there() -> None:
    outside = Landscape((0.5, 1.2, 0.5, 0.5), (12.0,) * 4, None, math.inf, noise=0.05)

    for each in found(search(outside, seed=0))["b"].tolerances:
        assert (each.low_open, each.high_open, each.high) == (False, True, 100)


def test_an_interval_ends_before_the_values_at_which_everything_diverges() -> None:
    cliff = Landscape((0.5,) * 4, (1.0, 6.0, 6.0, 6.0), None, 0.1, noise=0.05)

    far = found(search(cliff, seed=0))["a"].tolerances[1]

    assert not far.high_open
    assert dict(SPACE.ranges())["a"].position(far.high) == pytest.approx(0.6, abs=0.05)


def test_with_few_trials_only_what_they_show_is_said() -> None:
    points = {0: (0.1, 40), 1: (0.2, 42), 2: (0.4, 70), 3: (0.8, 90)}
    space = SearchSpace({"learning_rate": Range(0.01, 1.0, scale=Scale.LOG)})
    record = study(
        *(
            trial(number, ended(steps), run=PointRun(number, 0, Role.SEARCH, {"learning_rate": rate}))
            for number, (rate, steps) in points.items()
        ),
        space=space,
    )

    (profile,) = profiles(record, {"learning_rate": 0.1})

    assert not profile.modelled
    assert [(each.low, each.high, each.trials) for each in profile.tolerances] == [(0.1, 0.2, 2), (0.1, 0.4, 3)]
    assert not any(each.low_open or each.high_open for each in profile.tolerances)


def test_choices_are_free_like_other_parameters() -> None:
    space = SearchSpace({"x": Range(0.0, 1.0), "rule": Choice(("slow", "fast"))})
    record = study()
    for number in range(40):
        point = halton_point(space, number, seed=0)
        bent = 24 * (float(point["x"]) - 0.5) ** 2 if point["rule"] == "fast" else 3
        run = PointRun(number, 0, Role.SEARCH, point)
        record = study(*record.trials, trial(number, ended(round(2 ** (6 + bent))), run=run), space=space)

    (profile,) = profiles(record, {"x": 0.5, "rule": "fast"})

    assert (profile.tolerances[1].low, profile.tolerances[1].high) == pytest.approx((0.296, 0.704), abs=0.08)


def test_nothing_diverged_comes_close() -> None:
    space = SearchSpace({"x": Range(0.0, 1.0)})
    ends = [ended(60), ended(10, outcome=Outcome.INFEASIBLE), ended(60, outcome=Outcome.CENSORED)]
    record = study(
        *(trial(each, end, run=PointRun(each, 0, Role.SEARCH, {"x": each / 4})) for each, end in enumerate(ends)),
        space=space,
    )

    (profile,) = profiles(record, {"x": 0.0})

    assert [each.shown for each in profile.tolerances] == [(0, 0), (0, 0)]


@pytest.mark.slow
def test_on_landscapes_intervals_are_as_true_as_said() -> None:
    measured = list(overlaps(40))

    for factor, least_true, least_found in ((1.1, 0.7, 0.65), (2.0, 0.85, 0.88)):
        modelled = [each for of, each, _ in measured if of == factor]
        assert np.mean([each.true for each in modelled]) > least_true
        assert np.mean([each.found for each in modelled]) > least_found
