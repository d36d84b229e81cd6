import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuner.synthetic import digits, ended, experiment_record, grown, study, trial
from tuner.analysis.optimum.confirmation import (
    Confirmation,
    SelectionBias,
    candidates,
    confirm,
    median_interval,
    optimum,
    pending,
    selection_bias,
)
from tuner.experiment import ConfirmationSettings
from tuner.records import PointRun, Role, StudyRecord, TrialEnd
from tuner.trial import Outcome

SETTINGS = ConfirmationSettings(candidates=2, choose_seeds=3, report_seeds=3)
UNREACHED = ended(4000, outcome=Outcome.CENSORED)


def searched(*steps: int) -> StudyRecord:
    """A study whose points took these steps."""
    return study(*(trial(number, ended(each)) for number, each in enumerate(steps)))


def confirmed(record: StudyRecord, steps: dict[tuple[int, Role], list[int | None]]) -> StudyRecord:
    """The study after confirmation, given the steps of each point's seeds; None did not reach the target."""
    while wanted := pending(record, SETTINGS):
        record = grown(record, wanted, lambda run: answer(steps[run.point, run.role].pop(0)))
    return record


def answer(steps: int | None) -> TrialEnd:
    return UNREACHED if steps is None else ended(steps)


def test_candidates_are_the_trials_with_fewest_steps_and_ties_go_to_the_lower_number() -> None:
    record = searched(50, 30, 40, 30)

    assert [each.number for each in candidates(record, 3)] == [1, 3, 2]


def test_candidates_are_only_search_trials_that_reached_the_target() -> None:
    record = study(
        trial(0, UNREACHED),
        trial(1, None),
        trial(2, ended(20)),
        trial(3, ended(9), run=PointRun(2, 1, Role.CHOOSE, {})),
        trial(4, ended(10, outcome=Outcome.INFEASIBLE)),
    )

    assert [each.number for each in candidates(record, 3)] == [2]


def test_pending_asks_for_choosing_seeds_of_each_candidate_first() -> None:
    wanted = pending(searched(50, 30, 40), SETTINGS)

    assert [(each.point, each.repeat, each.role) for each in wanted] == [
        *((1, repeat, Role.CHOOSE) for repeat in (1, 2, 3)),
        *((2, repeat, Role.CHOOSE) for repeat in (1, 2, 3)),
    ]


def test_pending_asks_for_the_winners_reporting_seeds_when_it_is_chosen() -> None:
    record = searched(50, 30, 40)
    record = grown(record, pending(record, SETTINGS), lambda run: ended(60 if run.point == 1 else 45))

    wanted = pending(record, SETTINGS)

    assert [(each.point, each.repeat, each.role) for each in wanted] == [
        (2, repeat, Role.REPORT) for repeat in (4, 5, 6)
    ]


def test_pending_asks_again_for_what_failed_and_never_for_what_has_a_result() -> None:
    record = searched(50, 30, 40)
    first, second, *_ = pending(record, SETTINGS)
    record = study(*record.trials, trial(3, ended(33), run=first), trial(4, None, run=second))

    wanted = pending(record, SETTINGS)

    assert first not in wanted
    assert second in wanted
    assert len(wanted) == 5


def test_nothing_is_pending_when_no_trial_reached_the_target() -> None:
    record = study(trial(0, UNREACHED))

    assert pending(record, SETTINGS) == []
    assert confirm(record, SETTINGS) is None


def test_nothing_is_confirmed_while_a_seed_is_pending() -> None:
    record = searched(50, 30, 40)
    record = grown(record, pending(record, SETTINGS), lambda run: ended(40))
    record = grown(record, pending(record, SETTINGS)[:-1], lambda run: ended(40))

    assert len(pending(record, SETTINGS)) == 1
    assert confirm(record, SETTINGS) is None


def test_the_winner_has_the_lowest_median_and_is_reported_by_other_seeds() -> None:
    record = confirmed(
        searched(50, 30, 40),
        {(1, Role.CHOOSE): [70, 31, 65], (2, Role.CHOOSE): [44, 90, 45], (2, Role.REPORT): [47, 39, 52]},
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert (found.trial, found.searched, found.steps) == (2, 30, 47)
    assert (found.low, found.high, found.seeds, found.reached) == (39, 52, 3, 3)
    assert found.selection_bias == pytest.approx(47 / 30)


def test_a_seed_that_did_not_reach_the_target_counts_as_infinite() -> None:
    record = confirmed(
        searched(30, 40),
        {(0, Role.CHOOSE): [31, None, None], (1, Role.CHOOSE): [90, 95, None], (1, Role.REPORT): [99, None, 80]},
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert (found.trial, found.steps, found.high, found.reached) == (1, 99, math.inf, 2)


def test_between_infinite_medians_the_seeds_that_did_reach_the_target_decide() -> None:
    record = confirmed(
        searched(30, 40),
        {(0, Role.CHOOSE): [None] * 3, (1, Role.CHOOSE): [None, 95, None], (1, Role.REPORT): [None] * 3},
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert (found.trial, found.steps, found.reached, found.metrics) == (1, math.inf, 0, {})


def test_between_equal_candidates_the_search_decides() -> None:
    record = confirmed(
        searched(40, 30), {(1, Role.CHOOSE): [50] * 3, (0, Role.CHOOSE): [50] * 3, (1, Role.REPORT): [50] * 3}
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert found.trial == 1


def test_the_median_of_an_even_number_of_seeds_is_infinite_if_half_did_not_reach_the_target() -> None:
    settings = ConfirmationSettings(candidates=1, choose_seeds=1, report_seeds=2)
    record = searched(30)
    record = grown(record, pending(record, settings), lambda run: ended(33))
    record = grown(record, pending(record, settings), lambda run: answer(None if run.repeat == 2 else 35))

    found = confirm(record, settings)

    assert found is not None
    assert (found.steps, found.low, found.reached) == (math.inf, 35, 1)


def test_metrics_are_medians_over_the_seeds_that_reached_the_target() -> None:
    settings = ConfirmationSettings(candidates=1, choose_seeds=1, report_seeds=4)
    errors = {2: 0.03, 3: 0.05, 4: 0.04}
    record = searched(30)
    record = grown(record, pending(record, settings), lambda run: ended(33))
    record = grown(
        record,
        pending(record, settings),
        lambda run: ended(30, test_error=errors[run.repeat]) if run.repeat in errors else UNREACHED,
    )

    found = confirm(record, settings)

    assert found is not None
    assert found.metrics["test/error"] == 0.04


def test_the_search_flatters_its_winner() -> None:
    record = experiment_record(digits(batch_sizes=[16, 64, 256, 1024]))

    biases = [
        found.selection_bias for each in record.studies if (found := confirm(each, record.experiment.confirmation))
    ]

    assert len(biases) == 4
    assert sum(biases) / 4 > 1.05


@pytest.mark.parametrize(
    ("seeds", "left_out", "coverage"),
    [(1, 0, 0.0), (2, 0, 0.5), (5, 0, 0.9375), (8, 1, 0.9297), (9, 1, 0.9609), (20, 5, 0.9586), (64, 24, 0.9401)],
)
def test_the_interval_of_a_median_is_the_tabulated_one(seeds: int, left_out: int, coverage: float) -> None:
    found = median_interval([float(each) for each in range(seeds)])

    assert (found.low, found.high) == (left_out, seeds - 1 - left_out)
    assert found.coverage == pytest.approx(coverage, abs=1e-4)


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).exponential(size=(4000, 7))

    intervals = [median_interval(each.tolist()) for each in draws]

    covered = np.mean([each.low < math.log(2) < each.high for each in intervals])
    assert covered == pytest.approx(intervals[0].coverage, abs=0.01)


def test_an_interval_ends_at_infinity_if_so_many_seeds_did_not_reach_the_target() -> None:
    assert median_interval([30, 31, math.inf, 33, 34]).high == math.inf
    assert median_interval([*range(10, 18), math.inf]).high == 17
    assert median_interval([math.inf] * 3).low == math.inf


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


@given(st.lists(st.one_of(st.integers(1, 4000).map(float), st.just(math.inf)), min_size=1, max_size=12))
def test_an_interval_holds_the_median_of_its_own_values(values: list[float]) -> None:
    found = median_interval(values)

    assert found.low <= median(values) <= found.high
    assert 0 <= found.coverage < 1


def test_selection_bias_is_a_geometric_mean_and_counts_infinite_medians_apart() -> None:
    twice, half = reported(40, searched=20), reported(10, searched=20)

    assert selection_bias([twice, half]) == SelectionBias(1, 2, 0)
    assert selection_bias([twice, reported(math.inf, searched=20)]) == SelectionBias(2, 1, 1)
    assert selection_bias([reported(math.inf, searched=20)]) is None
    assert selection_bias([]) is None


def reported(steps: float, *, searched: int) -> Confirmation:
    return Confirmation(1, 0, 0, {}, searched, steps, (steps,), {})


@given(st.permutations(range(6)))
def test_the_order_of_trials_changes_no_candidate(order: list[int]) -> None:
    trials = searched(50, 30, 40, 30, 60, 41).trials

    shuffled = study(*(trials[each] for each in order))

    assert [each.number for each in candidates(shuffled, 4)] == [1, 3, 2, 5]


def test_the_optimum_is_the_winner_and_before_there_is_one_the_best_of_the_search() -> None:
    runs = [PointRun(number, 0, Role.SEARCH, {"x": float(number)}) for number in range(3)]
    record = study(*(trial(run.point, ended(steps), run=run) for run, steps in zip(runs, (50, 30, 40), strict=True)))

    assert optimum(record, SETTINGS) == {"x": 1.0}
    steps: dict[tuple[int, Role], list[int | None]] = {
        (1, Role.CHOOSE): [60, 61, 62],
        (2, Role.CHOOSE): [50, 51, 52],
        (2, Role.REPORT): [50, 51, 52],
    }
    done = confirmed(record, steps)
    found = confirm(done, SETTINGS)
    assert found is not None
    assert found.point == 2
    assert optimum(done, SETTINGS) == {"x": 2.0}
    assert optimum(study(trial(0, UNREACHED)), SETTINGS) is None
