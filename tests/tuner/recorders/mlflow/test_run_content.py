"""What a trial and a study are as MLflow runs, before anything is sent."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta, timezone
from itertools import pairwise

from tests.tuner.recorded import POINT, at_second, curve_to, finished_study
from tests.tuner.synthetic import STARTED, digits, ended, study
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.recorders.mlflow.run_content import CURVE_TAG, RunContent, RunStatus, study_run, trial_key, trial_run
from tuner.records import SHOWN, Curve, Origin, TrialEnd
from tuner.trial import Measurement, Outcome

STARTED_MILLISECONDS = 1_767_225_600_000
"""2026-01-01 00:00 UTC."""


def content(end: TrialEnd, curve: Curve, *, number: int = 0) -> RunContent:
    return trial_run(digits(), at_second(number, end), end, curve, batch_size=64, round=1)


def history(run: RunContent, name: str) -> list[tuple[int, float]]:
    return [(each.step, each.value) for each in run.metrics if each.name == name]


def test_a_key_names_experiment_batch_size_round_and_trial() -> None:
    assert trial_key(digits(), batch_size=64, round=1, number=17) == "digits/batch_size=64/round=1/trial=17"


def test_a_run_is_timed_by_its_trial() -> None:
    run = content(ended(30), curve_to(ended(30), 3), number=5)

    assert (run.started, run.ended) == (STARTED_MILLISECONDS + 5_000, STARTED_MILLISECONDS + 6_000)


def test_measurements_are_timed_in_proportion_to_their_steps() -> None:
    run = content(ended(30), curve_to(ended(30), 3))
    times = [(each.step, each.milliseconds - STARTED_MILLISECONDS) for each in run.metrics if each.name == "test/error"]

    assert times == [(10, 333), (20, 666), (30, 1000)]


def test_a_curve_of_as_many_measurements_is_whole() -> None:
    curve = tuple(Measurement(step, {"train/loss": 1 / step}) for step in range(1, SHOWN + 1))

    assert history(content(ended(SHOWN), curve), "train/loss") == [(step, 1 / step) for step in range(1, SHOWN + 1)]


def test_a_curve_is_whole_if_so_many_points_are_asked_for_and_its_values_come_in_order_of_steps() -> None:
    curve = tuple(Measurement(step, {"train/loss": 1 / step, "test/error": 2 / step}) for step in range(1, 101))
    end = ended(100)
    run = trial_run(digits(), at_second(0, end), end, curve, batch_size=64, round=1, points=100)
    steps = [each.step for each in run.metrics]

    assert history(run, "train/loss") == [(step, 1 / step) for step in range(1, 101)]
    assert steps == sorted(steps)
    assert CURVE_TAG not in run.tags


def test_a_run_says_how_much_of_its_curve_it_has() -> None:
    curve = tuple(Measurement(step, {"train/loss": 1 / step}) for step in range(1, 101))

    assert content(ended(100), curve).tags[CURVE_TAG] == str(SHOWN)


def test_studies_and_trials_carry_the_workload_but_no_setting_that_may_grow() -> None:
    of_study = study_run(digits(), finished_study(64, [at_second(0, ended(30))])).parameters
    of_trial = content(ended(30), ()).parameters
    workload = {
        "workload": "classification",
        "data": "digits",
        "model": "mlp",
        "optimizer": "heavy_ball",
        "schedule": "linear_decay",
        "goal": "validation/error below 0.03",
        "sampler": "tpe",
    }

    assert of_study == workload | {"model.hidden": "[128]", "batch_size": "64"}
    assert of_trial == workload | {"batch_size": "64"} | {name: str(value) for name, value in POINT.items()}


def test_a_longer_curve_is_thinned_evenly_and_keeps_its_ends() -> None:
    curve = tuple(Measurement(step, {"train/loss": 1 / step}) for step in range(1, 1001))
    steps = [step for step, _ in history(content(ended(1000), curve), "train/loss")]

    assert len(steps) == SHOWN
    assert (steps[0], steps[-1]) == (1, 1000)
    assert {later - earlier for earlier, later in pairwise(steps)} == {111}


def test_a_trial_without_a_curve_has_its_final_metrics() -> None:
    assert history(content(ended(30), ()), "validation/error") == [(30, 0.025)]


def test_a_point_taken_from_another_batch_size_is_tagged_with_its_origin() -> None:
    plain = at_second(0, ended(30))
    origin = Origin(128, 1, 17, ScalingRule.LINEAR)
    taken = replace(plain, plan=replace(plain.plan, origin=origin))
    tags = [trial_run(digits(), each, ended(30), (), batch_size=64, round=1).tags for each in (plain, taken)]

    assert [each.get("origin") for each in tags] == [None, "batch size 128, linear scaling"]


def test_only_a_trial_that_reached_the_target_has_steps_to_target() -> None:
    censored = content(ended(80, outcome=Outcome.CENSORED), ())

    assert history(content(ended(30), ()), "steps_to_target") == [(30, 30.0)]
    assert history(censored, "steps_to_target") == []
    assert history(censored, "steps_spent") == [(80, 80.0)]


def test_a_study_is_summed_up_and_timed_by_its_trials() -> None:
    ends = [ended(40), ended(30), ended(60, outcome=Outcome.CENSORED), ended(24, outcome=Outcome.INFEASIBLE)]
    run = study_run(digits(), finished_study(64, [at_second(number, end) for number, end in enumerate(ends)]))

    assert {each.name: each.value for each in run.metrics} == {
        "best_steps": 30,
        "trials": 4,
        "trials_achieved": 2,
        "trials_censored": 1,
        "trials_infeasible": 1,
        "trials_error": 0,
        "steps_spent": 154,
    }
    assert run.status is RunStatus.FINISHED
    assert (run.started, run.ended) == (STARTED_MILLISECONDS, STARTED_MILLISECONDS + 4_000)


def test_a_study_that_nobody_finished_is_killed() -> None:
    assert study_run(digits(), study(at_second(0, ended(30)))).status is RunStatus.KILLED


def test_a_time_in_another_zone_is_the_same_time() -> None:
    trial = at_second(0, ended(30))
    moved = replace(trial, started=STARTED.astimezone(timezone(timedelta(hours=5))))
    run = trial_run(digits(), moved, ended(30), (), batch_size=64, round=1)

    assert run.started == STARTED_MILLISECONDS


def test_the_recorders_are_imported_without_mlflow() -> None:
    code = "import sys, tuner.recorders.mlflow.recorder, tuner.recorders.mlflow.sync; sys.exit('mlflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_metric_that_is_measured_now_and_then_is_shown_where_it_was_and_estimates_say_what_they_rest_on() -> None:
    curve = tuple(
        Measurement(
            step,
            {"validation/error": 1 / step} | ({"test/error": 2 / step} if step % 300 == 1 else {}),
            {"validation/error": 512} if step < 900 else {},
        )
        for step in range(1, 1001)
    )
    run = content(ended(1000), curve)

    assert history(run, "test/error") == [(step, 2 / step) for step in (1, 301, 601, 901)]
    assert history(run, "validation/error")[-1] == (1000, 1 / 1000)
    assert {value for _, value in history(run, "examples")} == {512}
    assert max(step for step, _ in history(run, "examples")) == 899
