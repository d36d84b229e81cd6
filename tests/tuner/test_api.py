"""The Python API: the same runs and results as the command line, and nothing heavy loaded by importing it."""

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import tuner
from tests.commands import environment
from tests.test_architecture import loaded_by
from tests.toy import SMALL
from tuner.errors import ConfigError, StoreError, TunerError

SCRIPT = """
import tuner

found = tuner.run("toy.toml", workers=2)
print([(each.batch_size, each.complete, each.best_score) for each in found.studies])
"""

SESSION = """
import tuner
from tests.toy import Toy
try:
    tuner.run({table})
except tuner.TunerError as error:
    print(error)
"""


def test_a_script_runs_an_experiment_as_the_command_line_does(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SMALL)
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=environment()
    )

    assert done.returncode == 0, done.stderr
    theirs = tuner.results("toy", store=f"sqlite:///{finished}/runs/tuner.db")
    ours = tuner.results("toy", store=f"sqlite:///{tmp_path}/runs/tuner.db")
    assert ours.to_json() == theirs.to_json()
    assert all(each.complete for each in ours.studies)
    assert done.stdout.splitlines()[-1] == str([(each.batch_size, True, each.best_score) for each in theirs.studies])
    assert (tmp_path / "runs" / "toy" / "report.html").exists()


def test_a_table_and_an_experiment_run_as_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = tomllib.loads(SMALL)

    found = tuner.run(table, workers=1)
    again = tuner.run(found.experiment, workers=1)

    assert all(each.complete for each in found.studies)
    assert again == found


def test_every_problem_of_a_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = {**tomllib.loads(SMALL), "batch_sizes": [], "goal": {"metric": "validation/eror", "below": 0.1}}

    with pytest.raises(ConfigError) as raised:
        tuner.run(wrong)

    assert {each.path for each in raised.value.problems} >= {"batch_sizes", "goal.metric", "goal.within_steps"}
    assert list(tmp_path.iterdir()) == []


def test_a_run_outside_the_main_thread_is_refused_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with ThreadPoolExecutor(1) as threads, pytest.raises(TunerError, match="main thread"):
        threads.submit(tuner.run, tomllib.loads(SMALL)).result()

    assert list(tmp_path.iterdir()) == []


def test_a_workload_defined_in_a_session_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    table = tomllib.loads(SMALL) | {"objective": {"kind": "__main__:Toy"}}
    command = [sys.executable, "-c", SESSION.format(table=table)]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment())

    assert done.stdout == (
        'what is named "__main__:..." is defined in this session, from which workers cannot import it; '
        'write it to a file (in a notebook: %%writefile my_lab.py) and name it "my_lab:..."\n'
    )
    assert list(tmp_path.iterdir()) == []


def test_results_of_an_unknown_experiment_say_which_there_are(finished: Path) -> None:
    with pytest.raises(StoreError, match="toy"):
        tuner.results("tay", store=f"sqlite:///{finished}/runs/tuner.db")


def test_importing_the_api_loads_nothing_heavy() -> None:
    loaded = loaded_by("tuner")

    assert not {"torch", "mlflow", "optuna", "sqlalchemy", "pydantic", "numpy", "pandas", "matplotlib", "ray"} & set(
        loaded
    )
    assert tuner.Experiment.__module__ == "tuner.experiment.definition"


def test_a_script_reports_numbers_of_any_kind_as_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    tuner.report(np.int64(100), {"validation/error": np.float32(0.125), "train/loss": torch.tensor(2.0)})  # type: ignore[arg-type]

    assert capsys.readouterr().out == '{"step": 100, "validation/error": 0.125, "train/loss": 2.0}\n'
