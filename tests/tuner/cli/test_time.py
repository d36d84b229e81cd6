"""`tuner time`: steps of a real workload and of loops without a clock, kept in the store and shown in the report."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.commands import tuner
from tuner.cli.app import app
from tuner.errors import TunerError

TINY = """
name = "tiny"
batch_sizes = [32, 128]
goal = { metric = "validation/error", below = 0.2, within_steps = 300 }
search = { points = 3, probes = 0, max_rounds = 1, second_look_points = 0 }
confirmation = { candidates = 1, neighbours = false, choose_seeds = 1, report_seeds = 3 }
[objective]
kind = "classification"
data = { kind = "digits" }
model = { kind = "mlp", hidden = [16] }
optimizer = { kind = "sgd" }
[space]
learning_rate = { low = 0.05, high = 0.5, scale = "log" }
"""


@pytest.fixture(scope="module")
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two experiments are complete: the toy and a small real one."""
    made = tmp_path_factory.mktemp("timed") / "here"
    shutil.copytree(finished, made)
    (made / "tiny.toml").write_text(TINY)
    done = tuner(made, "run", "tiny.toml")
    assert done.returncode == 0, done.stderr
    return made


def test_steps_are_timed_on_a_processor_and_what_to_train_with_is_said(folder: Path) -> None:
    done = tuner(folder, "time", "tiny", "--price", "2", "--json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [each["batch_size"] for each in found["timings"]] == [32, 128]
    assert {each["device"] for each in found["timings"]} == {found["practice"]["devices"][0]["device"]}
    assert all(min(each["seconds"]) > 0 and not each["has_measuring"] for each in found["timings"])
    for way, timing in zip(found["practice"]["devices"][0]["ways"], found["timings"], strict=True):
        seconds = way["steps"]["value"] * sorted(timing["seconds"])[len(timing["seconds"]) // 2]
        assert way["seconds"]["value"] == pytest.approx(seconds)
        assert way["cost"]["value"] == pytest.approx(seconds / 3600 * 2)
        assert way["examples"]["value"] == way["batch_size"] * way["steps"]["value"]
    assert [each.partition(":")[0] for each in done.stderr.splitlines()] == ["batch size 32", "batch size 128"]
    tuner(folder, "report", "tiny")
    page = folder / "runs" / "tiny" / "report.html"
    assert found["practice"]["advice"] in page.read_text()
    assert "cost to target" not in page.read_text()
    priced = json.loads(tuner(folder, "report", "tiny", "--price", "2", "--json").stdout)
    assert priced["sections"]["practice"]["values"] == found["practice"]
    assert "cost to target" in page.read_text()
    assert "at 2 an hour" in page.read_text()


def told(folder: Path, *arguments: str) -> Result:
    """What the command says in this process, which has loaded torch already."""
    return CliRunner().invoke(app, ["time", *arguments, "--store", f"sqlite:///{folder}/runs/tuner.db"])


def test_a_workload_that_cannot_train_without_measuring_is_timed_with_it(folder: Path) -> None:
    done = told(folder, "toy")

    assert done.exit_code == 0, done.output
    assert "measuring included" in done.stderr
    assert "cannot train without measuring" in done.stdout
    assert "time to target" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["tiny", "--device", "cuda:7"], "device cuda:7: torch sees [0-9] GPUs here"),
        (["tiny", "--device", "xpu"], "device xpu: torch sees none here"),
        (["other"], "there is no experiment other"),
    ],
)
def test_what_cannot_be_timed_is_one_sentence(folder: Path, arguments: list[str], reason: str) -> None:
    done = told(folder, *arguments)

    assert done.exit_code == 1
    assert isinstance(done.exception, TunerError)  # which the program shows as one line
    assert re.match(reason, str(done.exception))
    assert done.output == ""
