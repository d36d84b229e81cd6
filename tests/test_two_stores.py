"""Two stores and one MLflow, as people come by them: the store is deleted and the experiment run again."""

import re
import shutil
from pathlib import Path

from mlflow import MlflowClient

from tests.commands import tuner


def runs(uri: str) -> dict[str, tuple[int, set[str]]]:
    """How many runs each MLflow experiment has, and of which stores."""
    client = MlflowClient(tracking_uri=uri)
    found = {}
    for each in client.search_experiments():
        of = list(client.search_runs([each.experiment_id]))
        found[each.name] = (len(of), {run.data.tags["tuner.store"] for run in of})
    del found["Default"]
    return found


def test_a_store_that_is_deleted_and_begun_anew_has_an_experiment_of_its_own(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "runs", tmp_path / "runs")
    shutil.copy(finished / "toy.toml", tmp_path)
    old, uri = tmp_path / "old.db", f"sqlite:///{tmp_path}/runs/mlflow.db"
    (before,) = runs(uri).values()
    (tmp_path / "runs" / "tuner.db").rename(old)
    for each in (tmp_path / "runs").glob("tuner.db*"):
        each.unlink()

    again = tuner(tmp_path, "run", "toy.toml", "--workers", "1")
    synced = [tuner(tmp_path, "sync", "toy", *store) for store in ((), ("--store", f"sqlite:///{old}"), ())]

    assert again.returncode == 0, again.stderr
    named = re.search(
        r"in MLflow toy holds runs that this store does not have; its own are in `(toy \(store \w{8}\))`", again.stdout
    )
    assert named is not None, again.stdout
    assert [each.returncode for each in synced] == [0, 0, 0]
    assert [each.stdout.splitlines()[-1].partition(" created")[0] for each in synced] == ["0 runs"] * 3
    assert all("removed" not in each.stdout for each in synced)
    after = runs(uri)
    assert after["toy"] == before
    assert set(after) == {"toy", named[1]}
    (identity,) = after[named[1]][1]
    assert named[1] == f"toy (store {identity[:8]})"
