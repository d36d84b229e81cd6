"""The store in a relational database: Optuna's tables, for Optuna and its dashboard, and our own beside them."""

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime

import optuna
from alembic.util import CommandError
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, insert, select, update

from tuner.errors import StoreError, StoreUnreachable
from tuner.experiment import Experiment
from tuner.experiment.growth import Difference, differences, grown
from tuner.records import EVERYTHING, Curve, ExperimentRecord, ExperimentState, Holder, Timing, Wanted
from tuner.stores import Listener, OpenStudy
from tuner.stores.checking import UNREADABLE
from tuner.stores.database import Database, store_errors
from tuner.stores.relational.claims import StudyClaim
from tuner.stores.relational.deletion import delete_experiment, forget_errors, forget_errors_of
from tuner.stores.relational.growing import FIRST_ROUND, grow, insert_studies
from tuner.stores.relational.optunas import open_optuna_study, optuna_errors
from tuner.stores.relational.reading import (
    StoredExperiment,
    claimed_studies,
    experiment_id,
    experiment_names,
    find_experiment,
    find_rounds,
    lock_name,
    open_studies,
)
from tuner.stores.relational.record_reader import RecordReader, refuse_damaged
from tuner.stores.relational.tables import experiment, ours, study
from tuner.stores.relational.timings import insert_timing
from tuner.stores.relational.upgrades import refuse_newer, stored_version, upgrade
from tuner.stores.retries import Patience
from tuner.stores.urls import for_optuna, visible

log = logging.getLogger(__name__)

DEATHS = 5
"""Workers that a study may kill in a row, before one has finished a trial of it, until it is set aside."""
DIFFERENCES_SHOWN = 5
ORPHANED = "orphaned: its worker ended without a word"


class RelationalStore:
    """A store in a database. Makes its tables if they are not there.

    Raises:
        StoreError: The database cannot be reached, holds something else, or was written by a newer version.
    """

    def __init__(self, database: Database) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._database = database
        doing = f"the store {visible(database.location)} cannot be opened"
        with store_errors(doing, advice=database.advice), optuna_errors(), database.lock("open", wait=True):
            _refuse_newer(database)
            self._storage = _open_optuna(database)
            # Optuna's engine is ours too: a worker holds two connections, this engine's and its claim's.
            self._engine = self._storage.engine
            self._reader = RecordReader(database, self._engine)
            with self._engine.begin() as connection:
                ours.create_all(connection)
                upgrade(connection)

    @property
    def url(self) -> str:
        return visible(self._database.location)

    @property
    def optuna_url(self) -> str:
        return for_optuna(self._database.location)

    def submit(self, submitted: Experiment) -> Sequence[str]:
        with self._errors(), self._database.lock("submit", wait=True):
            with self._engine.connect() as connection:
                stored = find_experiment(connection, submitted.name)
            if stored is None:
                self._insert(submitted)
                return ()
            found = differences(stored.settings, submitted)
            _refuse_other(submitted.name, [each for each in found if not each.adds])
            _refuse_cancelled(submitted.name, stored.state)
            return self._grow(stored, submitted, [each.addition for each in found])

    def names(self) -> Sequence[str]:
        with self._errors(), self._engine.connect() as connection:
            return experiment_names(connection)

    def identity(self) -> str:
        return self._reader.identity()

    def record(self, name: str) -> ExperimentRecord:
        found = self._reader.read(name)
        refuse_damaged(found.studies)
        return found

    def curves(
        self, name: str, batch_size: int, *, round: int = FIRST_ROUND, wanted: Wanted = EVERYTHING
    ) -> Mapping[int, Curve]:
        return self._reader.curves(name, batch_size, round=round, wanted=wanted)

    def set_state(self, name: str, state: ExperimentState) -> None:
        with self._errors(), self._engine.begin() as connection:
            one = experiment.c.experiment_id == experiment_id(connection, name, url=self.url)
            if state is not ExperimentState.CANCELLED:
                _refuse_cancelled(name, connection.scalar(select(experiment.c.state).where(one)))
            connection.execute(update(experiment).where(one).values(state=state))
            self._database.announce(connection)

    def add_timing(self, name: str, timing: Timing) -> None:
        with self._errors(), self._engine.begin() as connection:
            insert_timing(connection, experiment_id(connection, name, url=self.url), timing)

    def reopen(self, name: str) -> None:
        with self._errors(), self._engine.begin() as connection:
            key = experiment_id(connection, name, url=self.url)
            forget_errors(connection, key)
            connection.execute(update(study).where(study.c.experiment_id == key).values(error=None))
            self._database.announce(connection)

    def forget_errors(self, name: str, batch_size: int, trials: Collection[tuple[int, int]]) -> None:
        with self._errors(), self._engine.begin() as connection:
            _, rounds = find_rounds(connection, name, batch_size, url=self.url)
            found = [(each.study_id, number) for each in rounds for of, number in trials if of == each.round]
            forget_errors_of(connection, found)
            self._database.announce(connection)

    def delete(self, name: str) -> None:
        with ExitStack() as held, self._errors(), self._database.lock("submit", wait=True):
            for each in self._batch_sizes(name):
                if held.enter_context(self._database.lock(lock_name(name, each))) is None:
                    message = f"{name} is being searched: a worker has its study of batch size {each}"
                    raise StoreError(f"{message}; tuner cancel {name} lets workers go, then delete it")
            with self._engine.begin() as connection:
                delete_experiment(connection, experiment_id(connection, name, url=self.url))
                self._database.announce(connection)

    def open_studies(self) -> Sequence[OpenStudy]:
        with self._errors(), self._engine.connect() as connection:
            claimed = claimed_studies(connection, self._database)
            found = open_studies(connection)
        return [OpenStudy(name, size, (name, size) not in claimed, waiting) for name, size, waiting in found]

    def claimed(self) -> Set[tuple[str, int]]:
        with self._errors(), self._engine.connect() as connection:
            return claimed_studies(connection, self._database)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        with self._errors(), self._database.listen() as listener:
            yield listener

    @contextmanager
    def claim(
        self, name: str, batch_size: int, *, worker: str = "", device: str = "", patience: Patience | None = None
    ) -> Iterator[StudyClaim | None]:
        claim: StudyClaim | None = None
        holder, patience = Holder(worker, device, datetime.now(UTC)), patience or Patience()
        try:
            with ExitStack() as held:
                with self._errors():
                    claim = self._take(held, name, batch_size, holder, patience)
                try:
                    yield claim
                finally:
                    if claim is not None:
                        _hand_back(claim)
        finally:
            if claim is not None:
                self._announce()

    def close(self) -> None:
        self._storage.remove_session()
        self._engine.dispose()

    def _batch_sizes(self, name: str) -> Sequence[int]:
        """The batch sizes of an experiment, which need not be readable."""
        with self._engine.connect() as connection:
            one = study.c.experiment_id == experiment_id(connection, name, url=self.url)
            return connection.scalars(select(study.c.batch_size).where(one).distinct()).all()

    def _insert(self, submitted: Experiment) -> None:
        """Store an experiment and open its studies.

        Optuna's come first, each in a transaction of its own: if this is cut short, the experiment is not there, and
        submitting it again finds and keeps them.
        """
        opened = self._open_studies(submitted, submitted.batch_sizes)
        row = {"name": submitted.name, "settings": json.dumps(submitted.to_table()), "created": datetime.now(UTC)}
        with self._engine.begin() as connection:
            key = connection.execute(insert(experiment).values(row).returning(experiment.c.experiment_id)).scalar_one()
            insert_studies(connection, key, opened)
            self._database.announce(connection)

    def _grow(self, stored: StoredExperiment, submitted: Experiment, added: Sequence[str]) -> Sequence[str]:
        """Store what was added to an experiment, if anything was. Returns it."""
        if added:
            settings = stored.settings
            more = [each for each in submitted.batch_sizes if each not in settings.batch_sizes]
            opened = self._open_studies(settings, more)
            with self._engine.begin() as connection:
                grow(connection, stored, grown(settings, submitted), added, opened)
                self._database.announce(connection)
        return added

    def _open_studies(self, of: Experiment, batch_sizes: Sequence[int]) -> dict[int, int]:
        """Optuna's studies of the first round, by batch size."""
        return {size: open_optuna_study(self._storage, of, batch_size=size, round=FIRST_ROUND) for size in batch_sizes}

    def _take(
        self, held: ExitStack, name: str, batch_size: int, holder: Holder, patience: Patience
    ) -> StudyClaim | None:
        """Claim a study with a lock that lives as long as `held`, or None if it is taken."""
        with self._engine.connect() as connection:
            find_rounds(connection, name, batch_size, url=self.url)
            if self._database.taken(connection, [lock_name(name, batch_size)]):
                return None  # and saves a connection that a lock would need
        lock = held.enter_context(self._database.lock(lock_name(name, batch_size)))
        if lock is None:
            return None
        with self._engine.begin() as connection:
            found, rounds = find_rounds(connection, name, batch_size, url=self.url)
            first = rounds[0]
            deaths = first.deaths if first.holder is not None else 0
            counted = study.c.study_id == first.study_id
            # Waits for whoever has lost the lock without noticing and is just opening a round; his next write fails.
            named = {"worker": holder.worker, "device": holder.device, "claimed": holder.since}
            # One more until it has finished a trial.
            connection.execute(update(study).where(counted).values(epoch=study.c.epoch + 1, deaths=deaths + 1, **named))
            epoch = connection.execute(select(study.c.epoch).where(counted)).scalar_one()
            _, (*_, current) = find_rounds(connection, name, batch_size, url=self.url)
            claim = StudyClaim(
                found, current, first.study_id, epoch, lock, self._database, self._storage, patience=patience
            )
            # In one transaction, so that a claim that fails here is none, and counts for no death.
            claim.settle_orphans(connection, reason=ORPHANED)
        if deaths >= DEATHS and not (first.error or current.complete):
            claim.set_aside(error=f"{deaths} workers in a row died before they had finished a trial: out of memory?")
        return claim

    def _announce(self) -> None:
        """Tell of a study that is free again. Whoever does not hear it looks now and then."""
        with suppress(StoreError), self._errors(), self._engine.begin() as connection:
            self._database.announce(connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with store_errors(f"the store {self.url} failed"), optuna_errors():
            yield


def _refuse_newer(database: Database) -> None:
    """Raise `StoreError` if a newer version has been here. Before anything else, so that nothing is changed."""
    engine = create_engine(database.location, **database.engine_options())
    try:
        with engine.connect() as connection:
            refuse_newer(stored_version(connection), url=visible(database.location))
    finally:
        engine.dispose()


def _open_optuna(database: Database) -> RDBStorage:
    """Optuna's tables. No heartbeat: a claim says who is alive."""
    try:
        return RDBStorage(for_optuna(database.location), engine_kwargs=database.engine_options())
    except (RuntimeError, CommandError, *UNREADABLE) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"the store {visible(database.location)} does not fit this Optuna: {reason}") from error


def _refuse_other(name: str, found: Sequence[Difference]) -> None:
    """Raise `StoreError` if there are differences that do more than add work."""
    if not found:
        return
    shown = "; ".join(each.phrase for each in found[:DIFFERENCES_SHOWN])
    more = f"; and {len(found) - DIFFERENCES_SHOWN} more" if len(found) > DIFFERENCES_SHOWN else ""
    message = f"an experiment {name} with other settings is stored already ({shown}{more})"
    raise StoreError(f"{message}; give this one another name")


def _refuse_cancelled(name: str, state: str | None) -> None:
    """Raise `StoreError` if nobody is to work on this experiment any more."""
    if state == ExperimentState.CANCELLED:
        raise StoreError(f"{name} was cancelled, which is for good; submit it again under another name")


def _hand_back(claim: StudyClaim) -> None:
    """End what is still running. If that fails nothing is lost: whoever claims the study next does the same."""
    try:
        claim.hand_back()
    except StoreUnreachable as error:
        claim.patience.fail(error)
    except StoreError as error:
        log.warning("%s; what was running is left to the next worker", error)
