"""A worker and an MLflow that never answers: it is waited for once, and not at the end of each study."""

from pathlib import Path

from tests.bad_mlflow import bad_server
from tests.commands import tuner
from tests.toy import SMALL


def test_a_worker_waits_once_for_an_mlflow_that_never_answers(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SMALL.replace("batch_sizes = [8, 16]", "batch_sizes = [4, 8, 16, 32]"))
    assert tuner(tmp_path, "submit", "toy.toml").returncode == 0
    with bad_server("silent") as server:
        done = tuner(tmp_path, "worker", "--once", MLFLOW_TRACKING_URI=server.url)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trials in") == 4
    assert done.stdout.count("MLflow is not done after 5 seconds. Training goes on; `tuner sync toy` adds") == 1
    assert done.stdout.count("MLflow") == 1
