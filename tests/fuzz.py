"""Files with extreme numbers, texts and structures: `python -m tests.fuzz [--files N] [--runs N] [--seed S]`.

Every file is read as `tuner validate` reads it: it is valid, or refused in a few clear lines, soon and in little
memory. Some of the valid ones train for ten seconds, until SIGINT. Whatever a run does, it ends within 30 seconds of
the signal, none of its processes needs a gigabyte, and it prints no traceback.

What fails is kept in the folder `fuzzed`, a file each, with what it did in a comment at its end.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import environment, kill, processes_below
from tests.toy import SMALL
from tuner.errors import TunerError
from tuner.experiment import load, preset_text

START_SECONDS, RUN_SECONDS, STOP_SECONDS, READ_SECONDS = 60.0, 10.0, 30.0, 30.0
GIGABYTE = 1_000_000_000
MOST_LINES, MOST_LETTERS = 60, 20_000

WHOLE = (
    *(-1, 0, 1, 2, 3, 7, 16, 100, 256, 257, 1000, 10**4, 10**5, 10**6, 10**9, 10**12, 10**15, 10**18, 10**30, -(10**9)),
    *(2**31 - 1, 2**31, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64, 10**4200, 2**40_000),
)
REAL = (
    *(0.0, -0.0, 5e-324, 1e-308, 1e-100, 1e-30, 1e-9, 1e-3, 0.1, 0.10000000000000002, 0.5, 1 - 1e-16, 1 - 1e-9, 1.0),
    *(
        1.0000000000000002,
        2.5,
        1e3,
        1e6,
        1e9,
        1e15,
        1e30,
        1e100,
        1e308,
        -1e308,
        float("inf"),
        float("-inf"),
        float("nan"),
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "x" * 101,
        "y" * 250,
        "z" * 20_000,
        "a\0b",
        "\x1b[31mred",
        "\u202eback",
        "[red]x[/red]",
        "../../etc/passwd",
    ),
    *(
        "=1+1",
        "tuner.db",
        "Mlflow.db-wal",
        "logs",
        "é",
        "\ud7ff",
        "tests.toy:Toy",
        "os:system",
        "sys:exit",
        "mlp",
        "digits",
    ),
    *(
        "tpe",
        "gp",
        "cma_es",
        "log",
        "reverse_log",
        "validation/error",
        "validation/accuracy",
        "train/loss",
        "{}",
        "inf",
    ),
)
RAW = (
    "x = " + "[" * 900 + "]" * 900,
    "x = " + "{a = " * 900 + "1" + "}" * 900,
    ".".join(["a"] * 2_000) + " = 1",
    "seed = " + "9" * 5_000,
    "seed = 0x" + "f" * 5_000,
    "x = 1e999999999",
    "x = 1979-05-27T07:32:00Z",
    'name = "twice"\nname = "twice"',
    "batch_sizes = [" + "1, " * 100_000 + "]",
    '"' + "k" * 100_000 + '" = 1',
    "\0",
    "\x1b]0;title\x07",
    "x = '''",
    "# " + "c" * 2_000_000,
    "\r\n\r",
)
"""Lines that are put into a file as they are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a file.

    Attributes:
        is_valid: Whether it was read.
        wrong: What must not be; empty if nothing.
        seconds: How long it took.
        peak: Bytes of memory; when a file is only read, the most that this process has ever needed.
    """

    is_valid: bool
    wrong: str
    seconds: float
    peak: int


def files(many: int, *, seed: int) -> Iterator[str]:
    """Texts of files, the same for the same seed."""
    bases = [tomllib.loads(each) for each in (SMALL, *map(preset_text, ("digits", "nqm-sgd", "nqm-momentum")))]
    for number in range(many):
        chance = random.Random(f"{seed}/{number}")
        text = _changed(chance.choice(bases), chance)
        if chance.random() < 0.1:
            lines = text.split("\n")
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(RAW))
            text = "\n".join(lines)
        if chance.random() < 0.02:
            text = chance.choice(["\ufeff" + text, text[: chance.randrange(len(text))], text.replace("\n", "\r\n")])
        yield text


MOSTS = {
    "digits": (
        ("width = 8", "width = 256"),
        ("ask_ahead = 4", "ask_ahead = 256"),
        (
            "points = 50",
            "points = 10000\nprobes = 100\nmax_rounds = 20\nround_points = 10000\nsecond_look_points = 10000",
        ),
        ("candidates = 6", "candidates = 1000"),
        ("choose_seeds = 4", "choose_seeds = 1000"),
        ("report_seeds = 5", "report_seeds = 1000"),
        ("report_seeds = 5", "report_seeds = 5\n[measuring]\ntest_steps = 1000"),
        ("within_steps = 4000", "within_steps = 1000000000"),
        ("[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]", f"{[*range(1, 101)]}"),
        ("[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]", "[1097]"),
        ("hidden = [128]", f"hidden = {[16] * 64}"),
        ('kind = "tpe"', 'kind = "gp", startup = 10000'),
        ('kind = "tpe"', 'kind = "cma_es"'),
        ("low = 1e-3, high = 10,", "low = 1e-30, high = 1e30,"),
        ("below = 0.03", "below = 1e-30"),
        ("below = 0.03", f"below = 0.03\nalso_below = {[0.1 + each / 100 for each in range(20)]}"),
    ),
    "nqm-momentum": (
        ('spectrum = "binned"', 'spectrum = "exact"\ndimension = 100000'),
        ('noise = "expected"', 'noise = "sampled"\ndimension = 100000'),
        ("width = 1", "width = 256"),
        ("[4, 16, 64,", "[1000000000, 4, 16, 64,"),
    ),
}
"""What a preset says, and what it may say at most."""


def mosts() -> Iterator[str]:
    """Presets with one number, or some that belong together, as large as may be."""
    for preset, changes in MOSTS.items():
        for old, new in changes:
            text = preset_text(preset)
            assert old in text, old
            yield text.replace(old, new).replace(
                "\n4 = ", "\n1000000000 = 4\n4 = " if "1000000000, 4" in new else "\n4 = "
            )


def _changed(base: Mapping[str, object], chance: random.Random) -> str:
    """A file's text with one to three of its values, tables or keys replaced."""
    table = json.loads(json.dumps(base))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = [*_places(table)]
        holder, key = chance.choice(places)
        if chance.random() < 0.05:
            del holder[key]
        elif isinstance(holder, dict) and chance.random() < 0.1:
            holder[chance.choice(("x", "kind", "value", "options", "natural", "n" * 300, "a b"))] = _value(chance)
        else:
            holder[key] = _value(chance, like=holder[key])
        if not table:
            break
    return "\n".join(f"{_text(key)} = {_toml(value)}" for key, value in table.items()) + "\n"


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every value of a table, as what holds it and its key there."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield value, key
        yield from _places(each)


def _value(chance: random.Random, *, like: object = None) -> object:
    """An extreme value; mostly of the same type, because others are refused before they can do harm."""
    if isinstance(like, bool) or chance.random() < 0.15:
        return chance.choice(
            (True, False, [], {}, [[]], [[1]], {"kind": "mlp"}, {"value": 1}, [1] * 5_000, "x", 1, 0.5)
        )
    if isinstance(like, int):
        return chance.choice(WHOLE if chance.random() < 0.8 else REAL)
    if isinstance(like, float):
        return chance.choice(REAL if chance.random() < 0.8 else WHOLE)
    if isinstance(like, list):
        pool = WHOLE if chance.random() < 0.8 else TEXTS
        return [chance.choice(pool) for _ in range(chance.choice((0, 1, 2, 3, 20, 200)))]
    if isinstance(like, str):
        return chance.choice(TEXTS)
    low, high = sorted(chance.choices([each for each in REAL if each == each], k=2))
    scale = chance.choice(("linear", "log", "reverse_log"))
    return chance.choice(({"low": low, "high": high, "scale": scale}, {"value": chance.choice(REAL)}))


def _toml(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 10_000 else hex(value)
    return repr(value) if isinstance(value, float) else _text(value)


def _text(value: object) -> str:
    """A text in quotes: what JSON escapes, TOML does too."""
    return json.dumps(str(value), ensure_ascii=True).replace("\x7f", "\\u007f")


def read(path: Path) -> Seen:
    """Read a file as `tuner validate` does."""
    began, said, wrong, is_valid = time.monotonic(), "", "", False
    try:
        load(str(path)).build_objective()
        is_valid = True
    except TunerError as error:
        said = str(error)
    except BaseException as error:
        wrong = f"{type(error).__name__}: {error}"[:500]
    seconds, peak = time.monotonic() - began, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if len(said.split("\n")) > MOST_LINES or len(said) > MOST_LETTERS:
        wrong = f"says {len(said)} letters"
    if seconds > READ_SECONDS:
        wrong = f"took {seconds:.0f} s"
    return Seen(is_valid, wrong, seconds, peak)


def run(path: Path) -> Seen:
    """Train from a file for ten seconds in an empty folder, and stop it."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("w+b") as said:
        command = [sys.executable, "-m", "tuner", "run", str(path), "--workers", "1"]
        with subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, env=environment(), start_new_session=True
        ) as process:
            began, peak, trains = time.monotonic(), 0, False
            while process.poll() is None and time.monotonic() - began < (RUN_SECONDS if trains else START_SECONDS):
                if not trains and b"\nbatch size" in (Path(folder) / "said").read_bytes():
                    began, trains = time.monotonic(), True
                peak = max(peak, memory(process.pid))
                time.sleep(0.2)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            asked = time.monotonic()
            while process.poll() is None and time.monotonic() - asked < STOP_SECONDS:
                peak = max(peak, memory(process.pid))
                time.sleep(0.2)
            seconds, is_over = time.monotonic() - asked, process.poll() is not None
            kill(process)
        said.seek(0)
        text = said.read().decode(errors="replace")
    wrong = "" if is_over else f"did not end within {STOP_SECONDS:.0f} s of the signal"
    if peak > GIGABYTE:
        wrong = f"needs {peak / 1e6:,.0f} MB"
    if "Traceback (most recent call last)" in text:
        wrong = "prints a traceback"
    return Seen(process.returncode in (0, 130), f"{wrong}\n{text[-3000:]}" if wrong else "", seconds, peak)


def memory(process: int) -> int:
    """Bytes that the largest holds of a process and all that it has started; a page that several share is divided."""
    held = 0
    for each in {process, *processes_below(process)}:
        with suppress(OSError, ValueError):  # it has ended since
            lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines()
            held = max(held, 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")))
    return held


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=2000)
    options.add_argument("--runs", type=int, default=25)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    kept = Path("fuzzed")
    valid: list[str] = []
    failed, slowest, peak = 0, 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.toml"
        for number, text in enumerate(files(given.files, seed=given.seed)):
            path.write_text(text, encoding="utf-8", newline="")
            seen = read(path)
            valid += [text] if seen.is_valid else []
            wrong = seen.wrong or (f"needs {seen.peak / 1e6:,.0f} MB" if peak <= GIGABYTE < seen.peak else "")
            failed += _keep(kept / f"read-{given.seed}-{number}.toml", text, wrong)
            slowest, peak = max(slowest, seen.seconds), seen.peak
        how = f"the slowest in {slowest:.1f} s, all within {peak / 1e6:.0f} MB"
        print(f"{given.files} files read: {len(valid)} valid, {failed} wrong, {how}", flush=True)
        random.Random(given.seed).shuffle(valid)
        runs, longest, largest = [*mosts(), *valid][: given.runs], 0.0, 0
        for number, text in enumerate(runs):
            path.write_text(text, encoding="utf-8", newline="")
            seen = run(path)
            failed += _keep(kept / f"run-{given.seed}-{number}.toml", text, seen.wrong)
            longest, largest = max(longest, seen.seconds), max(largest, seen.peak)
            print(f"  run {number}: {seen.seconds:.1f} s, {seen.peak / 1e6:.0f} MB {seen.wrong[:100]!r}", flush=True)
    print(f"{len(runs)} runs: ended {longest:.1f} s after the signal at the latest, in {largest / 1e6:.0f} MB at most")
    print(f"{failed} of {given.files} files and {len(runs)} runs went wrong")
    return min(failed, 1)


def _keep(path: Path, text: str, wrong: str) -> bool:
    """Keep a file that went wrong; whether it did."""
    if wrong:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n# " + wrong.replace("\n", "\n# ") + "\n", encoding="utf-8", newline="")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
