"""How reliable is a confirmed optimum? An experiment is repeated over experiment seeds, and the optima are compared.

Run as `python -m tests.benchmarks.stability [--preset digits] [--seeds 8] [--jobs 2] [--json]`. Each experiment is run
as `tuner run` does it with one worker. For each batch size it prints:

- the confirmed steps over the experiment seeds: least, middle and greatest, and greatest over least;
- the regret: how many more steps the winners take than the best point known, by medians over 64 fresh seeds; the mean,
  and the greatest. The best point known is chosen by 64 other seeds among all winners of this batch size and of its
  neighbours, and the point of `digits_reference.json` where there is one. A regret below 0 is chance;
- trials that chose the winner, a study, and how many studies were looked at again or are in doubt at the end;
- coverage: the share of experiments whose published interval holds the middle of all experiments.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import fmean, median

import torch
from rich.console import Console
from rich.table import Table

from tests.benchmarks.problems import REFERENCE, Point, medians
from tests.benchmarks.runs import record_of
from tuner.analysis.summary import Results, StudyResults, results
from tuner.experiment import Experiment, load
from tuner.records import ExperimentRecord, Role, neighbours

ROUGH_SEEDS, SEEDS = 16, 64
BEST = 6
"""Points that are compared by all seeds, after a comparison by a few."""
FAR = 8
"""A point that takes more than this many times the least confirmed steps counts as never reaching the target."""


@dataclass(frozen=True, slots=True)
class Row:
    """One batch size over all experiment seeds, as the module says."""

    batch_size: int
    least: float
    middle: float
    greatest: float
    mean_regret: float
    worst_regret: float
    choosing_runs: float
    looked_again: int
    in_doubt: int
    seed_coverage: float
    search_coverage: float


def measure(experiment: Experiment, seed: int) -> ExperimentRecord:
    """One experiment."""
    torch.set_num_threads(1)
    return record_of(replace(experiment, seed=seed))


def regrets(experiment: Experiment, found: Mapping[int, Sequence[Point]], batch_size: int) -> list[float]:
    """The regret of each winner of a batch size.

    Args:
        experiment: The preset.
        found: The winners of all experiments, by batch size.
        batch_size: Of the winners that are judged.
    """
    torch.set_num_threads(1)
    near = (batch_size, *neighbours(batch_size, found))
    known = _different([point for size in near for point in found[size]] + _reference(experiment, batch_size))
    within = experiment.goal.at(batch_size).within_steps
    measured = partial(medians, experiment, batch_size, within=within)
    rough = measured(known, seeds=ROUGH_SEEDS)
    order = sorted(range(len(known)), key=rough.__getitem__)[:BEST]
    finalists = [known[each] for each in order]
    within = min(within, FAR * math.ceil(rough[order[0]]))
    chosen = measured(finalists, seeds=SEEDS, within=within)
    best = finalists[chosen.index(min(chosen))]
    judged = _different([*found[batch_size], best])
    worth = measured(judged, seeds=SEEDS, first=SEEDS, within=within)
    least = worth[judged.index(best)]
    return [worth[judged.index(each)] / least - 1 for each in found[batch_size]]


def _different(points: Sequence[Point]) -> list[Point]:
    return [each for index, each in enumerate(points) if each not in points[:index]]


def _reference(experiment: Experiment, batch_size: int) -> list[Point]:
    """The best of 1,000 trials, where it is known."""
    known = json.loads(REFERENCE.read_text()) if experiment.name == "digits" else {}
    return [known[str(batch_size)]["point"]] if str(batch_size) in known else []


def rows(experiment: Experiment, records: Sequence[ExperimentRecord], *, jobs: int) -> Iterator[Row]:
    """A row for each batch size."""
    summaries = [results(each) for each in records]
    found = {
        size: [each.confirmed.hyperparameters for each in _studies(summaries, size) if each.confirmed is not None]
        for size in experiment.batch_sizes
    }
    with ProcessPoolExecutor(jobs) as pool:
        judged = pool.map(partial(regrets, experiment, found), experiment.batch_sizes)
        for size, losses in zip(experiment.batch_sizes, judged, strict=True):
            yield _row(size, losses, summaries, records)


def _studies(summaries: Sequence[Results], batch_size: int) -> list[StudyResults]:
    return [study for each in summaries for study in each.studies if study.batch_size == batch_size]


def _row(
    batch_size: int, losses: Sequence[float], summaries: Sequence[Results], records: Sequence[ExperimentRecord]
) -> Row:
    studies = _studies(summaries, batch_size)
    stored = [study for each in records for study in each.studies if study.batch_size == batch_size]
    confirmed = [each.confirmed for each in studies if each.confirmed is not None]
    steps = sorted(each.score for each in confirmed)
    middle = median(steps)
    return Row(
        batch_size=batch_size,
        least=steps[0],
        middle=middle,
        greatest=steps[-1],
        mean_regret=fmean(losses),
        worst_regret=max(losses),
        choosing_runs=fmean(len(each.first_look.finished(Role.CHOOSE)) for each in stored),
        looked_again=sum(each.is_second_look for each in stored),
        in_doubt=sum(each.doubt is not None for each in studies),
        seed_coverage=fmean(each.interval.low <= middle <= each.interval.high for each in confirmed),
        search_coverage=fmean(
            each.repeated is not None and each.repeated.low <= middle <= each.repeated.high for each in studies
        ),
    )


def table(found: Sequence[Row]) -> Table:
    """The rows for people, and below them the means over the batch sizes from 8 on."""
    shown = Table(
        *("batch size", "confirmed steps", "greatest / least", "mean regret", "worst", "choosing runs"),
        *("looked again", "in doubt", "covered, seeds", "covered, searches"),
    )
    for each in found:
        shown.add_row(
            f"{each.batch_size:,}",
            f"{each.least:,.0f} / {each.middle:,.0f} / {each.greatest:,.0f}",
            f"{each.greatest / each.least:.2f}",
            f"{each.mean_regret:.1%}",
            f"{each.worst_regret:.0%}",
            f"{each.choosing_runs:.1f}",
            *(str(each.looked_again), str(each.in_doubt)),
            *(f"{each.seed_coverage:.0%}", f"{each.search_coverage:.0%}"),
        )
    return shown


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="digits")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    experiment = load(options.preset)
    with ProcessPoolExecutor(options.jobs) as pool:
        records = list(pool.map(partial(measure, experiment), range(1, options.seeds + 1)))
    found = list(rows(experiment, records, jobs=options.jobs))
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=2))
        return
    console = Console()
    console.print(table(found))
    large = [each for each in found if each.batch_size >= 8]
    mean = fmean(each.mean_regret for each in large)
    runs = fmean(each.choosing_runs for each in found)
    console.print(
        f"batch sizes from 8 on: mean regret {mean:.1%}, worst {max(each.worst_regret for each in large):.0%}"
    )
    console.print(f"choosing runs a study: {runs:.1f}")
    console.print(
        f"the middle of all experiments is covered: by {fmean(each.seed_coverage for each in found):.0%} of the "
        f"intervals over seeds, by {fmean(each.search_coverage for each in found):.0%} of those over searches"
    )


if __name__ == "__main__":
    main()
