"""Reading what was measured, without Optuna, whose import takes longer than the queries of any report."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Engine

from tuner.errors import StoreError
from tuner.records import Curve, ExperimentRecord
from tuner.stores.database import Database, store_errors
from tuner.stores.relational.growing import read_growth
from tuner.stores.relational.reading import existing_experiment, find_rounds, read_curves, read_studies
from tuner.stores.urls import visible


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads the records of a store that has our tables."""

    database: Database
    engine: Engine

    @property
    def url(self) -> str:
        return visible(self.database.location)

    def record(self, name: str) -> ExperimentRecord:
        with self._errors(), self.engine.connect() as connection:
            found = existing_experiment(connection, name, url=self.url)
            growth = read_growth(connection, found.experiment_id)
            return ExperimentRecord(found.settings, read_studies(connection, found), found.state, growth)

    def curves(self, name: str, batch_size: int, *, round: int = 1) -> Mapping[int, Curve]:
        with self._errors(), self.engine.connect() as connection:
            _, rounds = find_rounds(connection, name, batch_size, url=self.url)
            if not 1 <= round <= len(rounds):
                known = f"it has {len(rounds)}, from 1"
                raise StoreError(f"batch size {batch_size} of {name} has no round {round}; {known}")
            return read_curves(connection, rounds[round - 1].study_id)

    def close(self) -> None:
        self.engine.dispose()

    def _errors(self) -> AbstractContextManager[None]:
        return store_errors(f"the store {self.url} failed")
