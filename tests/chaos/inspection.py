"""What is wrong in a store, and in MLflow, after all has been let alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tuner.analysis.optimum.confirmation import candidates, pending
from tuner.recorders.mlflow.run_content import TRIAL_TAG, trial_run
from tuner.recorders.mlflow.runs import Tracking
from tuner.records import Curve, ExperimentRecord, Role, StudyRecord, TrialRecord, TrialState
from tuner.stores import Store


@dataclass(slots=True)
class Found:
    """What went wrong. Every number should be zero."""

    lost: int = 0
    duplicated: int = 0
    running: int = 0
    incomplete_curves: int = 0
    mlflow_mismatches: int = 0

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def is_clean(self) -> bool:
        return not any(self.to_json().values())


def inspect(found: Found, store: Store) -> None:
    """Count what is wrong in a store."""
    for name in store.names():
        record = store.record(name)
        for study in record.studies:
            curves = {each.round: store.curves(name, study.batch_size, round=each.round) for each in study.rounds}
            finished = study.finished(*Role)
            runs = Counter((each.round, each.plan.role, each.plan.point, each.plan.repeat) for each in finished)
            found.lost += _missing(record, study)
            found.duplicated += sum(runs.values()) - len(runs)
            found.running += sum(each.state is TrialState.RUNNING for each in study.all_trials(*Role))
            found.incomplete_curves += sum(not _is_whole(each, curves[each.round]) for each in finished)


def _missing(record: ExperimentRecord, study: StudyRecord) -> int:
    """Trials of a study's budget that have no result, or more than it allows."""
    searched = len({each.plan.point for each in study.finished(Role.SEARCH)})
    asked = abs(record.experiment.search.points_by(study.round, second_look=study.is_second_look) - searched)
    settings = record.experiment.confirmation
    left = pending(study, candidates(study, record.studies, settings), settings)
    return asked + len(left) + (not study.complete) + bool(study.error)


def _is_whole(trial: TrialRecord, curves: Mapping[int, Curve]) -> bool:
    """Whether a trial has a measurement at every step it was trained for: the toy measures each."""
    steps = [each.step for each in curves.get(trial.number, ())]
    return trial.end is not None and steps == list(range(1, trial.end.spent + 1))


def mismatches(store: Store, name: str, *, tracking_uri: str) -> int:
    """Trials that MLflow has not once, whole and as the store has them; and runs of what are none."""
    record = store.record(name)
    runs: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for each in Tracking(tracking_uri, name, store).runs(TRIAL_TAG):
        runs.setdefault(each.tags[TRIAL_TAG], []).append((each.status, dict(each.metrics)))
    wrong = 0
    for study in record.studies:
        for one in study.rounds:
            curves = store.curves(name, one.batch_size, round=one.round)
            for trial in one.finished(*Role):
                assert trial.end is not None
                content = trial_run(
                    record.experiment,
                    trial,
                    trial.end,
                    curves[trial.number],
                    batch_size=one.batch_size,
                    round=one.round,
                )
                last = {each.name: each.value for each in content.metrics}
                wrong += runs.pop(content.tags[TRIAL_TAG], []) != [(content.status, last)]
    return wrong + len(runs)


def runs_of_trials(tracking_uri: str) -> int:
    """How many runs of trials MLflow has in all its experiments, whosever they are."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    count, token = 0, None
    while True:
        page = client.search_runs(ids, filter_string=f"tags.`{TRIAL_TAG}` LIKE '%'", page_token=token)
        count += len(page)
        token = page.token
        if not token:
            return count
