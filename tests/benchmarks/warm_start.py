"""Does it help to begin a study with the optimum of a neighbouring batch size?

Run as `python -m tests.benchmarks.warm_start [--preset nqm-small] [--seeds 5] [--json]`. The experiment is run as
`tuner run` does it with one worker, in one round, over experiment seeds: with a warm start and without. For each batch
size it prints the winner's confirmed steps, and the gradient steps that the search spent: medians over seeds. The
largest batch size is searched first, has no neighbour yet, and is the same in both.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from rich.console import Console
from rich.table import Table

from tests.benchmarks import problems
from tests.benchmarks.runs import record_of
from tuner.analysis.summary import StudyResults, results
from tuner.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Row:
    """One batch size: medians over seeds without a warm start (cold) and with one.

    Attributes:
        cold_steps, warm_steps: The winner's, confirmed.
        ratio, worst_ratio: Warm over cold steps of the same seed: median and greatest.
        better, worse: Seeds whose winner took at least 2 % fewer steps, or 2 % more, with a warm start.
        cold_spent, warm_spent: Gradient steps of the search.
    """

    batch_size: int
    cold_steps: float
    warm_steps: float
    ratio: float
    worst_ratio: float
    better: int
    worse: int
    cold_spent: float
    warm_spent: float


def studies(experiment: Experiment, *, seed: int, warm: bool) -> tuple[StudyResults, ...]:
    """What a run comes to."""
    search = replace(experiment.search, warm_start=warm, max_rounds=1, probes=0)
    return results(record_of(replace(experiment, seed=seed, search=search))).studies


def confirmed_steps(study: StudyResults) -> float:
    """The winner's steps; infinite if nothing reached the target."""
    return study.confirmed.score if study.confirmed is not None else float("inf")


def measure(experiment: Experiment, seeds: int) -> Iterator[Row]:
    """A row for each batch size."""
    cold, warm = ([studies(experiment, seed=seed, warm=each) for seed in range(seeds)] for each in (False, True))
    for before, after in zip(zip(*cold, strict=True), zip(*warm, strict=True), strict=True):
        cold_steps, warm_steps = ([confirmed_steps(each) for each in runs] for runs in (before, after))
        ratios = [mine / other for mine, other in zip(warm_steps, cold_steps, strict=True)]
        yield Row(
            batch_size=before[0].batch_size,
            cold_steps=statistics.median(cold_steps),
            warm_steps=statistics.median(warm_steps),
            ratio=statistics.median(ratios),
            worst_ratio=max(ratios),
            better=sum(each <= 0.98 for each in ratios),
            worse=sum(each >= 1.02 for each in ratios),
            cold_spent=statistics.median(each.steps_spent for each in before),
            warm_spent=statistics.median(each.steps_spent for each in after),
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nqm-small")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = list(measure(problems.experiment(given.preset), given.seeds))
    if given.json:
        print(json.dumps({"preset": given.preset, "seeds": given.seeds, "results": [asdict(each) for each in rows]}))
        return
    table = Table("batch size", "cold steps", "warm", "ratio", "worst", "better", "worse", "cold spent", "warm spent")
    for each in rows:
        table.add_row(
            f"{each.batch_size:,}",
            *(f"{steps:,.0f}" for steps in (each.cold_steps, each.warm_steps)),
            *(f"{ratio:.2f}" for ratio in (each.ratio, each.worst_ratio)),
            *(str(count) for count in (each.better, each.worse)),
            *(f"{steps:,.0f}" for steps in (each.cold_spent, each.warm_spent)),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
