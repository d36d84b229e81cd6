"""How near a search comes to the known optimum: the noisy quadratic model, over experiment seeds.

Run as `python -m tests.benchmarks.quadratic [--preset nqm-momentum] [--seeds 10] [--json]`. For each batch size it
prints the ratio of the fewest steps a search found to the exact optimum in the same box: the median over seeds, the
best and the worst. Searches are run as `tuner run` runs them, but for the store.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace

from rich.console import Console
from rich.table import Table

from tuner.analysis.prediction import predicted_curve
from tuner.experiment import Experiment, load
from tuner.objective import Objective
from tuner.plugins import build
from tuner.records import Role, TrialPlan
from tuner.samplers import Sampler
from tuner.study import Ended, Trial, search
from tuner.trial import Outcome, hash_seed


@dataclass(frozen=True, slots=True)
class Row:
    """How near the searches at one batch size came."""

    batch_size: int
    optimum: int
    median: float
    best: float
    worst: float


def fewest_steps(experiment: Experiment, objective: Objective, batch_size: int) -> int:
    """What one search finds, one point after the other."""
    goal = experiment.goal.at(batch_size)
    sampler = build("tuner.samplers", experiment.search.sampler, Sampler)
    suggestions = sampler.start(experiment.space, seed=hash_seed("sampler", experiment.seed, batch_size, 1))

    def trials() -> Iterator[Trial]:
        for number in range(experiment.search.points):
            yield Trial(number, TrialPlan(number, 0, Role.SEARCH, number, suggestions.ask(number), 1, "cpu"))

    fewest = goal.within_steps
    with closing(objective.trainer(batch_size, lanes=1, device="cpu")) as trainer:
        for event in search(trainer, trials(), goal, slack=experiment.search.slack):
            if isinstance(event, Ended):
                suggestions.tell(event.trial.number, goal.loss(event.result))
                if event.result.outcome is Outcome.ACHIEVED:
                    fewest = min(fewest, event.result.steps)
    return fewest


def measure(experiment: Experiment, seeds: int) -> Iterator[Row]:
    """A row for each batch size."""
    objective = experiment.build_objective()
    for point in predicted_curve(experiment).points:
        found = [
            fewest_steps(replace(experiment, seed=seed), objective, point.batch_size) / point.steps
            for seed in range(seeds)
        ]
        yield Row(point.batch_size, int(point.steps), statistics.median(found), min(found), max(found))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nqm-momentum")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = list(measure(load(given.preset), given.seeds))
    if given.json:
        print(json.dumps({"preset": given.preset, "seeds": given.seeds, "results": [asdict(each) for each in rows]}))
        return
    table = Table("batch size", "optimum", "median", "best", "worst")
    for each in rows:
        table.add_row(
            *(f"{number:,}" for number in (each.batch_size, each.optimum)),
            *(f"{ratio:.2f}" for ratio in (each.median, each.best, each.worst)),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
