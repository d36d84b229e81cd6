"""What a user's objective says of itself is checked when its file is read, and said in one line if it is wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.toy import SMALL, Toy
from tuner.errors import ConfigError
from tuner.experiment import parse


def answered(member: str, answer: Callable[[], object]) -> type[Toy]:
    """The toy with another answer for one of its members."""

    @dataclass(frozen=True)
    class Odd(Toy):
        def __getattribute__(self, name: str) -> object:
            return answer() if name == member else super().__getattribute__(name)

    return Odd


def raised() -> object:
    raise FileNotFoundError("no data here")


WRONG: list[tuple[str, Callable[[], object], str]] = [
    ("train_examples", lambda: "1024", "Odd.train_examples is '1024'; it is the number of training examples"),
    ("train_examples", lambda: 10.5, "Odd.train_examples is 10.5; it is the number of training examples"),
    ("train_examples", lambda: 0, "Odd.train_examples is 0; there must be at least one training example"),
    ("train_examples", lambda: True, "Odd.train_examples is True; there must be at least one training example"),
    ("train_examples", lambda: None, "Odd.train_examples is None; it is the number of training examples"),
    ("metrics", lambda: "validation/error", "Odd.metrics is 'validation/error'; it is a set of names, like frozenset"),
    ("metrics", lambda: None, "Odd.metrics is None; it is a set of names"),
    ("metrics", set, "Odd.metrics is empty; it names everything that a trial measures"),
    ("metrics", lambda: {"validation/error", 3}, "Odd.metrics holds 3; it is a set of names"),
    (
        "metrics",
        lambda: {"validation/error", "F1@0.5"},
        "Odd.metrics holds 'F1@0.5'; a name is of letters, digits, '_'",
    ),
    ("metrics", lambda: {"validation/error", "/f1"}, "Odd.metrics holds '/f1'; a name is of letters, digits"),
    ("metrics", lambda: {"validation/error", "a/../f1"}, "Odd.metrics holds 'a/../f1'; a name is of letters, digits"),
    ("hyperparameters", lambda: "learning_rate", "Odd.hyperparameters is 'learning_rate'; it is a set of names"),
    ("hyperparameters", lambda: {"learning rate"}, "Odd.hyperparameters holds 'learning rate'; a hyperparameter has a"),
]


@pytest.mark.parametrize(("member", "answer", "message"), WRONG)
def test_a_wrong_answer_is_named_with_its_value(
    member: str, answer: Callable[[], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.toy.Odd", answered(member, answer), raising=False)

    with pytest.raises(ConfigError) as caught:
        parse(SMALL.replace("tests.toy:Toy", "tests.toy:Odd"), source="toy.toml")

    assert str(caught.value).startswith(f"toy.toml: objective: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("member", ["train_examples", "metrics", "hyperparameters"])
def test_code_that_raises_is_shown_with_its_own_frames_only(member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.toy.Odd", answered(member, raised), raising=False)

    with pytest.raises(ConfigError) as caught:
        parse(SMALL.replace("tests.toy:Toy", "tests.toy:Odd"), source="toy.toml")

    first, *frames = str(caught.value).splitlines()
    assert "raised FileNotFoundError: no data here" in first
    assert any("test_members.py" in each for each in frames)
    assert not any("/tuner/experiment/" in each and "tests" not in each for each in frames)
