"""Whose runs are whose: several stores may use one MLflow, and hold experiments of one name.

Each run and each experiment in MLflow carries the identity of its store. The first store that brings an experiment of a
name has that name in MLflow; another's is called `digits (store 1a2b3c4d)`, because the description, the report and the
overview of an MLflow experiment are about one store's results. Runs of earlier versions carry no identity: they belong
to the store whose trials they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tuner.recorders.mlflow.connection import Connection, artifact_location
from tuner.recorders.mlflow.run_content import (
    DIGEST_TAG,
    REPORT_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    trial_key,
    utc_milliseconds,
)
from tuner.records import ExperimentRecord, TrialRecord, study_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run
    from mlflow.store.entities.paged_list import PagedList

STORE_TAG = "tuner.store"
"""The tag of runs and experiments that says which store they are of: its identity."""

KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""MLflow's tag for what its pages are about: training, where they would otherwise ask for a language model's traces."""

ACTIVE = "active"
"""MLflow's word for what nobody has deleted."""

SHOWN_OF_IDENTITY = 8
"""Characters of an identity that people are shown."""

PAGE = 1_000
"""Runs asked for at once."""


class Source(Protocol):
    """The store whose runs are brought to MLflow."""

    def identity(self) -> str:
        """What tells it from all others."""
        ...

    def record(self, name: str) -> ExperimentRecord:
        """What it holds of an experiment. Raises `StoreError`."""
        ...


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as MLflow has it.

    Attributes:
        status: As MLflow calls it.
        started: UTC milliseconds.
        metrics: The latest value of each.
        is_deleted: Whether somebody has deleted it; MLflow keeps it out of sight.
    """

    run_id: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    status: str
    started: int
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Home:
    """The MLflow experiment that holds a store's runs of one experiment.

    Attributes:
        experiment_id, name, tags: MLflow's, when it was found.
        is_deleted: Whether somebody has deleted it.
        is_shared: Whether it is another store's, and runs that an earlier version brought there are this one's.
    """

    experiment_id: str
    name: str
    tags: Mapping[str, str]
    is_deleted: bool = False
    is_shared: bool = False


class Ownership:
    """Tells which runs are a store's.

    Args:
        store: Whose. Its record is read only if there are runs of earlier versions.
        name: The experiment's.
    """

    def __init__(self, store: Source, name: str) -> None:
        self.identity = store.identity()
        self.name = name
        self._store = store
        self._record: ExperimentRecord | None = None
        self._trials: dict[tuple[str, int], TrialRecord] = {}
        self._starts: dict[str, set[int]] = {}

    def has(self, run: StoredRun) -> bool:
        """Whether a run is the store's: it says so, or says nothing and is one of the store's trials or rounds."""
        if STORE_TAG in run.tags:
            return run.tags[STORE_TAG] == self.identity
        self._read()
        if TRIAL_TAG in run.tags:
            trial = self._trials.get((run.tags[TRIAL_TAG], run.started))
            return trial is not None and _agree(run, trial)
        return self._is_round(run)

    @property
    def is_new(self) -> bool:
        """Whether the store has no trials of the experiment, so that no earlier version can have brought any."""
        self._read()
        return not self._trials

    def _is_round(self, run: StoredRun) -> bool:
        """Whether a run is a round of a study: it began with one of the round's trials."""
        digest = self._record.experiment.digest if self._record is not None else ""
        return run.tags.get(DIGEST_TAG) == digest and run.started in self._starts.get(run.tags.get(STUDY_TAG, ""), ())

    def _read(self) -> None:
        """Read the record, once."""
        if self._record is not None:
            return
        self._record = self._store.record(self.name)
        experiment = self._record.experiment
        for study in (each for one in self._record.studies for each in one.rounds):
            place = {"batch_size": study.batch_size, "round": study.round}
            for trial in study.trials:
                began = utc_milliseconds(trial.started)
                self._trials[trial_key(experiment, number=trial.number, **place), began] = trial
                self._starts.setdefault(study_name(experiment.name, **place), set()).add(began)


def shown_identity(identity: str) -> str:
    """A store as people are told of it.

    >>> shown_identity("1a2b3c4d5e6f")
    'store 1a2b3c4d'
    """
    return f"store {identity[:SHOWN_OF_IDENTITY]}"


def own_name(name: str, identity: str) -> str:
    """What an experiment is called in MLflow whose name another store has there.

    >>> own_name("digits", "1a2b3c4d5e6f")
    'digits (store 1a2b3c4d)'
    """
    return f"{name} ({shown_identity(identity)})"


def name_is_taken(name: str, own: str) -> str:
    """What a person is told whose experiment has another name in MLflow."""
    return f"in MLflow {name} holds runs that this store does not have; its own are in `{own}`"


def find_home(connection: Connection, ownership: Ownership) -> Home:
    """The MLflow experiment for a store's runs; made if there is none. Raises `RecorderError`."""
    name, identity = ownership.name, ownership.identity
    plain = _by_name(connection, name)
    if plain is not None and plain.tags.get(STORE_TAG) == identity:
        return plain
    own = _by_name(connection, own_name(name, identity))
    if own is not None:
        return own
    if plain is None:
        return _make(connection, name, ownership)
    others = Home(plain.experiment_id, plain.name, plain.tags, plain.is_deleted, is_shared=True)
    is_free = STORE_TAG not in plain.tags
    if not is_free and plain.is_deleted:
        return _make(connection, own_name(name, identity), ownership)
    is_empty = True
    for run in _runs_of_any_store(connection, plain):
        if ownership.has(run):
            return plain if is_free else others
        is_empty = False
        if ownership.is_new:
            break
    return plain if is_free and is_empty else _make(connection, own_name(name, identity), ownership)


def find_runs(connection: Connection, experiment_id: str, condition: str, *, deleted: bool) -> Iterator[StoredRun]:
    """The runs for which a condition holds in MLflow's language, oldest first. Raises `RecorderError`."""
    token: str | None = None
    while True:
        page = connection.ask(partial(_page_of_runs, experiment_id, condition, token, deleted))
        yield from map(as_stored, page)
        token = page.token
        if not token:
            return


def _page_of_runs(
    experiment_id: str, condition: str, token: str | None, deleted: bool, client: "MlflowClient"
) -> "PagedList[Run]":
    """The runs that one request brings."""
    from mlflow.entities import ViewType

    return client.search_runs(
        [experiment_id],
        filter_string=condition,
        run_view_type=ViewType.ALL if deleted else ViewType.ACTIVE_ONLY,
        max_results=PAGE,
        order_by=["attributes.start_time ASC"],
        page_token=token,
    )


def as_stored(run: "Run") -> StoredRun:
    """A run as MLflow's client returns it."""
    return StoredRun(
        run_id=run.info.run_id,
        tags=run.data.tags,
        parameters=run.data.params,
        metrics=run.data.metrics,
        status=run.info.status,
        started=run.info.start_time,
        is_deleted=run.info.lifecycle_stage != ACTIVE,
    )


def _agree(run: StoredRun, trial: TrialRecord) -> bool:
    """Whether a run holds nothing that a trial has not: a run that a killed process left holds little."""
    given = {"seed": str(trial.plan.seed), "point": str(trial.plan.point), "repeat": str(trial.plan.repeat)}
    values = {name: str(value) for name, value in trial.plan.hyperparameters.items()}
    spent = None if trial.end is None else trial.end.spent
    return (
        all(run.tags.get(name, value) == value for name, value in given.items())
        and all(run.parameters.get(name, value) == value for name, value in values.items())
        and run.metrics.get("steps_spent", spent) == spent
    )


def _runs_of_any_store(connection: Connection, home: Home) -> Iterator[StoredRun]:
    """The runs that any version of ours has brought to an MLflow experiment: studies, which are few, come first."""
    for tag in (STUDY_TAG, TRIAL_TAG, REPORT_TAG):
        yield from find_runs(connection, home.experiment_id, f"tags.`{tag}` LIKE '%'", deleted=True)


def _by_name(connection: Connection, name: str) -> Home | None:
    found = connection.ask(lambda client: client.get_experiment_by_name(name))
    return None if found is None else _home(found)


def _home(found: "Experiment") -> Home:
    return Home(str(found.experiment_id), found.name, found.tags, is_deleted=found.lifecycle_stage != ACTIVE)


def _make(connection: Connection, name: str, ownership: Ownership) -> Home:
    """A new experiment in MLflow; that which another process has just made, if one has."""
    from mlflow.exceptions import MlflowException

    tags = {KIND_TAG: KIND, STORE_TAG: ownership.identity}
    location = artifact_location(connection.tracking_uri, name)

    def make(client: "MlflowClient") -> str | None:
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=tags))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return None

    made = connection.ask(make)
    return find_home(connection, ownership) if made is None else Home(made, name, tags)
