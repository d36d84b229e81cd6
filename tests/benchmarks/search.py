"""What a search costs, and how near it comes: ours with each sampler, beside the published protocol and plain Optuna.

Run as `python -m tests.benchmarks.search [--problem digits/32 ...] [--method gp ...] [--seeds 20]
[--points N] [--json]`. Methods:

- `published`: 100 quasi-random points, every trial at full budget (Shallue et al. 2019).
- `optuna`: 100 points of Optuna's default TPE, every trial at full budget.
- `tpe`, `gp`, `cma_es`, `quasi_random`: the problem's preset with that sampler: as many points and as wide as the
  preset says, capped, cut early, and its winner chosen among several candidates on fresh seeds.

For each method, medians over seeds: gradient steps until the incumbent is within 5 % of the optimum (all it spent, for
a search whose incumbents never were), steps in all, and the regret: how much worse the point is that it recommends, as
a share of the optimum. `reached` is the share of seeds whose incumbent came within 5 %, `near` that of those whose
recommendation is within 10 %. Steps of choosing the winner count, those of reporting it do not.
"""

import argparse
import json
import math
import os
import statistics
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product

import torch
from rich.console import Console
from rich.table import Table

from tests.benchmarks.memory import searched
from tests.benchmarks.problems import Point, problem
from tuner.analysis.optimum.confirmation import confirm
from tuner.experiment import Experiment
from tuner.records import Role, StudyRecord
from tuner.trial import Outcome

PROBLEMS = ("nqm-small/64", "nqm-small/1024", "nqm-small/65536", "digits/8", "digits/32", "digits/128")
METHODS = ("published", "optuna", "tpe", "gp", "cma_es", "quasi_random")
BASELINES = {"published": {"kind": "quasi_random"}, "optuna": {"kind": "tests.benchmarks.plain:OptunaDefault"}}
CLOSE, NEAR = 1.05, 1.10


@dataclass(frozen=True, slots=True)
class Run:
    """One search.

    Attributes:
        steps_to_5_percent: Infinite if its incumbents never were so close.
        regret: Of the point it recommends.
    """

    steps_to_5_percent: float
    steps_spent: int
    regret: float


@dataclass(frozen=True, slots=True)
class Row:
    """A method on a problem: medians over seeds."""

    problem: str
    method: str
    seeds: int
    steps_to_5_percent: float
    steps_spent: float
    regret: float
    reached: float
    near: float


def settings(experiment: Experiment, method: str, seed: int, points: int | None = None) -> Experiment:
    """The experiment as a method searches it, within the box that its optimum is known for.

    Args:
        experiment: The preset.
        method: One of `METHODS`.
        seed: The experiment's.
        points: If given, how many our methods search instead of the preset's.
    """
    within = replace(experiment.search, max_rounds=1, probes=0)
    if method in BASELINES:
        search = replace(within, sampler=BASELINES[method], points=100, slack=math.inf, optimism=math.inf)
    else:
        sampler = within.sampler if within.sampler["kind"] == method else {"kind": method}
        search = replace(within, sampler=sampler, points=points or within.points)
    return replace(experiment, seed=seed, search=search)


def incumbents(study: StudyRecord) -> Iterator[tuple[int, Point]]:
    """Every incumbent of a search, with the steps spent when its trial ended."""
    spent, fewest = 0, math.inf
    for each in study.finished(Role.SEARCH):
        end = each.end
        assert end is not None
        spent += end.spent
        if end.outcome is Outcome.ACHIEVED and end.steps < fewest:
            fewest = end.steps
            yield spent, each.plan.hyperparameters


def measure(name: str, method: str, seed: int, points: int | None = None) -> Run:
    """One search, and what its points are worth."""
    torch.set_num_threads(1)
    known = problem(name)
    experiment = settings(known.experiment, method, seed, points)
    study, optimum = searched(experiment, known.batch_size), known.optimum()
    found = list(incumbents(study))
    value = cache(lambda index: known.value(found[index][1]))
    close = (spent for index, (spent, _) in enumerate(found) if value(index) <= CLOSE * optimum)
    roles = (Role.SEARCH,) if method in BASELINES else (Role.SEARCH, Role.CHOOSE)
    spent = sum(each.end.spent for each in study.finished(*roles) if each.end is not None)
    best = value(len(found) - 1) if found else math.inf
    winner = None if method in BASELINES else confirm(study, experiment.confirmation)
    worth = best if winner is None else known.value(winner.hyperparameters)
    return Run(next(close, math.inf), spent, worth / optimum - 1)


def summary(name: str, method: str, runs: list[Run]) -> Row:
    """The medians of some runs."""
    return Row(
        problem=name,
        method=method,
        seeds=len(runs),
        steps_to_5_percent=statistics.median(min(each.steps_to_5_percent, each.steps_spent) for each in runs),
        steps_spent=statistics.median(each.steps_spent for each in runs),
        regret=statistics.median(each.regret for each in runs),
        reached=statistics.mean(math.isfinite(each.steps_to_5_percent) for each in runs),
        near=statistics.mean(each.regret <= NEAR - 1 for each in runs),
    )


def rows(
    problems: Iterable[str], methods: Iterable[str], *, seeds: int, points: int | None, processes: int
) -> Iterator[Row]:
    """A row for each problem and method."""
    with ProcessPoolExecutor(processes) as pool:
        jobs = {
            (name, method): [pool.submit(measure, name, method, seed, points) for seed in range(seeds)]
            for name, method in product(problems, methods)
        }
        for (name, method), runs in jobs.items():
            yield summary(name, method, [each.result() for each in runs])


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", nargs="+", default=PROBLEMS)
    parser.add_argument("--method", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--points", type=int, help="of our methods; default: the preset's")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    measured = rows(given.problem, given.method, seeds=given.seeds, points=given.points, processes=given.processes)
    if given.json:
        print(json.dumps({"results": [asdict(each) for each in measured]}))
        return
    table = Table("problem", "method", "to 5 %", "spent", "regret", "reached 5 %", "within 10 %")
    for each in measured:
        numbers = (f"{each.steps_to_5_percent:,.0f}", f"{each.steps_spent:,.0f}")
        shares = (f"{each.regret:.0%}", f"{each.reached:.0%}", f"{each.near:.0%}")
        table.add_row(each.problem, each.method, *numbers, *shares)
    Console().print(table)


if __name__ == "__main__":
    main()
