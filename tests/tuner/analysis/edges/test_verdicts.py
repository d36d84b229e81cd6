import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks.edges import judged, landscapes, table_of
from tests.tuner.analysis.landscapes import NAMES, SPACE, Landscape, search
from tests.tuner.synthetic import Workload, digits, ended, study, trial
from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict, check, is_natural
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.summary import results
from tuner.experiment.space import Choice, Fixed, Natural, Range, Scale, SearchSpace, Side
from tuner.records import ExperimentRecord, PointRun, Role, StudyRecord, TrialEnd
from tuner.trial import Outcome

MIDDLE = (0.5, 0.5, 0.5, 0.5)
STEEP = (12.0, 12.0, 12.0, 12.0)


def verdicts(landscape: Landscape, *, seed: int = 0) -> dict[str, EdgeVerdict]:
    """What a search of a landscape says of each parameter."""
    return {each.parameter: each for each in check(search(landscape, seed=seed))}


def one_parameter(limits: Range, steps_at: dict[float, float | None]) -> StudyRecord:
    """A search over one parameter; None diverged."""
    ends = [
        ended(24, outcome=Outcome.INFEASIBLE) if steps is None else ended(round(steps)) for steps in steps_at.values()
    ]
    runs = [PointRun(index, 0, Role.SEARCH, {"x": limits.at(place)}) for index, place in enumerate(steps_at)]
    trials = [trial(run.point, end, run=run) for run, end in zip(runs, ends, strict=True)]
    return study(*trials, space=SearchSpace({"x": limits}))


def test_an_optimum_in_the_middle_is_inside() -> None:
    found = verdicts(Landscape(MIDDLE, STEEP, None, math.inf, noise=0.15))

    assert {each.verdict for each in found.values()} == {Verdict.INSIDE}
    assert all(0.25 < each.position < 0.75 for each in found.values())


@pytest.mark.parametrize(("optimum", "side"), [(1.3, Side.HIGH), (-0.3, Side.LOW)])
def test_an_optimum_beyond_an_edge_is_at_the_box_edge(optimum: float, side: Side) -> None:
    found = verdicts(Landscape((0.5, optimum, 0.5, 0.5), STEEP, None, math.inf, noise=0.15))

    assert (found["b"].verdict, found["b"].side) == (Verdict.BOX_EDGE, side)
    assert {found[name].verdict for name in "acd"} == {Verdict.INSIDE}


def test_a_parameter_without_effect_is_inside_wherever_its_best_value_lies() -> None:
    landscape = Landscape(MIDDLE, (12.0, 12.0, 12.0, 0.0), None, math.inf, noise=0.15)

    found = [verdicts(landscape, seed=seed)["d"] for seed in range(8)]

    assert min(each.position for each in found) < 0.1 or max(each.position for each in found) > 0.9
    assert sum(each.verdict is Verdict.BOX_EDGE for each in found) <= 1


def test_a_ridge_across_the_box_is_inside() -> None:
    landscape = Landscape(MIDDLE, (0.0, 0.0, 12.0, 12.0), (30.0, 1.0, 1.0), math.inf, noise=0.15)

    found = [verdicts(landscape, seed=seed)[name] for seed in range(5) for name in "ab"]

    assert sum(each.verdict is Verdict.BOX_EDGE for each in found) <= 1


def test_an_optimum_at_a_cliff_is_at_the_stability_limit() -> None:
    landscape = Landscape((0.7, 0.5, 0.5, 0.5), (40.0, 12.0, 12.0, 12.0), None, cliff=-0.1, noise=0.1)

    found = verdicts(landscape)["a"]

    assert (found.verdict, found.side) == (Verdict.STABILITY_LIMIT, Side.HIGH)
    assert found.position == pytest.approx(0.6, abs=0.05)


def test_divergence_far_beyond_the_optimum_is_no_stability_limit() -> None:
    found = verdicts(Landscape((0.4, 0.5, 0.5, 0.5), STEEP, None, cliff=0.3, noise=0.1))["a"]

    assert found.verdict is Verdict.INSIDE


def test_momentum_at_zero_is_a_natural_limit() -> None:
    limits = Range(0.0, 0.999, scale=Scale.REVERSE_LOG)
    steps = {place: 50 * 2 ** (3 * place) for place in np.linspace(0, 1, 20)}

    (found,) = check(one_parameter(limits, steps))

    assert (found.verdict, found.side, found.position) == (Verdict.NATURAL_LIMIT, Side.LOW, 0.0)


def test_positions_are_on_the_parameters_own_scale() -> None:
    limits = Range(1e-3, 10.0, scale=Scale.LOG)
    steps = {place: 50 * 2 ** (9 * (place - 0.5) ** 2) for place in np.linspace(0, 1, 21)}

    (found,) = check(one_parameter(limits, steps))

    assert (found.verdict, found.position) == (Verdict.INSIDE, 0.5)
    assert found.value == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("limits", "side", "natural"),
    [
        (Range(0.0, 0.99, scale=Scale.REVERSE_LOG), Side.LOW, True),
        (Range(0.0, 0.99, scale=Scale.REVERSE_LOG), Side.HIGH, False),
        (Range(0.5, 0.99, scale=Scale.REVERSE_LOG), Side.LOW, False),
        (Range(0.0, 0.5), Side.LOW, True),
        (Range(0.0, 1.0), Side.HIGH, True),
        (Range(0.2, 1.0), Side.HIGH, False),
        (Range(1e-4, 1.0, scale=Scale.LOG), Side.HIGH, False),
        (Range(1e-4, 1.0, scale=Scale.LOG, natural=Natural.HIGH), Side.HIGH, True),
        (Range(1e-4, 1.0, scale=Scale.LOG, natural=Natural.HIGH), Side.LOW, False),
        (Range(1e-4, 1.0, scale=Scale.LOG, natural=Natural.BOTH), Side.LOW, True),
    ],
)
def test_a_range_ends_naturally_where_it_or_its_scale_says_so(limits: Range, side: Side, natural: bool) -> None:
    assert is_natural(limits, side) is natural


def test_choices_and_fixed_values_have_no_edges() -> None:
    space = SearchSpace({"kind": Choice(("a", "b")), "momentum": Fixed(0.9)})
    record = study(trial(0, ended(10), run=PointRun(0, 0, Role.SEARCH, {"kind": "a", "momentum": 0.9})), space=space)

    assert check(record) == ()


def test_a_study_in_which_everything_diverged_has_no_optimum() -> None:
    assert check(one_parameter(Range(0.0, 1.0), dict.fromkeys([0.1, 0.5, 0.9]))) == ()


def test_a_study_that_nothing_reached_says_where_its_space_should_grow() -> None:
    limits = Range(1e-3, 10.0, scale=Scale.LOG)
    ends = [
        (place, TrialEnd(Outcome.CENSORED, 4000, 4000, 4000, 15 - 4 * place, {})) for place in np.linspace(0, 1, 20)
    ]
    trials = [
        trial(index, end, run=PointRun(index, 0, Role.SEARCH, {"x": limits.at(place)}))
        for index, (place, end) in enumerate(ends)
    ]

    (found,) = check(study(*trials, space=SearchSpace({"x": limits})))

    assert (found.verdict, found.side) == (Verdict.BOX_EDGE, Side.HIGH)


def test_the_position_is_the_confirmed_points_once_there_is_one() -> None:
    workload, experiment = Workload(), digits()
    record = workload.confirm(experiment, workload.search(experiment, 64))
    confirmed = confirm(record, experiment.confirmation)
    assert confirmed is not None

    found = {each.parameter: each for each in check(record, confirmed)}

    assert found["learning_rate"].value == confirmed.hyperparameters["learning_rate"]


def test_a_winner_of_another_batch_size_outside_the_space_says_that_the_space_should_have_been_wider() -> None:
    workload, experiment = Workload(), digits()
    record = workload.confirm(experiment, workload.search(experiment, 64))
    confirmed = confirm(record, experiment.confirmation)
    assert confirmed is not None
    outside = replace(confirmed, hyperparameters={**confirmed.hyperparameters, "learning_rate": 30.0})

    found = {each.parameter: each for each in check(record, outside)}["learning_rate"]

    assert (found.verdict, found.side, found.value, found.confidence) == (Verdict.BOX_EDGE, Side.HIGH, 30.0, 1.0)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_sentence_that_names_the_parameter(verdict: Verdict) -> None:
    assert "momentum" in EdgeVerdict("momentum", Side.HIGH, verdict, 0.9, 0.9, 0.5).sentence


def test_an_experiment_is_at_a_box_edge_if_one_of_its_studies_is() -> None:
    record = search(Landscape((0.5, 1.4, 0.5, 0.5), STEEP, None, math.inf, noise=0.1), seed=0)

    assert results(ExperimentRecord(digits(), (record,))).at_box_edge


@settings(max_examples=10, deadline=None)
@given(st.permutations(NAMES))
def test_the_order_of_parameters_changes_no_verdict(order: list[str]) -> None:
    record = search(Landscape((0.5, 1.4, 0.2, 0.7), STEEP, None, math.inf, noise=0.1), seed=0, points=30)
    shuffled = study(*record.trials, space=SearchSpace({name: SPACE.parameters[name] for name in order}))

    def plain(found: StudyRecord) -> dict[str, tuple[Side, Verdict]]:
        return {each.parameter: (each.side, each.verdict) for each in check(found)}

    assert plain(shuffled) == plain(record)


@pytest.mark.slow
def test_misses_and_false_alarms_are_few_on_random_landscapes() -> None:
    (row,) = (
        each
        for each in table_of(list(judged("synthetic", landscapes(60, seed=2_000_000))))
        if (each.sides, each.points) == ("synthetic", 50)
    )

    assert row.missed < 0.2
    assert row.flagged < 0.1
