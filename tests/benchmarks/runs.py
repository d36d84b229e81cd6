"""Runs of whole experiments for benchmarks, as `tuner run` does them with one worker."""

import tempfile
from contextlib import closing
from pathlib import Path

from tuner.experiment import Experiment
from tuner.records import ExperimentRecord
from tuner.stores.opening import open_store
from tuner.worker import Worker


def record_of(experiment: Experiment) -> ExperimentRecord:
    """What a run leaves, of whose store nothing stays."""
    with tempfile.TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{Path(folder) / 't.db'}")) as store:
        store.submit(experiment)
        objective = experiment.build_objective()
        Worker("worker", experiment, objective, store, "cpu", lambda event: None, lambda: False).run()
        return store.record(experiment.name)
