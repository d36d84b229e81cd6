"""`tuner run digits` beside an ordinary script that tunes one trial at a time, each on one core.

Run as `python -m tests.benchmarks.one_at_a_time [--core N] [--runs 3] [--folder FOLDER] [--json]`. The script
(`tests.benchmarks.ordinary_script`) has as many trials as the preset's search: 50 at each of ten batch sizes. It runs
once, and ours before and after it, confirmation included, and once more with the least of it. What is in the folder
already is not run again.

Prints wall and processor seconds of each, of all their processes, starts included; and what the two searches' winners
take: medians over 64 fresh seeds, trained alike.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from tests.benchmarks.problems import medians
from tests.commands import environment
from tuner.analysis.optimum.confirmation import optimum
from tuner.experiment import load, preset_text
from tuner.records import Role
from tuner.service.locations import existing_store
from tuner.trial import Value

SEEDS = 64


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took, of its process and all that it started."""

    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Winners:
    """Steps to target of both winners at a batch size: medians over fresh seeds."""

    batch_size: int
    script: float
    tuner: float


def timed(command: Sequence[str], folder: Path, *, core: int) -> Cost:
    """Run a Python module in a folder, on one core. What it prints goes to `output.txt` there.

    Raises:
        CalledProcessError: It failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / "output.txt").open("w") as output:
        subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment(),
            check=True,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(round(time.monotonic() - began, 1), round(used, 1))


def cost(command: Sequence[str], folder: Path, *, core: int) -> Cost:
    """What a run took, now or when it was done in this folder."""
    kept = folder / "cost.json"
    if not kept.exists():
        kept.write_text(json.dumps(asdict(timed(command, folder, core=core))))
    return Cost(**json.loads(kept.read_text()))


def least_confirmed() -> str:
    """The preset, with as little confirmation as there can be: what the search alone takes."""
    before, _, _ = preset_text("digits").partition("[confirmation]")
    return before + "[confirmation]\ncandidates = 1\nchoose_seeds = 1\nreport_seeds = 1\n"


def tuner_cost(text: str, folder: Path, *, core: int) -> Cost:
    """What `tuner run` of an experiment took."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.toml").write_text(text)
    return cost(("tuner", "run", "experiment.toml"), folder, core=core)


def winners_of(folder: Path) -> Mapping[int, Mapping[str, Value]]:
    """What a `tuner run digits` found, by batch size."""
    with existing_store(f"sqlite:///{folder / 'runs' / 'tuner.db'}") as store:
        record = store.record("digits")
    found = {each.batch_size: optimum(each, record.experiment.confirmation) for each in record.studies}
    return {size: point for size, point in found.items() if point is not None}


def steps_of(folder: Path) -> tuple[int, int]:
    """Gradient steps of the search and of the confirmation of a `tuner run digits`."""
    with existing_store(f"sqlite:///{folder / 'runs' / 'tuner.db'}") as store:
        studies = store.record("digits").studies
    searched, confirmed = (
        sum(each.end.spent for study in studies for each in study.finished(*roles) if each.end is not None)
        for roles in ((Role.SEARCH,), (Role.CHOOSE, Role.REPORT))
    )
    return searched, confirmed


def compared(script: Path, ours: Path) -> Iterator[Winners]:
    """Both winners at each batch size where ours reached the target."""
    digits, found = load("digits"), winners_of(ours)
    for size, theirs in json.loads((script / "winners.json").read_text()).items():
        batch_size = int(size)
        points = [theirs, found[batch_size]]
        yield Winners(
            batch_size,
            *medians(digits, batch_size, points, seeds=SEEDS, within=digits.goal.at(batch_size).within_steps),
        )


def show(results: Mapping[str, Sequence[Cost]], winners: Sequence[Winners], steps: tuple[int, int]) -> None:
    """Tables for people."""
    script = results["script"][0]
    costs = Table("", "wall, s", "times less", "processor, s", "times less")
    for name, runs in results.items():
        wall, cpu = (statistics.median(each) for each in zip(*(asdict(run).values() for run in runs), strict=True))
        spread = [
            f"{min(each):.0f}-{max(each):.0f}" for each in zip(*(asdict(run).values() for run in runs), strict=True)
        ]
        ratios = script.wall_seconds / wall, script.cpu_seconds / cpu
        costs.add_row(
            name, f"{wall:.0f} ({spread[0]})", f"{ratios[0]:.1f}", f"{cpu:.0f} ({spread[1]})", f"{ratios[1]:.1f}"
        )
    medians_table = Table("batch size", "script's winner", "tuner's", "ratio")
    for each in winners:
        medians_table.add_row(
            f"{each.batch_size:,}", f"{each.script:g}", f"{each.tuner:g}", f"{each.tuner / each.script:.2f}"
        )
    Console().print(costs, medians_table, f"gradient steps of ours: {steps[0]:,} searched, {steps[1]:,} confirmed")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3, help="of ours")
    parser.add_argument("--seed", type=int, default=0, help="of the script")
    parser.add_argument("--folder", type=Path, help="keep what is measured here")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = (given.folder or Path(tempfile.mkdtemp(prefix="one-at-a-time-"))).resolve()
    ours = [folder / f"tuner-{each}" for each in range(given.runs)]
    half = (given.runs + 1) // 2
    runs = [tuner_cost(preset_text("digits"), each, core=given.core) for each in ours[:half]]
    command = ("tests.benchmarks.ordinary_script", ".", "--seed", str(given.seed))
    script = cost(command, folder / "script", core=given.core)
    runs += [tuner_cost(preset_text("digits"), each, core=given.core) for each in ours[half:]]
    alone = tuner_cost(least_confirmed(), folder / "least-confirmed", core=given.core)
    results = {"script": [script], "tuner run digits": runs, "with the least confirmation": [alone]}
    winners, steps = list(compared(folder / "script", ours[0])), steps_of(ours[0])
    if given.json:
        costs = {name: [asdict(each) for each in found] for name, found in results.items()}
        print(json.dumps({"costs": costs, "steps": steps, "winners": [asdict(each) for each in winners]}))
        return
    show(results, winners, steps)


if __name__ == "__main__":
    main()
