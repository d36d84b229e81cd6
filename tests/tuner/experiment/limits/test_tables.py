"""A file that no parser, printer or database takes is refused in a few short lines."""

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.toy import TOY
from tuner.errors import MOST_LINES, ConfigError, TunerError
from tuner.experiment import load, load_any, parse
from tuner.experiment.limits.tables import table_problems


def deep(levels: int) -> dict[str, object]:
    table: dict[str, object] = {}
    for _ in range(levels):
        table = {"x": table}
    return table


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x = 1" + "0" * 4_300, "holds a whole number of thousands of digits"),
        ("x = 0x1" + "0" * 5_000, "x: is a whole number of 20,001 bits; at most 63"),
        ("x = " + "[" * 900 + "]" * 900, "has tables or lists within hundreds of others"),
        ("x = " + "{a = " * 900 + "1" + "}" * 900, "has tables or lists within hundreds of others"),
        (".".join("a" * 900) + " = 1", "a.a.a.* is a table within 21 others; at most 20"),
        ("x = '" + "y" * 10_001 + "'", "x: is a text of 10,001 letters; at most 10,000"),
        ("k" * 251 + " = 1", "has a key of 251 letters; at most 250"),
        ("x = [" + "1," * 1_001 + "]", "x: has 1,001 entries; at most 1,000"),
        ("x = [" + ("[" + "1," * 999 + "],") * 20 + "]", "holds more than 10,000 values; settings are fewer"),
        ("# " + "c" * 1_000_000, "is no experiment's file: it has more than 1,000,000 letters"),
        ("seed = 3", "is not valid TOML: Cannot overwrite a value"),
        ("\0", "is not valid TOML"),
        ("x = 'a\x1b[31m'", "is not valid TOML: Found invalid character"),
    ],
)
def test_what_is_too_large_is_refused_in_a_short_line(line: str, message: str) -> None:
    text = TOY.replace("seed = 3", f"seed = 3\n{line}")

    with pytest.raises(ConfigError, match=f"^mine.toml: {message}") as caught:
        parse(text, source="mine.toml")
    assert len(str(caught.value)) < 1_000


def test_a_table_within_itself_is_refused() -> None:
    table: dict[str, object] = {}
    table["x"], table["y"] = table, table

    assert table_problems(table)
    with pytest.raises(ConfigError, match="at most 20"):
        load_any(table)


def test_tables_as_deep_as_allowed_are_taken() -> None:
    assert table_problems(deep(20)) == []
    assert [each.message for each in table_problems(deep(100_000))] == ["is a table within 21 others; at most 20"]


def test_a_list_of_problems_ends_after_twenty_with_how_many_there_are_more() -> None:
    text = TOY + "\n" + "\n".join(f"wrong{each} = 1" for each in range(51))

    with pytest.raises(ConfigError) as caught:
        parse(text, source="mine.toml")

    *lines, last = str(caught.value).splitlines()
    assert len(lines) == MOST_LINES
    assert last == "... and 31 more problems"
    assert len(caught.value.problems) == 51


def test_a_long_value_is_shown_by_its_ends() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(TOY.replace("seed = 3", f"seed = '{'y' * 9_000}'"), source="mine.toml")

    assert "seed: should be a valid integer, not 'yyyy" in str(caught.value)
    assert "more letters) ... yyy" in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/dev/urandom", "a\0b", "x" * 5_000, "/nowhere/at/all.toml"])
def test_what_is_no_file_of_text_is_refused_at_once(path: str) -> None:
    began = time.monotonic()

    with pytest.raises(TunerError, match=r"cannot be read|it has more than 1,000,000 letters"):
        load(path)
    assert time.monotonic() - began < 5


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.touch()
    os.truncate(path, 100_000_000)

    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="it has more than 1,000,000 letters"):
            load(str(path))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("before", ["\ufeff", ""])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_files_of_other_editors_are_read(before: str, newline: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(before + TOY, encoding="utf-8", newline=newline)

    assert load(str(path)) == parse(TOY, source="toy.toml")
