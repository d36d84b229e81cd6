"""`tuner diagnose`: what people type, read and see go wrong."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.commands import tuner
from tests.toy import SMALL, Toy
from tests.working import work_through
from tuner.cli.app import app
from tuner.errors import TunerError
from tuner.experiment import parse
from tuner.objective import MeasuringPlan, Trainer
from tuner.records import Role
from tuner.search.tasks.diagnosing import diagnosing
from tuner.stores.opening import open_store

PERCEPTRON = """
name = "perceptron"
batch_sizes = [64, 256]

[objective]
kind = "classification"
data = { kind = "digits" }
model = { kind = "mlp", hidden = [8] }
optimizer = { kind = "sgd" }

[goal]
metric = "validation/error"
below = 0.5
within_steps = 100

[space]
learning_rate = { low = 0.1, high = 1, scale = "log" }

[search]
sampler = { kind = "random" }
points = 3
probes = 0
max_rounds = 1

[confirmation]
candidates = 1
neighbours = false
choose_seeds = 1
report_seeds = 1
"""


class WrittenOut(Toy):
    """A workload whose model cannot be asked for more than its gradient."""

    diagnostics: frozenset[str] = frozenset()

    def diagnosing_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        raise NotImplementedError


def searched(folder: Path, text: str) -> str:
    """A folder in which an experiment has been searched. The URL of its store."""
    url = f"sqlite:///{folder / 'runs' / 'tuner.db'}"
    with closing(open_store(url)) as store:
        store.submit(parse(text, source="mine.toml"))
        work_through(store)
    return url


@pytest.mark.slow
def test_optima_are_looked_at_once_and_what_they_look_like_is_printed(tmp_path: Path, uri: str) -> None:
    url = searched(tmp_path, PERCEPTRON)

    first = tuner(tmp_path, "diagnose", "perceptron", "--json", "--seeds", "2", "--workers", "1", "--mlflow", uri)
    again = tuner(tmp_path, "diagnose", "perceptron", "--seeds", "2")

    assert first.returncode == again.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    for study in found["studies"]:
        assert (study["seeds"], study["missed"]) == (2, 0)
        assert study["at_end"]["sharpness"]["median"] > 0
        assert study["at_end"]["eigenvalue_1"]["median"] > study["at_end"]["eigenvalue_2"]["median"]
        assert study["along_the_way"][-1]["sharpness"] > 0
    assert "4 of 4 trials" in first.stderr
    assert "given" not in again.stdout
    assert "what the tuned optimum of each batch size looks like" in again.stdout
    assert "What does the tuned optimum look like?" in (tmp_path / "runs" / "perceptron" / "report.html").read_text()
    with closing(open_store(url)) as store:
        assert [len(each.finished(Role.DIAGNOSE)) for each in store.record("perceptron").studies] == [2, 2]


def test_what_cannot_be_looked_at_is_one_clear_line(tmp_path: Path) -> None:
    url = searched(tmp_path, SMALL)
    with closing(open_store(url)) as store:
        store.submit(parse(PERCEPTRON, source="mine.toml"))

    def error(name: str) -> str:
        raised = CliRunner().invoke(app, ["diagnose", name, "--store", url]).exception
        assert isinstance(raised, TunerError)
        return str(raised)

    assert error("toy").startswith(
        "tests.toy:Toy gives no gradients and weights to look at the optimum with; a workload of kind"
    )
    with pytest.raises(TunerError, match=r"^the model of my_lab:Model computes its own gradients, .* as_module"):
        diagnosing(WrittenOut(), kind="my_lab:Model")
    assert error("perceptron").startswith("perceptron has no complete batch size with a confirmed optimum; `tuner run`")
