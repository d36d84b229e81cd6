import math
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.tuner.analysis.landscapes import Landscape, search
from tests.tuner.synthetic import digits, ended, study, trial
from tuner.analysis.edges.probes import pending_probes
from tuner.analysis.edges.verdicts import Verdict, check
from tuner.analysis.edges.widening import history
from tuner.experiment.space import Natural, Range, Scale, SearchSpace, Side
from tuner.records import PointRun, Role, StudyRecord, TrialRecord
from tuner.trial import Outcome

RATES = Range(1e-4, 1e-2, scale=Scale.LOG)
STEEP = (12.0, 12.0, 12.0, 12.0)


def clean(*, best: float, trials: int, limits: Range = RATES) -> StudyRecord:
    """A search without noise of one parameter, whose best value is known."""
    runs = [PointRun(each, 0, Role.SEARCH, {"x": limits.at(each * 0.618 % 1)}) for each in range(trials)]
    return study(*(ran(each, best) for each in runs), space=SearchSpace({"x": limits}))


def ran(run: PointRun, best: float) -> TrialRecord:
    """A run that takes 50 steps at the best value, and twice as many a decade away."""
    away = math.log10(float(run.hyperparameters["x"]) / best)
    return trial(run.point % 1000, ended(round(50 * (1 + away**2))), run=run)


def probed(record: StudyRecord, best: float) -> StudyRecord:
    """A clean search after its probes."""
    return replace(record, trials=(*record.trials, *(ran(each, best) for each in pending_probes(record, per_side=4))))


@pytest.fixture(scope="module")
def cornered() -> StudyRecord:
    """A search whose optimum is beyond the high side of `b` and the low side of `d`."""
    return search(Landscape((0.5, 1.2, 0.5, -0.2), STEEP, None, math.inf, noise=0.1), seed=0)


def test_each_side_in_doubt_is_probed_just_beyond_it_and_nowhere_else(cornered: StudyRecord) -> None:
    probes = pending_probes(cornered, per_side=3)

    ranges = dict(cornered.space.ranges())
    beyond = []
    for each in probes:
        places = {name: limits.position(float(each.hyperparameters[name])) for name, limits in ranges.items()}
        (outside,) = [name for name, place in places.items() if not 0 <= place <= 1]
        beyond.append((outside, Side.LOW if places[outside] < 0 else Side.HIGH))
        assert each.hyperparameters[outside] in ranges[outside].widen(beyond[-1][1])
    assert {("b", Side.HIGH), ("d", Side.LOW)} <= set(beyond)
    assert all(beyond.count(each) == 3 for each in set(beyond))


@pytest.mark.parametrize("trials", [20, 40])
@pytest.mark.parametrize("best", [0.03, 0.1])
def test_a_clean_search_that_excludes_the_optimum_is_sure_of_it_after_its_probes(best: float, trials: int) -> None:
    (found,) = check(probed(clean(best=best, trials=trials), best))

    assert (found.verdict, found.side) == (Verdict.BOX_EDGE, Side.HIGH)
    assert found.confidence > 0.5


@pytest.mark.parametrize("trials", [20, 40])
def test_a_clean_search_that_holds_the_optimum_is_sure_of_it_after_its_probes(trials: int) -> None:
    (found,) = check(probed(clean(best=8e-3, trials=trials), 8e-3))

    assert found.verdict is Verdict.INSIDE
    assert found.confidence < 0.05


def test_probes_are_numbered_down_from_minus_one_and_stay_the_same_while_they_run() -> None:
    record = clean(best=0.1, trials=20)
    probes = pending_probes(record, per_side=4)

    assert [each.point for each in probes] == [-1, -2, -3, -4]
    assert {each.role for each in probes} == {Role.PROBE}
    some = replace(record, trials=(*record.trials, ran(probes[0], 0.1), ran(probes[2], 0.1)))
    assert pending_probes(some, per_side=4) == [probes[1], probes[3]]
    assert pending_probes(probed(record, 0.1), per_side=4) == []


@pytest.mark.parametrize("many", [2, 4, 100])
def test_probes_of_a_space_of_one_dimension_are_even_over_what_widening_would_add(many: int) -> None:
    values = [float(each.hyperparameters["x"]) for each in pending_probes(clean(best=0.1, trials=20), per_side=many)]

    steps = [math.log(after / before) for before, after in pairwise(values)]
    assert len(set(values)) == many
    assert values[0] == pytest.approx(1e-2 * 10**0.1)
    assert values[-1] == pytest.approx(RATES.widen(Side.HIGH).high)
    assert max(steps) == pytest.approx(min(steps))


def test_probes_of_a_later_round_are_numbered_on() -> None:
    first = probed(clean(best=0.1, trials=20), 0.1)
    space = SearchSpace({"x": RATES.widen(Side.HIGH)})
    second = replace(first, round=2, space=space, trials=(), earlier=(first,))

    assert [each.point for each in pending_probes(second, per_side=2)] == [-5, -6]


def test_a_probe_is_one_of_the_search_once_the_space_is_widened_over_it() -> None:
    first = probed(clean(best=0.1, trials=20), 0.1)
    space = SearchSpace({"x": RATES.widen(Side.HIGH)})
    second = replace(first, round=2, space=space, trials=(), earlier=(first,))

    assert len(first.finished(Role.SEARCH)) == 20
    assert len(second.finished(Role.SEARCH)) == 24
    assert (first.incumbent or 0) > (second.incumbent or 0)
    assert history(second, digits().goal.unit)[0].sentence == (
        "Round 1: 20 points, best 112 steps; 4 probes beyond its sides, best 50 steps; then x high 0.01 -> 0.1."
    )


def test_nothing_is_probed_where_the_parameter_ends() -> None:
    ending = replace(RATES, natural=Natural.HIGH)

    assert pending_probes(clean(best=0.1, trials=20), per_side=4)
    assert pending_probes(clean(best=0.1, trials=20, limits=ending), per_side=4) == []


def test_what_is_more_likely_than_not_is_left_to_the_next_round() -> None:
    record = clean(best=0.1, trials=40)

    (found,) = check(record)
    assert found.confidence > 0.5
    assert pending_probes(record, per_side=4) == []


def test_nothing_is_probed_beyond_a_stability_limit() -> None:
    record = clean(best=0.1, trials=40)
    diverged = [
        replace(each, end=ended(24, outcome=Outcome.INFEASIBLE))
        if float(each.plan.hyperparameters["x"]) > 4e-3
        else each
        for each in record.trials
    ]

    assert pending_probes(replace(record, trials=tuple(diverged)), per_side=4) == []


def test_nothing_is_probed_before_the_target_is_reached_or_after_confirmation_has_begun() -> None:
    record = clean(best=0.1, trials=20)
    ends = [replace(each, end=ended(400, outcome=Outcome.CENSORED)) for each in record.trials]
    confirming = trial(20, ended(50), run=PointRun(0, 1, Role.CHOOSE, {"x": 1e-2}))

    assert pending_probes(replace(record, trials=tuple(ends)), per_side=4) == []
    assert pending_probes(replace(record, trials=(*record.trials, confirming)), per_side=4) == []
    assert pending_probes(record, per_side=0) == []
