"""Where the candidates of a study come from: its own search, and those of its neighbours."""

from dataclasses import replace

from tests.tuner.synthetic import ended, grown, pending, study
from tuner.analysis.optimum.candidates import LEADERS, MOST_BORROWED, leaders
from tuner.analysis.optimum.confirmation import candidates, confirm, first_runs
from tuner.experiment import ConfirmationSettings
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.records import BORROWED_FROM, Origin, PointRun, Role, Stage, StudyRecord

SETTINGS = ConfirmationSettings(candidates=3, choose_seeds=2, report_seeds=2)
ALONE = replace(SETTINGS, neighbours=False)


def searched(batch_size: int, *steps: int) -> StudyRecord:
    """A search whose points took these steps; a point says where it was found."""
    runs = [PointRun(number, 0, Role.SEARCH, {"x": batch_size + number / 10}) for number in range(len(steps))]
    return grown(study(batch_size=batch_size), runs, lambda run: ended(steps[run.point]))


def opened(record: StudyRecord, steps: dict[int, int]) -> StudyRecord:
    """The same after the first seed of each candidate."""
    return replace(grown(record, first_runs(record, SETTINGS), lambda run: ended(steps[run.point])), stage=Stage.CHOOSE)


def confirmed(record: StudyRecord, studies: tuple[StudyRecord, ...], *, winner: float) -> StudyRecord:
    """The same with the winner that takes the fewest steps: the point found at `winner`."""
    while wanted := pending(record, SETTINGS, studies):
        record = grown(record, wanted, lambda run: ended(20 if run.hyperparameters["x"] == winner else 50))
    return replace(record, stage=Stage.CONFIRMED)


SMALL, OWN, LARGE = searched(8, 90, 80, 70, 60), searched(16, 40, 45), searched(32, 30, 31, 32)


def test_the_first_seed_of_each_own_candidate_runs_before_neighbours_look() -> None:
    wanted = [(each.point, each.repeat, each.role) for each in first_runs(SMALL, SETTINGS)]

    assert wanted == [(3, 1, Role.CHOOSE), (2, 1, Role.CHOOSE), (1, 1, Role.CHOOSE)]


def test_the_leaders_are_ahead_after_one_seed_and_later_seeds_do_not_change_them() -> None:
    small = opened(SMALL, {1: 50, 2: 99, 3: 55})

    assert [each.plan.point for each in leaders(small, SETTINGS)] == [1, 3]
    later = confirmed(small, (), winner=8.3)
    assert [each.plan.point for each in leaders(later, SETTINGS)] == [1, 3]
    assert leaders(SMALL, SETTINGS) == ()


def test_candidates_are_the_own_best_points_and_the_leaders_of_both_neighbours() -> None:
    studies = (opened(SMALL, {1: 50, 2: 99, 3: 55}), OWN, opened(LARGE, {0: 40, 1: 39, 2: 60}), searched(64, 10))

    found = candidates(OWN, studies, SETTINGS)

    assert [(each.point, each.hyperparameters["x"]) for each in found] == [
        (0, 16.0),
        (1, 16.1),
        (BORROWED_FROM, 8.1),
        (BORROWED_FROM + 1, 8.3),
        (BORROWED_FROM + 2, 32.1),
        (BORROWED_FROM + 3, 32.0),
    ]
    assert [each.origin for each in found[:2]] == [None, None]
    assert found[2].origin == Origin(8, 1, 1, ScalingRule.SAME)
    assert candidates(OWN, studies, ALONE) == found[:2]


def test_a_point_of_a_neighbour_keeps_its_number_when_the_other_neighbour_has_none() -> None:
    large = opened(LARGE, {0: 40, 1: 39, 2: 60})

    found = candidates(OWN, (SMALL, OWN, large), SETTINGS)

    assert [each.point for each in found] == [0, 1, BORROWED_FROM + LEADERS, BORROWED_FROM + LEADERS + 1]


def test_a_point_that_was_taken_over_before_keeps_its_number_and_no_other_point_gets_it() -> None:
    small, large = opened(SMALL, {1: 50, 2: 99, 3: 55}), opened(LARGE, {0: 40, 1: 39, 2: 60})
    before = confirmed(OWN, (small, OWN, large), winner=32.1)
    nearer = opened(searched(24, 30, 31), {0: 40, 1: 39})

    found = candidates(before, (small, before, nearer, large), SETTINGS)

    numbers = {each.hyperparameters["x"]: each.point for each in found}
    assert (numbers[8.1], numbers[8.3]) == (BORROWED_FROM, BORROWED_FROM + 1)
    assert {numbers[24.1], numbers[24.0]} == {BORROWED_FROM + 2 + MOST_BORROWED, BORROWED_FROM + 3 + MOST_BORROWED}


def test_a_point_that_the_study_found_itself_is_not_taken_over() -> None:
    twin = searched(16, 40, 45)
    twin = replace(twin, batch_size=32)

    assert len(candidates(OWN, (OWN, opened(twin, {0: 1, 1: 2})), SETTINGS)) == 2


def test_a_neighbours_point_that_wins_is_reported_with_its_origin() -> None:
    studies = (opened(SMALL, {1: 50, 2: 99, 3: 55}), OWN, opened(LARGE, {0: 40, 1: 39, 2: 60}))

    found = confirm(confirmed(OWN, studies, winner=32.1), SETTINGS)

    assert found is not None
    assert found.hyperparameters == {"x": 32.1}
    assert found.origin == Origin(32, 1, 1, ScalingRule.SAME)
    assert (found.score, found.searched) == (20, 40)
    points = [each.point for each in candidates(OWN, studies, SETTINGS)]
    assert found.trial == len(OWN.trials) + points.index(BORROWED_FROM + 2)


def test_where_the_own_search_reached_nothing_a_neighbours_point_may_be_the_optimum() -> None:
    large = opened(LARGE, {0: 40, 1: 39, 2: 60})
    empty = study(batch_size=16)

    found = confirm(confirmed(empty, (large,), winner=32.0), SETTINGS)

    assert found is not None
    assert (found.hyperparameters, found.searched, found.selection_bias) == ({"x": 32.0}, None, None)


def test_a_second_look_races_the_last_winner_and_the_neighbours_winners_on_new_seeds() -> None:
    first = (opened(SMALL, {1: 50, 2: 99, 3: 55}), opened(OWN, {0: 50, 1: 60}), opened(LARGE, {0: 40, 1: 39, 2: 60}))
    small, own, large = (
        confirmed(each, first, winner=winner) for each, winner in zip(first, (8.1, 32.1, 32.0), strict=True)
    )
    again = replace(
        own, round=2, trials=(), earlier=(replace(own, stage=Stage.SEARCH, complete=True),), stage=Stage.SECOND_LOOK
    )
    run = PointRun(7, 0, Role.SEARCH, {"x": 16.7})
    again = grown(again, [run], lambda _: ended(38))
    again = replace(again, trials=tuple(replace(each, round=2) for each in again.trials))

    found = candidates(again, (small, again, large), SETTINGS)

    assert [each.hyperparameters["x"] for each in found] == [16.7, 16.0, 16.1, 32.1, 8.1, 32.0]
    assert found[3].origin == Origin(32, 1, 1, ScalingRule.SAME)
    assert len({each.point for each in found}) == len(found)
    before = confirm(again, SETTINGS)
    assert before is not None
    assert before.hyperparameters == {"x": 32.1}
