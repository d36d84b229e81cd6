import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuner.synthetic import digits, ended, experiment_record, grown, pending, study, trial
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.optimum.confirmation import (
    Confirmation,
    SelectionBias,
    confirm,
    optimum,
    selection_bias,
)
from tuner.experiment import ConfirmationSettings
from tuner.records import PointRun, Role, StudyRecord, TrialEnd
from tuner.trial import Outcome

SETTINGS = ConfirmationSettings(candidates=3, choose_seeds=2, report_seeds=3)
"""One seed for each of three candidates, another for the best two."""
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

    assert [each.number for each in best_trials(record, 3)] == [1, 3, 2]


def test_candidates_are_only_search_trials_that_reached_the_target() -> None:
    record = study(
        trial(0, UNREACHED),
        trial(1, None),
        trial(2, ended(20)),
        trial(3, ended(9), run=PointRun(2, 1, Role.CHOOSE, {})),
        trial(4, ended(10, outcome=Outcome.INFEASIBLE)),
    )

    assert [each.number for each in best_trials(record, 3)] == [2]


def asked(record: StudyRecord) -> list[tuple[int, int, Role]]:
    return [(each.point, each.repeat, each.role) for each in pending(record, SETTINGS)]


def test_pending_asks_for_one_seed_of_all_candidates_and_then_for_another_of_the_better_half() -> None:
    record = searched(50, 30, 40, 60)
    assert asked(record) == [(1, 1, Role.CHOOSE), (2, 1, Role.CHOOSE), (0, 1, Role.CHOOSE)]

    record = grown(record, pending(record, SETTINGS), lambda run: ended({0: 41, 1: 70, 2: 44}[run.point]))
    assert asked(record) == [(0, 2, Role.CHOOSE), (2, 2, Role.CHOOSE)]


def test_pending_asks_for_the_winners_reporting_seeds_when_it_is_chosen() -> None:
    record = searched(50, 30, 40)
    for _ in range(2):
        record = grown(record, pending(record, SETTINGS), lambda run: ended(45 if run.point == 2 else 60))

    assert asked(record) == [(2, repeat, Role.REPORT) for repeat in (3, 4, 5)]


def test_pending_asks_again_for_what_failed_and_never_for_what_has_a_result() -> None:
    record = searched(50, 30, 40)
    first, second, *_ = pending(record, SETTINGS)
    record = study(*record.trials, trial(3, ended(33), run=first), trial(4, None, run=second))

    wanted = pending(record, SETTINGS)

    assert first not in wanted
    assert second in wanted
    assert len(wanted) == 2


def test_a_single_candidate_needs_no_race() -> None:
    assert asked(searched(50)) == [(0, repeat, Role.REPORT) for repeat in (3, 4, 5)]


def test_nothing_is_pending_when_no_trial_reached_the_target() -> None:
    record = study(trial(0, UNREACHED))

    assert pending(record, SETTINGS) == []
    assert confirm(record, SETTINGS) is None


def test_nothing_is_confirmed_while_a_seed_is_pending() -> None:
    record = searched(50, 30, 40)
    for _ in range(2):
        record = grown(record, pending(record, SETTINGS), lambda run: ended(40))
    record = grown(record, pending(record, SETTINGS)[:-1], lambda run: ended(40))

    assert len(pending(record, SETTINGS)) == 1
    assert confirm(record, SETTINGS) is None


def test_the_winner_has_the_lowest_mean_rank_and_is_reported_by_other_seeds() -> None:
    record = confirmed(
        searched(50, 30, 40),
        {
            (0, Role.CHOOSE): [90],
            (1, Role.CHOOSE): [70, 31],
            (2, Role.CHOOSE): [44, 45],
            (2, Role.REPORT): [47, 39, 52],
        },
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert (found.trial, found.searched, found.score, found.origin) == (2, 30, 47, None)
    assert (found.low, found.high, found.seeds, found.reached) == (39, 52, 3, 3)
    assert found.selection_bias == pytest.approx(47 / 30)


def test_a_seed_that_did_not_reach_the_target_counts_as_infinite() -> None:
    record = confirmed(
        searched(30, 40),
        {(0, Role.CHOOSE): [None], (1, Role.CHOOSE): [90], (1, Role.REPORT): [99, None, 80]},
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert (found.trial, found.score, found.high, found.reached) == (1, 99, math.inf, 2)


def test_between_equal_candidates_the_search_decides() -> None:
    record = confirmed(searched(40, 30), {(1, Role.CHOOSE): [50], (0, Role.CHOOSE): [50], (1, Role.REPORT): [50] * 3})

    found = confirm(record, SETTINGS)

    assert found is not None
    assert found.trial == 1


def test_a_winner_that_the_search_reached_is_reported_even_if_no_choosing_seed_reached_the_target() -> None:
    record = confirmed(
        searched(30, 40), {(0, Role.CHOOSE): [None], (1, Role.CHOOSE): [None], (0, Role.REPORT): [None] * 3}
    )

    found = confirm(record, SETTINGS)

    assert found is not None
    assert (found.trial, found.score, found.reached, found.metrics) == (0, math.inf, 0, {})


def test_a_study_that_an_earlier_version_confirmed_keeps_its_winner() -> None:
    """It ran every candidate on as many seeds, and took the least median: here not the candidate that a race takes."""
    record = searched(50, 30, 40)
    steps = {1: [90, 91, 44, 43, 42], 2: [45, 46, 47, 48, 49]}
    choosing = [PointRun(point, repeat, Role.CHOOSE, {}) for point in (1, 2) for repeat in range(1, 6)]
    reporting = [PointRun(1, repeat, Role.REPORT, {}) for repeat in range(6, 11)]
    record = grown(record, choosing, lambda run: ended(steps[run.point][run.repeat - 1]))
    record = replace(grown(record, reporting, lambda run: ended(41)), complete=True)

    found = confirm(record, ConfirmationSettings(candidates=3, choose_seeds=5, report_seeds=5))

    assert found is not None
    assert (found.trial, found.score) == (1, 41)


def test_the_median_of_an_even_number_of_seeds_is_infinite_if_half_did_not_reach_the_target() -> None:
    settings = ConfirmationSettings(candidates=1, choose_seeds=1, report_seeds=2)
    record = searched(30)
    record = grown(record, pending(record, settings), lambda run: answer(None if run.repeat == 2 else 35))

    found = confirm(record, settings)

    assert found is not None
    assert (found.score, found.low, found.reached) == (math.inf, 35, 1)


def test_metrics_are_medians_over_the_seeds_that_reached_the_target() -> None:
    settings = ConfirmationSettings(candidates=1, choose_seeds=1, report_seeds=4)
    errors = {2: 0.03, 3: 0.05, 4: 0.04}
    record = searched(30)
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
        found.selection_bias or 0 for each in record.studies if (found := confirm(each, record.experiment.confirmation))
    ]

    assert len(biases) == 4
    assert sum(biases) / 4 > 1.05


def test_selection_bias_is_a_geometric_mean_and_counts_infinite_medians_apart() -> None:
    twice, half = reported(40, searched=20), reported(10, searched=20)

    assert selection_bias([twice, half]) == SelectionBias(1, 2, 0)
    assert selection_bias([twice, reported(math.inf, searched=20)]) == SelectionBias(2, 1, 1)
    assert selection_bias([reported(math.inf, searched=20)]) is None
    assert selection_bias([]) is None
    assert selection_bias([reported(40, searched=None), half]) == SelectionBias(0.5, 1, 0)


def reported(steps: float, *, searched: int | None) -> Confirmation:
    return Confirmation(1, 0, 0, {}, None, searched, steps, (steps,), {})


@given(st.permutations(range(6)))
def test_the_order_of_trials_changes_no_candidate(order: list[int]) -> None:
    trials = searched(50, 30, 40, 30, 60, 41).trials

    shuffled = study(*(trials[each] for each in order))

    assert [each.number for each in best_trials(shuffled, 4)] == [1, 3, 2, 5]


def test_the_optimum_is_the_winner_and_before_there_is_one_the_best_of_the_search() -> None:
    runs = [PointRun(number, 0, Role.SEARCH, {"x": float(number)}) for number in range(3)]
    record = study(*(trial(run.point, ended(steps), run=run) for run, steps in zip(runs, (50, 30, 40), strict=True)))

    assert optimum(record, SETTINGS) == {"x": 1.0}
    steps: dict[tuple[int, Role], list[int | None]] = {
        (0, Role.CHOOSE): [80],
        (1, Role.CHOOSE): [60, 61],
        (2, Role.CHOOSE): [50, 51],
        (2, Role.REPORT): [50, 51, 52],
    }
    done = confirmed(record, steps)
    found = confirm(done, SETTINGS)
    assert found is not None
    assert found.point == 2
    assert optimum(done, SETTINGS) == {"x": 2.0}
    assert optimum(study(trial(0, UNREACHED)), SETTINGS) is None
