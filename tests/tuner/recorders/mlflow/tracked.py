"""What MLflow has of a run, for the tests of whatever brings it there."""

from mlflow import MlflowClient
from mlflow.entities import Run

from tests.tuner.recorded import Held, Recorded
from tuner.recorders import Notice
from tuner.recorders.mlflow.recorder import MlflowRecorder


def send(what: Recorded, uri: str, *, stop_after: int | None = None, held: Held | None = None) -> list[Notice]:
    """Record all events, or the first few; what the user was told."""
    told: list[Notice] = []
    recorder = MlflowRecorder(uri, (held or Held(what)).open, tell=told.append, patience=60)
    recorder.open(what.experiment)
    for event in list(what.events())[:stop_after]:
        recorder.record(event)
    recorder.close()
    return told


def runs(uri: str, filter: str = "", *, name: str = "digits") -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], filter_string=filter))


def snapshot(uri: str) -> dict[str, object]:
    """Everything MLflow has of the experiment's runs, by run id."""
    client = MlflowClient(tracking_uri=uri)
    return {
        run.info.run_id: (
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.tags,
            run.data.params,
            {
                name: [
                    (each.step, each.timestamp, each.value) for each in client.get_metric_history(run.info.run_id, name)
                ]
                for name in run.data.metrics
            },
        )
        for run in runs(uri)
    }


def by_name(uri: str) -> dict[str, object]:
    """The same, without what differs between two databases: run ids."""
    return {
        value[0]: (*value[1:4], {key: tag for key, tag in value[4].items() if key != "mlflow.parentRunId"}, *value[5:])
        for value in snapshot(uri).values()
        if isinstance(value, tuple)
    }
