"""Where the studies of a run stand, counted from its events, and the words for it."""

from dataclasses import replace

import pytest

from tests.tuner.recorded import POINT, at_second, finished, finished_study, recorded, started, widened
from tests.tuner.synthetic import digits, ended, study, trial
from tuner.recorders import Event, StudyAdvanced, StudyFinished, StudyStarted, TrialFinished
from tuner.recorders.progress.status import RunProgress, StudyState, duration, headline, remaining
from tuner.records import PointRun, Role, TrialRecord
from tuner.trial import Outcome

ALONE, BESIDE, BETWEEN = 50 + 6 + 3 + 2 * 2 + 5, 50 + 8 + 4 + 2 * 2 + 5, 50 + 10 + 5 + 3 * 2 + 5
"""What is planned for a study without a neighbour, with one, and with two: points, a race in heats, and reports."""


def chosen(number: int) -> TrialRecord:
    """A trial that confirms point 0."""
    return trial(number, ended(20), run=PointRun(0, number, Role.CHOOSE, POINT))


class TestRunProgress:
    def test_plans_the_search_and_all_of_the_confirmation(self) -> None:
        run = RunProgress(digits(batch_sizes=[128, 64]), now=0.0)

        assert [(each.batch_size, each.planned) for each in run.studies.values()] == [
            (64, BESIDE),
            (128, BESIDE),
        ]
        assert run.planned == 2 * BESIDE
        assert {each.state for each in run.studies.values()} == {StudyState.WAITING}

    def test_counts_trials_steps_and_the_fewest_steps_of_a_search_trial(self) -> None:
        run = RunProgress(digits(batch_sizes=[64]), now=0.0)
        events: list[Event] = [
            started(64),
            StudyAdvanced(64, 200),
            finished(64, 0, steps=20, outcome=Outcome.CENSORED),
            finished(64, 1, steps=40),
            StudyAdvanced(64, 23),
            finished(64, 2, steps=60),
            TrialFinished(64, 1, chosen(3), ()),
        ]
        for event in events:
            run.apply(event, now=0.0)

        status = run.studies[64]
        assert (status.done, status.searched, status.steps, status.best) == (4, 3, 223, 40)
        assert status.state is StudyState.CONFIRMING

    def test_a_round_adds_its_points_to_what_is_planned(self) -> None:
        run = RunProgress(digits(batch_sizes=[64]), now=0.0)
        (first,) = widened(recorded(batch_sizes=(64,))).record.studies[0].earlier
        later = replace(study(batch_size=64), round=2, earlier=(first,))
        run.apply(StudyStarted(later, "worker-0"), now=0.0)

        status = run.studies[64]
        assert (status.planned, status.points, status.done) == (ALONE + 30, 80, 4)
        assert (status.activity, run.studies[64].left) == ("searching, round 2", ALONE + 26)

    def test_a_study_that_goes_on_starts_from_what_is_there(self) -> None:
        run = RunProgress(digits(batch_sizes=[64]), now=0.0)
        there = (at_second(0, ended(40)), trial(1, None), at_second(2, ended(30)))
        run.apply(started(64, *there), now=0.0)

        status = run.studies[64]
        assert (status.done, status.steps, status.best) == (2, 70, 30)

    def test_a_study_confirms_from_the_first_trial_of_that_and_is_done_with_the_trials_it_needed(self) -> None:
        run = RunProgress(digits(batch_sizes=[64]), now=0.0)
        searched = [at_second(number, ended(40)) for number in range(50)]
        run.apply(started(64, *searched), now=0.0)
        before = run.studies[64].state  # sides may still be probed
        run.apply(TrialFinished(64, 1, chosen(50), ()), now=0.0)
        after = run.studies[64].state
        run.apply(StudyFinished(finished_study(64, [*searched, chosen(50)])), now=0.0)

        status = run.studies[64]
        assert (before, after) == (StudyState.SEARCHING, StudyState.CONFIRMING)
        assert status.state is StudyState.DONE
        assert (status.done, status.planned, status.left) == (51, 51, 0)

    def test_estimates_nothing_before_five_trials(self) -> None:
        run = RunProgress(digits(batch_sizes=[64]), now=0.0)
        run.apply(started(64, *(at_second(number, ended(40)) for number in range(20))), now=10.0)
        for number in range(20, 24):
            run.apply(finished(64, number), now=12.0)

        assert run.time_left() is None

    def test_the_time_left_is_the_pace_times_what_is_left(self) -> None:
        run = RunProgress(digits(batch_sizes=[64]), now=0.0)
        run.apply(started(64), now=10.0)
        for number in range(10):
            run.apply(finished(64, number), now=10.0 + 2 * (number + 1))

        assert run.time_left() == pytest.approx(2 * (ALONE - 10))

    def test_waiting_studies_take_the_pace_of_the_nearest_and_are_shared_by_the_workers(self) -> None:
        run = RunProgress(digits(batch_sizes=[16, 32, 512]), now=0.0)
        run.apply(started(32), now=0.0)
        run.apply(started(512), now=0.0)
        for number in range(10):
            run.apply(finished(512, number), now=5.0)
            run.apply(finished(32, number), now=20.0)

        assert run.time_left() == pytest.approx((2.0 * (BETWEEN - 10) + 0.5 * (BESIDE - 10) + 2.0 * BESIDE) / 2)

    def test_one_study_alone_takes_as_long_as_it_takes(self) -> None:
        run = RunProgress(digits(batch_sizes=[32, 512]), now=0.0)
        run.apply(started(32), now=0.0)
        run.apply(started(512), now=0.0)
        for number in range(10):
            run.apply(finished(512, number), now=1.0)
            run.apply(finished(32, number), now=100.0)

        assert run.time_left() == pytest.approx(10.0 * (BESIDE - 10))


class TestWords:
    def test_the_headline_says_what_is_run(self) -> None:
        assert headline(digits()) == "digits: validation/error < 0.03 within 4,000 steps, at 10 batch sizes"
        assert headline(digits(batch_sizes=[64])).endswith("at batch size 64")

    @pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00")])
    def test_a_duration_reads_like_a_clock(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (None, "estimating time left"),
            (3.0, "a few seconds left"),
            (61.0, "about 1:05 left"),
            (301.0, "about 5:30 left"),
        ],
    )
    def test_an_estimate_is_no_more_exact_than_it_is(self, seconds: float | None, text: str) -> None:
        assert remaining(seconds) == text
