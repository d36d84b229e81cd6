"""A small part of the fuzzer's files, the same ones each time: `python -m tests.fuzz` makes any number of others."""

import itertools
from pathlib import Path

import pytest

from tests import fuzz

FILES, RUNS, SEED = 200, 3, 7


def test_every_file_is_valid_or_refused_in_a_few_clear_lines(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    seen = []
    for text in fuzz.files(FILES, seed=SEED):
        path.write_text(text, encoding="utf-8", newline="")
        seen.append((fuzz.read(path), text))

    assert [(each.wrong, text) for each, text in seen if each.wrong] == []
    assert FILES / 50 < sum(each.is_valid for each, _ in seen) < FILES / 2


@pytest.mark.slow
def test_every_run_of_a_file_ends_soon_after_a_signal_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"

    def valid(text: str) -> bool:
        path.write_text(text, encoding="utf-8", newline="")
        return fuzz.read(path).is_valid

    for text in itertools.islice(filter(valid, fuzz.files(1000, seed=SEED)), RUNS):
        path.write_text(text, encoding="utf-8", newline="")

        assert fuzz.run(path).wrong == ""
