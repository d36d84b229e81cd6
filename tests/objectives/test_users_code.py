"""Every mistake in a user's data, model, loss or metrics is told in one line when its experiment's file is read."""

import re
from pathlib import Path

import pytest
import torch

from tests.commands import tuner
from tests.objectives.users import DATA, MODELS
from tuner.errors import ConfigError
from tuner.experiment import check

USERS = "tests.objectives.users"
FILE = f"""
name = "mine"
batch_sizes = [8]

[objective]
kind = "supervised"
data = {{ kind = "{USERS}:Data", case = "label out of range" }}
model = {{ kind = "{USERS}:Model" }}
optimizer = {{ kind = "heavy_ball" }}
schedule = {{ kind = "linear_decay" }}

[goal]
metric = "validation/error"
below = 0.1
within_steps = 100

[space]
learning_rate = {{ low = 1e-3, high = 1, scale = "log" }}
momentum = {{ value = 0.9 }}
end_factor = {{ value = 1.0 }}
decay_steps = {{ value = 100 }}

[search]
sampler = {{ kind = "random" }}
points = 4
"""
LOSSES = {
    "numbers": "mse",
    "other numbers": "mse",
    "nan label": "mse",
    "labels of three dimensions": "mse",
    "shares": "bce",
    "no share": "bce",
    "tokens": "next_token",
    "tokens of another length": "next_token",
    "tokens and a half": "next_token",
    "token out of range": "next_token",
    "no tokens": "next_token",
}
"""The losses of the cases that need another than cross entropy."""
WRONG_DATA = {
    "nothing": "Data: load() returned nothing; return (inputs, labels), for example",
    "three arrays": "Data: train is a tuple of 3; give two: inputs and labels",
    "lists": "Data: train inputs are a list; give a numpy array or a torch tensor",
    "texts": "Data: train inputs are of type <U32; give numbers",
    "complex": "Data: train inputs are torch.complex64 in layout torch.strided; give a dense tensor of real numbers",
    "fewer labels": "Data: train has 120 inputs and 99 labels; every input needs one label",
    "no examples": "Data: train is empty; give it examples",
    "a single number": "Data: train inputs are a single number; give an array [example, ...]",
    "nan": "Data: train inputs hold nan in example 17 (4 such in all); all must be finite in float32",
    "too large": "Data: train inputs hold 1e+300 in example 17 (4 such in all); all must be finite in float32",
    "label out of range": "Data: train labels hold 7 in example 17; classes is 3, so they are 0 to 2",
    "negative label": "Data: train labels hold -1 in example 17; classes are 0, 1, 2, ...",
    "label and a half": "Data: train labels hold 1.5 in example 17; classes are 0, 1, 2, ...",
    "one-hot": "Data: train labels have the shape [120, 3]; give the class of each example, [example]; "
    'of one-hot labels, labels.argmax(1). For texts, say loss = "next_token"',
    "one class": "Data: all labels are 0; a classification needs two classes at least",
    "a rare class": "Data: 120 examples cannot be split into train, test and validation: The least populated classes "
    "in y have only 1 member, which is too few; give more examples, or a split of your own",
    "no train": "Data: there is no train, only validation; give train at least",
    "a part misspelt": "Data: 'validaton' is not a part of the data; did you mean validation?",
    "an empty part": "Data: test is empty; give it examples, or leave it out",
    "another shape": "Data: test inputs are [3] of float32, and those of train [4] of float32; make them equal",
    "a wrong shape": "Data: shape is [1, 8, 8], and the inputs are [4] of float32; say shape = (4,)",
    "other numbers": "Data: classes is 2, and every label has 1 numbers; say classes = 1",
    "nan label": "Data: train labels hold nan in example 17 (1 such in all); all must be finite in float32",
    "labels of three dimensions": "Data: train labels have the shape [120, 2, 2]; give [example], or [example, output]",
    "no share": "Data: train labels hold -4.89873; binary cross entropy needs labels from 0 to 1",
    "tokens of another length": "Data: test labels are [3] of int64, and those of train [4] of int64; make them equal",
    "tokens and a half": "Data: train labels hold 0.5 in example 0; classes are 0, 1, 2, ...",
    "token out of range": "Data: train labels hold 6 in example 1; classes is 6, so they are 0 to 5",
    "no tokens": "Data: train labels have the shape [60, 0]; give the class at each position, [example, position]. "
    'For one class for each example, say loss = "cross_entropy"',
    "examples are mappings": "Data: train: an example of Pairs is a dict; "
    "give (inputs, labels), a torch Dataset, or a mapping of train, validation and test",
    "examples differ": "Data: train inputs of Pairs have the shape [3] in example 0 and [4] in example 9; "
    "make them equal",
    "endless": "Data: train is of type Endless, which has no length; give a data set with __len__ and __getitem__",
}
GIVEN = "inputs [2, 4] of float32"
WRONG_MODELS = {
    "no module": "Model: its method module returned a Tensor; return a torch.nn.Module",
    "more outputs": f"Model: its module returned outputs [2, 5] for {GIVEN}, and not [2, 3]; "
    "the labels need 3 for each example",
    "flat outputs": f"Model: its module returned outputs [2] for {GIVEN}, and not [2, 3]; "
    "the labels need 3 for each example",
    "other inputs": f"Model: its module, given {GIVEN}, raised RuntimeError: "
    "addmm: mat1 and mat2 shapes cannot be multiplied (2x4 and 9x3)",
    "embedding": f"Model: its module, given {GIVEN}, raised RuntimeError: Expected tensor for argument #1 'indices' to "
    "have one of the following scalar types: Long, Int; but got torch.FloatTensor instead "
    "(while checking arguments for embedding)",
    "two outputs": "Model: its module returned a tuple; return a tensor [example, output]",
    "not finite": f"Model: its module, given {GIVEN}, returned outputs that are not finite, before it was trained",
    "no parameters": "Model: a step of training on 2 examples raised ValueError: "
    "AdaptiveAvgPool1d has no parameters to train",
}
RAISING = {
    ("data", "raises"): (
        "Data.load() raised ZeroDivisionError: integer division or modulo by zero",
        ["load", "<lambda>"],
    ),
    ("data", "an example raises"): (
        "Data: train: Pairs.__getitem__ raised OSError: image 0 is not there",
        ["__getitem__", "failing"],
    ),
    ("model", "raises"): ("Model.module((4,), 3) raised IndexError: tuple index out of range", ["module", "<lambda>"]),
    ("model", "forward raises"): (
        f"Model: its module, given {GIVEN}, raised NotImplementedError: not yet",
        ["forward"],
    ),
}
"""What is said of code that raises, and the functions of the frames that are shown."""
RIGHT = {"classes", "numbers", "shares", "words", "few words", "tokens", "linear"}
FOR_SOME_MODELS = {"long numbers", "tokens as numbers", "more words than tokens"}


def problems(**settings: object) -> list[str]:
    """What is wrong with an experiment of these settings of the objective."""
    table = {
        "name": "mine",
        "batch_sizes": [8],
        "objective": {
            "kind": "supervised",
            "data": {"kind": f"{USERS}:Data"},
            "model": {"kind": f"{USERS}:Model"},
            "optimizer": {"kind": "heavy_ball"},
            "schedule": {"kind": "linear_decay"},
            **settings,
        },
        "goal": {"metric": "validation/loss", "below": 0.1, "within_steps": 100},
        "space": {
            "learning_rate": {"low": 1e-3, "high": 1, "scale": "log"},
            "momentum": {"value": 0.9},
            "end_factor": {"value": 1.0},
            "decay_steps": {"value": 100},
        },
        "search": {"sampler": {"kind": "random"}, "points": 4},
    }
    try:
        check(table, source="mine.toml")
    except ConfigError as error:
        return [str(each) for each in error.problems]
    return []


def of(kind: str, case: str) -> dict[str, object]:
    """The settings of a case."""
    return {kind: {"kind": f"{USERS}:{kind.title()}", "case": case}, "loss": LOSSES.get(case, "cross_entropy")}


@pytest.mark.parametrize("case", WRONG_DATA)
def test_wrong_data_are_told_in_a_line(case: str) -> None:
    assert problems(**of("data", case)) == [f"objective.data: {WRONG_DATA[case]}"]


@pytest.mark.parametrize("case", WRONG_MODELS)
def test_a_wrong_model_is_told_in_a_line(case: str) -> None:
    assert problems(**of("model", case)) == [f"objective.model: {WRONG_MODELS[case]}"]


@pytest.mark.parametrize(("kind", "case"), RAISING)
def test_code_that_raises_is_shown_and_no_other_code(kind: str, case: str) -> None:
    message, functions = RAISING[kind, case]

    (found,) = problems(**of(kind, case))

    first, *frames = found.splitlines()
    assert first == f"objective.{kind}: {message}"
    assert re.findall(r'^  File ".*/users.py", line \d+, in (.*)$', "\n".join(frames), flags=re.MULTILINE) == functions
    assert found.count("File") == len(functions)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", ["data", "model"])
def test_nothing_wrong_reaches_a_device(kind: str) -> None:
    told = [problems(**of(kind, case)) for case in (WRONG_DATA if kind == "data" else WRONG_MODELS)]
    torch.cuda.synchronize()  # raises what a kernel asserted

    assert all(told)
    assert torch.ones(3, device="cuda").sum().item() == 3


def test_every_case_is_told_of() -> None:
    raising = {case for kind, case in RAISING if kind == "data"}
    assert set(DATA) == RIGHT - {"linear"} | set(WRONG_DATA) | raising | FOR_SOME_MODELS
    assert set(MODELS) == {"linear"} | set(WRONG_MODELS) | {case for kind, case in RAISING if kind == "model"}


@pytest.mark.parametrize("case", ["classes", "numbers", "shares"])
def test_nothing_is_said_of_right_data(case: str) -> None:
    assert problems(**of("data", case)) == []


def test_whole_numbers_are_for_modules_that_take_them() -> None:
    words = of("data", "words")["data"]

    assert problems(data=words, model={"kind": f"{USERS}:Model", "case": "embedding"}) == []
    assert problems(data=words, model={"kind": "mlp"}) == []
    (found,) = problems(data=words)
    assert found.startswith(
        "objective.model: Model: its module, given inputs [2, 4] of int64 (inputs of whole numbers, here 0 to 6, are "
        "for embeddings; give others as float32), raised RuntimeError: mat1 and mat2 must have the same dtype"
    )


def test_whole_numbers_that_float32_would_round_are_refused() -> None:
    (found,) = problems(data=of("data", "long numbers")["data"], model={"kind": "mlp"})

    assert found == (
        "objective.data: Data: train inputs are whole numbers up to 1099511627776, which float32 rounds; "
        "scale them first"
    )


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("mce", "mce is not one of the losses; did you mean mse? (or give package.module:function)"),
        ("nope:f", "nope:f cannot be imported: ModuleNotFoundError: No module named 'nope'"),
        (f"{USERS}:NOT_CALLABLE", f"{USERS}:NOT_CALLABLE does not name a function of outputs and targets"),
        (f"{USERS}:Model", f"{USERS}:Model does not name a function of outputs and targets"),
        (
            f"{USERS}:of_each",
            f"{USERS}:of_each: it returned a tensor of shape [12]; "
            "return the mean over the examples, a tensor without dimensions",
        ),
        (
            f"{USERS}:a_number",
            f"{USERS}:a_number: it returned a float; return the mean over the examples, a tensor without dimensions",
        ),
        (
            f"{USERS}:detached",
            f"{USERS}:detached: what it returned cannot be differentiated; compute it from the outputs by torch alone",
        ),
        (3, "must be a name like bce or package.module:function, not 3"),
    ],
)
def test_a_wrong_loss_is_told_in_a_line(loss: object, message: str) -> None:
    assert problems(loss=loss) == [f"objective.loss: {message}"]


@pytest.mark.parametrize(
    ("metrics", "path", "message"),
    [
        (["error", "error"], ".1", "error is there twice"),
        (["eror"], ".0", "eror is not one of the metrics; did you mean error? (or give package.module:function)"),
        ([f"{USERS}:recalls"], ".0", "recalls is [1.0, 0.5, 0.25]; a metric is one number for a whole split"),
        (
            ["mean_absolute_error"],
            ".0",
            "mean_absolute_error is for numbers as targets, and cross_entropy has classes",
        ),
        (
            ["tests.objectives.users:loss"],
            ".0",
            "tests.objectives.users:loss would be called as the loss is; give it another name",
        ),
        ("error", "", "should be a valid array, not 'error'"),
    ],
)
def test_a_wrong_metric_is_told_in_a_line(metrics: object, path: str, message: str) -> None:
    assert problems(metrics=metrics) == [f"objective.metrics{path}: {message}"]


def test_a_metric_has_to_suit_the_labels_if_the_loss_takes_any() -> None:
    assert problems(loss=f"{USERS}:smoothed", metrics=["mean_absolute_error"]) == [
        "objective.metrics.0: mean_absolute_error: it is for numbers as targets, and the labels are classes"
    ]


@pytest.mark.parametrize(
    ("settings", "path"), [({"loss": f"{USERS}:raising"}, "loss"), ({"metrics": [f"{USERS}:raising"]}, "metrics.0")]
)
def test_a_function_that_raises_is_shown(settings: dict[str, object], path: str) -> None:
    (found,) = problems(**settings)

    assert re.match(rf"objective.{path}: .*raising raised LookupError: no such class\n  File .*users.py", found)
    assert found.count("File") == 1


def test_a_command_ends_with_one_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(FILE)

    done = tuner(tmp_path, "run", "mine.toml")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: mine.toml: objective.data: {WRONG_DATA['label out of range']}\n"
