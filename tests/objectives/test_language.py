"""A language model is an experiment like any other: it runs, and what does not fit is told before any training."""

import math
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import tuner
from tuner.errors import ConfigError
from tuner.experiment import check
from tuner.records import Role
from tuner.stores.opening import open_records
from tuner.trial import Outcome

USERS = "tests.objectives.users"
FILE = """
name = "alphabet"
batch_sizes = [16]

[objective]
kind = "supervised"
data = { kind = "text", file = "alphabet.txt", context = 5 }
model = { kind = "transformer", width = 16, layers = 1, heads = 2 }
optimizer = { kind = "heavy_ball" }
loss = "next_token"

[goal]
metric = "validation/loss"
below = 0.5
within_steps = 60

[space]
learning_rate = { low = 0.03, high = 0.1, scale = "log" }
momentum = { value = 0.9 }

[search]
sampler = { kind = "random" }
points = 2
width = 2
probes = 0
max_rounds = 1
second_look_points = 0

[confirmation]
candidates = 1
neighbours = false
choose_seeds = 1
report_seeds = 1
"""
TRANSFORMER = {"kind": "transformer", "width": 16, "layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the experiment's file and its text are."""
    made = tmp_path_factory.mktemp("language")
    (made / "alphabet.txt").write_bytes(b"abcdefgh" * 60)
    (made / "alphabet.toml").write_text(FILE)
    return made


def test_a_language_model_is_searched_confirmed_and_reported(folder: Path) -> None:
    validated = tuner(folder, "validate", "alphabet.toml")
    done = tuner(folder, "run", "alphabet.toml")

    assert (validated.returncode, validated.stderr) == (0, "")
    assert done.returncode == 0, done.stderr
    assert "batch size 16: done" in done.stdout
    assert (folder / "runs" / "alphabet" / "report.html").exists()
    with closing(open_records(f"sqlite:///{folder}/runs/tuner.db")) as store:
        (study,) = store.record("alphabet").studies
        curves = store.curves("alphabet", study.batch_size)
    assert study.complete
    ends = [each.end for each in study.finished(*Role)]
    assert Outcome.ACHIEVED in {each.outcome for each in ends if each is not None}
    for curve in curves.values():
        assert {"train/loss", "validation/loss", "validation/error"} <= curve[0].metrics.keys()
        assert curve[0].metrics["train/loss"] == pytest.approx(math.log(256), abs=0.1)


def problems(**settings: object) -> list[str]:
    """What is wrong with the experiment, with other settings of the objective."""
    table = tomllib.loads(FILE)
    table["objective"] |= settings
    try:
        check(table, source="alphabet.toml")
    except ConfigError as error:
        return [str(each) for each in error.problems]
    return []


def users(case: str) -> dict[str, object]:
    return {"kind": f"{USERS}:Data", "case": case}


MISFITS: dict[str, tuple[dict[str, object], str]] = {
    "a loss for classes": (
        {"loss": "cross_entropy"},
        "data: Text: train labels have the shape [76, 5]; give the class of each example, [example]; "
        'of one-hot labels, labels.argmax(1). For texts, say loss = "next_token"',
    ),
    "data with classes": (
        {"data": {"kind": "digits"}},
        "data: Digits: train labels have the shape [1097]; give the class at each position, [example, position]. "
        'For one class for each example, say loss = "cross_entropy"',
    ),
    "images, and a loss for them": (
        {"data": {"kind": "digits"}, "loss": "cross_entropy"},
        "model: Transformer.module((1, 8, 8), 10) raised ValueError: "
        "transformer needs texts [position] of whole numbers, not examples of shape (1, 8, 8)",
    ),
    "a class for each text": (
        {"data": users("few words"), "loss": "cross_entropy"},
        "model: Transformer: its module returned outputs [2, 4, 3] for inputs [2, 4] of int64, and not [2, 3]; "
        "the labels need 3 for each example",
    ),
    "texts that are no whole numbers": (
        {"data": users("tokens as numbers")},
        "model: Transformer: its module, given inputs [2, 4] of float32, raised ValueError: "
        "transformer needs whole numbers, int32 or int64",
    ),
    "a perceptron": (
        {"model": {"kind": "mlp"}},
        "model: Mlp: its method logits returned outputs [1, 2, 256], and not [1, 2, 5, 256]: "
        "lanes, examples, positions, classes",
    ),
    "a network for images": (
        {"model": {"kind": "cnn"}},
        "model: Cnn.module((5,), 256) raised ValueError: "
        "cnn needs images of at least 4 x 4 pixels, not examples of shape (5,)",
    ),
    "a module for classes": (
        {"data": users("tokens"), "model": {"kind": f"{USERS}:Model", "case": "embedding"}},
        "model: Model: its module returned outputs [2, 7] for inputs [2, 4] of int64, and not [2, 4, 7]; "
        "the labels need 7 for each position",
    ),
    "more words than tokens": (
        {"data": users("more words than tokens")},
        "model: Transformer: its module, given inputs [2, 4] of int64 (inputs of whole numbers, here 0 to 6, are for "
        "embeddings; give others as float32), raised IndexError: index out of range in self",
    ),
    "a metric for classes": (
        {"metrics": ["loss", "macro_f1"]},
        "metrics.1: macro_f1 is for classes as targets, and next_token has tokens",
    ),
    "a metric for classes, and a loss of the user's": (
        {"data": users("tokens"), "loss": f"{USERS}:smoothed_tokens", "metrics": ["macro_f1"]},
        "metrics.0: macro_f1: it is for classes as targets, and the labels are tokens",
    ),
    "a width that the heads do not divide": (
        {"model": {**TRANSFORMER, "heads": 3}},
        "model: width is 16, which 3 heads do not divide; say a multiple of heads",
    ),
    "a file that is not there": (
        {"data": {"kind": "text", "file": "none.txt"}},
        "data: Text: none.txt cannot be read: No such file or directory; the path is from the current folder",
    ),
    "a text that is too short": (
        {"data": {"kind": "text", "file": "alphabet.txt"}},
        "data: Text: alphabet.txt has 480 bytes, 48 of them for validation; an example needs context + 1 = 65: "
        "give a longer text, a smaller context, or other shares",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_told_in_a_line(case: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    settings, message = MISFITS[case]

    (found,) = problems(**settings)

    assert found.splitlines()[0] == f"objective.{message}"
    assert len(found.splitlines()) == 1


def test_tokens_of_the_users_and_a_loss_of_their_own_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    metrics = ["loss", "error", "top5_error"]

    assert problems() == []
    assert problems(data=users("tokens")) == []
    assert problems(data=users("tokens"), loss=f"{USERS}:smoothed_tokens", metrics=metrics) == []
