"""A text is cut into parts, and these into examples in which every byte is predicted from those before it."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from objectives.data import Dataset, Split
from objectives.data.entry.splits import splits_of
from objectives.data.text import Text, _split
from objectives.losses import Targets
from tuner.errors import ConfigError
from tuner.experiment.components import build


def written(folder: Path, content: bytes) -> str:
    (folder / "text.txt").write_bytes(content)
    return str(folder / "text.txt")


def joined(part: Split) -> bytes:
    """What is left of a part: the first byte, and those that are predicted."""
    return bytes([int(part.inputs[0, 0]), *part.labels.flatten().tolist()])


def test_a_text_is_cut_into_consecutive_parts_and_these_into_examples(tmp_path: Path) -> None:
    text = bytes(range(100))

    found = Text(written(tmp_path, text), context=4, validation=0.2, test=0.1).load()

    assert found.train.inputs[:2].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert found.train.labels[:2].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    # Of 70, 20 and 10 bytes, 69, 19 and 9 follow another one: 17, 4 and 2 examples of four.
    parts = [joined(each) for each in (found.train, found.validation, found.test)]
    assert parts == [text[:69], text[70:87], text[90:99]]
    assert (found.shape, found.classes) == ((4,), 256)
    assert found.train.inputs.dtype == found.train.labels.dtype == torch.int64


@given(st.binary(min_size=11, max_size=100), st.integers(1, 10))
def test_every_byte_but_the_first_is_predicted_once_up_to_less_than_an_example(text: bytes, context: int) -> None:
    part = _split(torch.tensor(list(text)), context)

    assert text.startswith(joined(part))
    assert len(text) - context < len(joined(part)) <= len(text)
    assert torch.equal(part.inputs[:, 1:], part.labels[:, :-1])


def test_a_text_passes_unchanged_to_a_model_for_whole_numbers(tmp_path: Path) -> None:
    data = Text(written(tmp_path, bytes(range(200)) * 5), context=8)

    ours, checked = data.load(), splits_of(data, Targets.TOKENS, whole_numbers=True)

    assert (checked.classes, checked.shape) == (ours.classes, ours.shape)
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(checked, part).inputs, getattr(ours, part).inputs)
        assert torch.equal(getattr(checked, part).labels, getattr(ours, part).labels)


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (
            b"",
            {},
            "has 0 bytes, 0 of them for train; an example needs context \\+ 1 = 65: give a longer text, a smaller",
        ),
        (b"a" * 640, {}, "has 640 bytes, 64 of them for validation; an example needs context \\+ 1 = 65"),
        (b"a" * 999, {"test": 0.0}, "has 999 bytes, 0 of them for test; an example needs context \\+ 1 = 65"),
        (b"a" * 999, {"validation": 0.99, "test": 0.005}, "has 999 bytes, 5 of them for train; an example needs"),
    ],
)
def test_a_text_that_is_too_short_is_refused(
    tmp_path: Path, content: bytes, settings: dict[str, float], message: str
) -> None:
    data = build("objectives.data", {"kind": "text", "file": written(tmp_path, content), **settings}, Text)

    with pytest.raises(ConfigError, match=rf"text\.txt {message}"):
        data.load()


def test_a_text_of_one_example_a_part_is_enough(tmp_path: Path) -> None:
    found = Text(written(tmp_path, b"a" * 650)).load()

    assert [len(each) for each in (found.train, found.validation, found.test)] == [8, 1, 1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.txt", "No such file or directory"), (".", "Is a directory"), ("\0", "embedded null byte")],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot be read: {reason}; the path is from the current folder"):
        Text(str(tmp_path / name)).load()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": 0.5, "test": 0.5}, "the shares validation 0.5 and test 0.5 leave nothing to train on"),
        ({"context": 0}, "context"),
        ({"validation": -0.1}, "validation"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("objectives.data", {"kind": "text", "file": "text.txt", **settings}, Dataset)
