"""Runs of whole experiments for benchmarks, as `tuner run` does them with one worker."""

import tempfile
from contextlib import closing
from pathlib import Path

from tests.working import work_through
from tuner.experiment import Experiment
from tuner.records import ExperimentRecord
from tuner.stores.opening import open_store


def record_of(experiment: Experiment) -> ExperimentRecord:
    """What a run leaves, of whose store nothing stays."""
    with tempfile.TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{Path(folder) / 't.db'}")) as store:
        store.submit(experiment)
        work_through(store)
        return store.record(experiment.name)
