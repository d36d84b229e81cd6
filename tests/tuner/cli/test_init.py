"""`tuner init`: files to start from, which run as they are."""

import importlib.util
import json
import subprocess
import sys
import tomllib
from itertools import islice
from pathlib import Path

import pytest

from tests.commands import environment, tuner
from tuner.cli.experiments import Template
from tuner.experiment import from_table
from tuner.experiment.space import Choice, Range

KINDS = {Template.MODULE: "classification", Template.FUNCTION: "function", Template.COMMAND: "command"}
FILES = {"experiment.toml", "train.py"}


@pytest.mark.parametrize("template", Template)
def test_a_template_is_a_small_valid_experiment_that_explains_itself(template: Template, tmp_path: Path) -> None:
    done = tuner(tmp_path, "init", template)

    text = (tmp_path / "experiment.toml").read_text()
    experiment = from_table(tomllib.loads(text))
    assert done.returncode == 0, done.stderr
    assert {each.name for each in tmp_path.iterdir()} == FILES
    assert (experiment.name, experiment.objective["kind"]) == ("experiment", KINDS[template])
    assert tomllib.loads(text).keys() == {"name", "batch_sizes", "objective", "goal", "space"}  # no more than needed
    assert text.count("#") > 6
    assert len(text.splitlines()) < 35


def test_without_a_word_it_is_a_module_and_its_name_is_that_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    folder.mkdir()

    short, long = tuner(tmp_path, "init"), tuner(tmp_path, "init", "module", "lab/mine.toml")

    assert "model" in tomllib.loads((tmp_path / "experiment.toml").read_text())["objective"]
    assert tomllib.loads((folder / "mine.toml").read_text())["name"] == "mine"
    assert short.stdout.splitlines() == [
        "experiment.toml is written, and beside it train.py",
        "check it:  tuner validate experiment.toml",
        "run it:    tuner run experiment.toml",
    ]
    assert "go there:  cd lab" in long.stdout


def test_the_examples_show_a_choice_and_whole_numbers(tmp_path: Path) -> None:
    found: list[object] = []
    for template in (Template.FUNCTION, Template.COMMAND):
        tuner(tmp_path, "init", template, f"{template}.toml")
        found += from_table(tomllib.loads((tmp_path / f"{template}.toml").read_text())).space.parameters.values()

    assert any(isinstance(each, Choice) and isinstance(each.options[0], str) for each in found)
    assert any(isinstance(each, Choice) and isinstance(each.options[0], int) for each in found)
    assert any(isinstance(each, Range) and each.integer for each in found)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("mine")
    first = tuner(tmp_path, "init")
    before = (tmp_path / "experiment.toml").read_text()

    second = tuner(tmp_path, "init", "function")

    assert "train.py was there already, and is kept" in first.stdout
    assert second.returncode == 1
    assert second.stderr == "error: experiment.toml is there already, and nothing is overwritten; give another name\n"
    assert (tmp_path / "experiment.toml").read_text() == before
    assert (tmp_path / "train.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("mine", "mine is no name for an experiment's file; give one like mine.toml"),
        ("my lab.toml", "my lab.toml is no name for an experiment's file; give one like mine.toml"),
        ("nowhere/mine.toml", "nowhere/mine.toml cannot be written: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_clear_line(file: str, message: str, tmp_path: Path) -> None:
    done = tuner(tmp_path, "init", "module", file)

    assert (done.returncode, done.stderr) == (1, f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_the_function_trains(tmp_path: Path) -> None:
    tuner(tmp_path, "init", "function")
    assert tuner(tmp_path, "validate", "experiment.toml").returncode == 0
    spec = importlib.util.spec_from_file_location("template_function", tmp_path / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    point = {"learning_rate": 0.5, "units": 64, "activation": "relu", "batch_size": 64, "seed": 1, "device": "cpu"}

    measured = list(islice(module.train(**point), 30))

    assert [step for step, _ in measured] == list(range(5, 155, 5))
    assert measured[-1][1]["validation/error"] < 0.1 < measured[0][1]["validation/error"]


def test_the_script_prints_what_it_measures(tmp_path: Path) -> None:
    tuner(tmp_path, "init", "command")
    assert tuner(tmp_path, "validate", "experiment.toml").returncode == 0
    table = tomllib.loads((tmp_path / "experiment.toml").read_text())
    point = {"learning_rate": 0.5, "loss": "hinge", "warmup": 3, "batch_size": 16, "seed": 2**60}
    _, *arguments = [each.format(**point) for each in table["objective"]["command"]]

    said = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    ).stdout

    measured = [json.loads(line) for line in said.splitlines()]
    assert [each["step"] for each in measured] == list(range(2, 1001, 2))
    assert measured[-1]["validation/error"] < table["goal"]["below"] < measured[0]["validation/error"]


@pytest.mark.slow
@pytest.mark.parametrize("template", Template)
def test_a_template_runs(template: Template, tmp_path: Path) -> None:
    tuner(tmp_path, "init", template)
    with (tmp_path / "experiment.toml").open("a") as file:
        file.write("\n[search]\npoints = 8\nmax_rounds = 1\n")  # instead of 50, which take minutes on a busy machine
    command = [sys.executable, "-m", "tuner", "run", "experiment.toml"]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env=environment(),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "runs/experiment/report.html" in done.stdout
