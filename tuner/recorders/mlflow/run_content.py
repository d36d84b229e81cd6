"""Studies and trials as MLflow runs: names, tags, parameters and metrics. Values only; `runs` sends them.

All values follow from the record, metric timestamps included. Sending a run twice therefore stores it once.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.recorders.mlflow.workload import part_settings, workload_parameters
from tuner.records import PROTOCOL, SHOWN, Curve, StudyRecord, TrialEnd, TrialPlan, TrialRecord, shown, study_name
from tuner.trial import Measurement, Outcome

TRIAL_TAG = "tuner.trial"
"""The tag that says which trial a run is."""
STUDY_TAG = "tuner.study"
"""The tag that says which study a run is."""
DIGEST_TAG = "tuner.experiment"
"""The tag that tells apart experiments of one name in different stores: their settings' digest."""
DOUBT_TAG = "tuner.doubt"
"""The tag of a study's run that says why its optimum does not fit those of other batch sizes; empty if it does."""
REPORT_TAG = "tuner.report"
"""The tag of the run that holds an experiment's report: the digest of what it holds."""
COMPLETE_TAG = "complete"
"""The tag that says whether a study's run holds its answer: `true`, `false`, or `superseded` by its next round."""
CURVE_TAG = "tuner.curve"
"""The tag of a trial's run that has a part of the trial's curve: how many measurements of each metric."""


class RunStatus(StrEnum):
    """The status of a run, in MLflow's words."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    KILLED = "KILLED"


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One value of a metric, at a gradient step and a time in UTC milliseconds."""

    name: str
    value: float
    step: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class RunContent:
    """A whole MLflow run, but for its parent.

    Attributes:
        started, ended: UTC milliseconds.
    """

    name: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: tuple[MetricValue, ...]
    status: RunStatus
    started: int
    ended: int


def trial_key(experiment: Experiment, *, batch_size: int, round: int, number: int) -> str:
    """Names a trial among all runs: `digits/batch_size=64/round=1/trial=17`."""
    return f"{study_name(experiment.name, batch_size, round)}/trial={number}"


def study_run(experiment: Experiment, study: StudyRecord) -> RunContent:
    """A round of a study as a run: how many trials of which outcome, and what the best came to. Timed by them.

    Extra trials are runs below it, and change nothing of it.

    Its tag `complete` says `false` until the answer is brought (`tuner.recorders.mlflow.answers`).

    A round that is not complete is `KILLED`: nobody is known to search it, and running the experiment again goes on.

    Raises:
        ValueError: The round has no finished trial, so that nothing says when it was.
    """
    alone = study.rounds[-1]
    trials = alone.finished(*PROTOCOL)
    if not trials:
        raise ValueError(f"batch size {study.batch_size} has no finished trial to make a run of")
    ended = max(utc_milliseconds(each.ended or each.started) for each in trials)
    return RunContent(
        name=_name(study.batch_size, study.round),
        tags={STUDY_TAG: study_name(experiment.name, study.batch_size, study.round), COMPLETE_TAG: "false"}
        | _study_tags(experiment, batch_size=study.batch_size, round=study.round),
        parameters=workload_parameters(experiment) | part_settings(experiment) | {"batch_size": str(study.batch_size)},
        metrics=tuple(
            MetricValue(name, value, 0, ended) for name, value in _study_metrics(alone, experiment.goal.unit).items()
        ),
        status=RunStatus.FINISHED if study.complete else RunStatus.KILLED,
        started=min(utc_milliseconds(each.started) for each in trials),
        ended=ended,
    )


def trial_run(
    experiment: Experiment,
    trial: TrialRecord,
    end: TrialEnd,
    curve: Curve,
    *,
    batch_size: int,
    round: int,
    points: int = SHOWN,
) -> RunContent:
    """A finished trial as a run, with its curve. One of more than `points` measurements is thinned; the store has all.

    `examples` is a metric, too: on how many examples the validation metrics at a step rest, where these are not all.

    A measurement's time is placed between start and end in proportion to its step. Values that are not finite are left
    out: MLflow would store infinity as 1.8e308 and draw it; that the trial diverged is in its `outcome`.
    """
    plan = trial.plan
    started, ended = utc_milliseconds(trial.started), utc_milliseconds(trial.ended or trial.started)
    came_to = _end_metrics(end, batch_size, experiment.goal.unit)
    return RunContent(
        name=f"{_name(batch_size, round)} trial={trial.number}",
        tags={
            TRIAL_TAG: trial_key(experiment, batch_size=batch_size, round=round, number=trial.number),
            **_study_tags(experiment, batch_size=batch_size, round=round),
            "outcome": end.outcome.value,
            **_plan_tags(plan),
            **({CURVE_TAG: str(points)} if len(curve) > points else {}),
        },
        parameters=workload_parameters(experiment)
        | {"batch_size": str(batch_size)}
        | {key: str(value) for key, value in plan.hyperparameters.items()},
        metrics=(
            *_curve_metrics(curve or (Measurement(end.spent, end.final),), points, started=started, ended=ended),
            *(MetricValue(name, value, end.spent, ended) for name, value in came_to.items()),
        ),
        status=RunStatus.FINISHED,
        started=started,
        ended=ended,
    )


def _plan_tags(plan: TrialPlan) -> dict[str, str]:
    """What a trial was run for, and where."""
    origin = {} if plan.origin is None else {"origin": plan.origin.phrase}
    return (
        {"role": plan.role.value}
        | origin
        | {
            "point": str(plan.point),
            "repeat": str(plan.repeat),
            "seed": str(plan.seed),
            "lanes": str(plan.lanes),
            "device": plan.device,
        }
    )


def _name(batch_size: int, round: int) -> str:
    """What runs of a round are called. The round is left out if it is the first."""
    return f"batch_size={batch_size}" if round == 1 else f"batch_size={batch_size} round={round}"


def _study_tags(experiment: Experiment, *, batch_size: int, round: int) -> dict[str, str]:
    """What a study's run and its trials' runs can be found by."""
    return {
        "study": study_name(experiment.name, batch_size, round),
        "batch_size": str(batch_size),
        "round": str(round),
        "metric": experiment.goal.metric,
        DIGEST_TAG: experiment.digest,
    }


def _curve_metrics(curve: Curve, points: int, *, started: int, ended: int) -> Iterator[MetricValue]:
    """The finite values of a curve that are shown, in order of steps, so that a metric's latest value is its last."""
    names = sorted({name for each in curve for name in each.metrics})
    chosen = {name: shown([each for each in curve if name in each.metrics], points) for name in names}
    values = [(each.step, name, each.metrics[name]) for name, of_name in chosen.items() for each in of_name]
    partial = shown([each for each in curve if each.partial], points)
    values += [(each.step, "examples", each.examples) for each in partial if each.examples is not None]
    for step, name, value in sorted(values, key=lambda each: each[:2]):
        if math.isfinite(value):
            yield MetricValue(name, float(value), step, started + (ended - started) * step // curve[-1].step)


def _end_metrics(end: TrialEnd, batch_size: int, unit: ScoreUnit) -> dict[str, float]:
    """What a trial came to. `steps_to_target`, or the best value with its step, is left out where there is none."""
    if not math.isfinite(end.score):
        reached = {}
    elif unit.counts_steps:
        reached = {"steps_to_target": float(end.steps)}
    else:
        reached = {"best_value": unit.value(end.score), "best_step": float(end.steps)}
    return reached | {
        "steps_spent": float(end.spent),
        "examples_spent": float(end.spent * batch_size),
        "steps_limit": float(end.limit),
        "search_loss": end.loss,
    }


def _study_metrics(study: StudyRecord, unit: ScoreUnit) -> dict[str, float]:
    """What a study came to so far. `best_steps` or `best_value` is left out where no search trial has a score."""
    trials = study.finished(*PROTOCOL)
    ends = [each.end for each in trials if each.end is not None]
    best = {} if study.incumbent is None else {f"best_{unit.key}": float(unit.value(study.incumbent))}
    foreign = {Outcome.ACHIEVED, Outcome.FINISHED} - {unit.outcome}
    known = [each for each in Outcome if each not in foreign]
    counts = {f"trials_{outcome}": float(sum(end.outcome is outcome for end in ends)) for outcome in known}
    return best | counts | {"trials": float(len(ends)), "steps_spent": float(sum(end.spent for end in ends))}


def utc_milliseconds(time: datetime) -> int:
    """UTC milliseconds since 1970, as MLflow counts."""
    return round(time.timestamp() * 1000)
