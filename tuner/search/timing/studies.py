"""Which trial of each study is timed, and on what."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.optimum.confirmation import confirm
from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.objective import NamesDevice, Objective, Predictor, TimesSteps, Trainer, make_trainer
from tuner.records import CONFIRMATION, ExperimentRecord, StudyRecord, Timing, TrialRecord
from tuner.search.contract import check_for
from tuner.search.timing.processors import processor
from tuner.search.timing.repetitions import step_seconds, trial_seconds
from tuner.tracebacks import reason_of
from tuner.trial import TrialSpec


def timings(record: ExperimentRecord, objective: Objective, *, device: str) -> Iterator[Timing]:
    """How long a step takes at each batch size, the smallest first: of its winner, or of its best search trial so far.

    Args:
        record: The experiment.
        objective: Its workload.
        device: As torch names it, or `auto`.

    Raises:
        TunerError: Nothing has reached the target or finished, the workload computes its trials instead of training
            them, the device is not there or is full, or the training code raised an error.
    """
    name = record.experiment.name
    if isinstance(objective, Predictor):
        message = f"{record.experiment.kind} computes what its trials measure instead of training them"
        raise TunerError(f"{name}: {message}, so that its steps take no time that could be measured")
    chosen = [(each, timed_trial(each, record.experiment)) for each in record.studies]
    if all(trial is None for _, trial in chosen):
        raise TunerError(f"{name} has no trial yet that {record.experiment.goal.unit.success}; tuner run trains some")
    for study, trial in chosen:
        if trial is not None:
            yield _timing(record.experiment, objective, study.batch_size, trial, device=device)


def timed_trial(study: StudyRecord, experiment: Experiment) -> TrialRecord | None:
    """A trial of the winner, or the best of the search if there is no winner; None if no trial has a score."""
    winner = confirm(study, experiment.confirmation)
    if winner is None:
        return next(iter(best_trials(study, 1)), None)
    of_winner = (each for each in study.finished(*CONFIRMATION) if each.plan.point == winner.point)
    return min(of_winner, key=lambda each: (each.score, each.number), default=None)


def _timing(
    experiment: Experiment, objective: Objective, batch_size: int, trial: TrialRecord, *, device: str
) -> Timing:
    """The time of a step of a trial that trains by itself. Raises `TunerError`."""
    plan = experiment.measuring.plan(experiment.goal, batch_size, reports=False)
    try:
        with closing(make_trainer(objective, batch_size, lanes=1, device=device, plan=plan)) as trainer:
            seconds, has_measuring = _seconds(trainer, experiment, objective, batch_size, trial)
            name = trainer.device_name if isinstance(trainer, NamesDevice) else trainer.device
    except TunerError as error:
        raise TunerError(f"{experiment.name}, batch size {batch_size}: {error}") from error
    except Exception as error:
        raise TunerError(f"{experiment.name}, batch size {batch_size} on {device}: {reason_of(error)}") from error
    return Timing(batch_size, processor() if name == "cpu" else name, seconds, has_measuring, datetime.now(UTC))


def _seconds(
    trainer: Trainer, experiment: Experiment, objective: Objective, batch_size: int, trial: TrialRecord
) -> tuple[tuple[float, ...], bool]:
    """Seconds of a step in each repetition, and whether they hold the time of measuring."""
    assert trial.end is not None
    spec = TrialSpec(trial.plan.seed, trial.plan.hyperparameters)
    if isinstance(trainer, TimesSteps):
        trainer.load(0, spec)
        try:
            return step_seconds(trainer), False
        except NotImplementedError:
            trainer.unload(0)
    check = check_for(objective, owner=experiment.kind, goal=experiment.goal.at(batch_size))
    return trial_seconds(trainer, spec, steps=trial.end.steps, check=check, clock=time.perf_counter), True
