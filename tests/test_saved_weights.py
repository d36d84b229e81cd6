"""The winners' weights are saved on request, and are those of the trial that reported them."""

import math
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from torch import nn

from objectives.data.digits import Digits
from tests.commands import tuner
from tests.toy import SMALL
from tuner.stores.opening import open_store

FILE = """
name = "few"
batch_sizes = [64]
objective = { kind = "classification", data = { kind = "digits" }, model = MODEL, optimizer = { kind = "heavy_ball" } }
goal = { metric = "validation/error", below = 0.1, within_steps = 400 }
search = { sampler = { kind = "quasi_random" }, points = 3, probes = 0, max_rounds = 1 }
confirmation = { candidates = 1, report_seeds = 3 }
[space]
learning_rate = { low = 0.05, high = 0.2, scale = "log" }
momentum = { value = 0.9 }
"""
MLP = '{ kind = "mlp", hidden = [16] }'
MODULE = '{ kind = "tests.test_saved_weights:Normed" }'
PERCEPTRON = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


@dataclass(frozen=True)
class Normed:
    """A model with a buffer that is trained along."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(math.prod(shape)), nn.Linear(math.prod(shape), classes))


def error_of(module: nn.Module, file: Path) -> float:
    """The validation error of a module with the weights in a file."""
    module.load_state_dict(torch.load(file, weights_only=True))
    module.eval()
    validation = Digits().load().validation
    with torch.no_grad():
        wrong = module(validation.inputs).argmax(1) != validation.labels
    return float(wrong.double().mean())


@pytest.mark.parametrize(("model", "module"), [(MLP, PERCEPTRON), (MODULE, Normed().module((1, 8, 8), 10))])
def test_the_weights_have_the_error_that_was_reported(model: str, module: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text(FILE.replace("MODEL", model))

    done = tuner(tmp_path, "run", "few.toml", "--save-models", "--workers", "1")
    again = tuner(tmp_path, "run", "few.toml", "--save-models", "--workers", "1")

    (line,) = re.findall(r"^weights of the winner of batch size 64: (.*)$", done.stdout, flags=re.MULTILINE)
    (file,) = (tmp_path / "runs" / "few" / "models").iterdir()
    assert line == str(file.relative_to(tmp_path))
    with closing(open_store(f"sqlite:///{tmp_path / 'runs' / 'tuner.db'}")) as store:
        (study,) = store.record("few").studies
        trials = [each for each in study.trials if f".trial={each.number}." in file.name]
    assert trials[0].end is not None
    assert error_of(module, file) == pytest.approx(trials[0].end.final["validation/error"], abs=1e-12)
    assert line in again.stdout
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("few")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], filter_string="tags.`tuner.weights` LIKE '%'")
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == [file.name]


def test_training_code_that_gives_no_weights_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SMALL)

    done = tuner(tmp_path, "run", "toy.toml", "--save-models")

    assert done.returncode == 1
    assert done.stderr == (
        "error: tests.toy:Toy does not give its weights to tuner; let the training code save them by itself\n"
    )
    assert "runs/toy/report.html" in done.stdout
