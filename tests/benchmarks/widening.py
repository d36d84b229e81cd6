"""Is a space that excludes the optimum widened until it holds it, and one that holds it left alone?

Run as `python -m tests.benchmarks.widening [--problem digits/256] [--seeds 5] [--json]`. Each problem is searched over
experiment seeds twice as `tuner run` does it: in a box whose learning rates end far below the best, and in a wide one.
It prints the rounds of both, and the winner's median over 64 fresh seeds after the narrow start over that after the
wide one. On the noisy quadratic model, which has no seeds, it is the exact optimum of the wide box that it is over.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from rich.console import Console
from rich.table import Table

from tests.benchmarks import memory, problems
from tuner.analysis.optimum.confirmation import Confirmation, confirm
from tuner.analysis.scaling.prediction import predicted_curve
from tuner.experiment import ConfirmationSettings, Experiment
from tuner.experiment.space import Range, Scale
from tuner.records import StudyRecord

PROBLEMS = {"digits/256": ("digits", 256), "nqm/4096": ("nqm-small", 4096), "nqm/16384": ("nqm-small", 16384)}
"""Experiments and batch sizes, by name."""
NARROW = Range(1e-3, 1e-2, scale=Scale.LOG)
"""Learning rates that are too low for all of them."""
FRESH_SEEDS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a problem with one experiment seed.

    Attributes:
        rounds, wide_rounds: Of the narrow start, and of the wide one.
        space: The learning rates of the narrow start's last round.
        steps: Median after the narrow start.
        wide_steps: Median after the wide one, or the exact optimum.
    """

    problem: str
    seed: int
    rounds: int
    space: tuple[float, float]
    steps: float
    wide_rounds: int
    wide_steps: float

    @property
    def ratio(self) -> float:
        """How many times more steps the narrow start ends with."""
        return self.steps / self.wide_steps


def problem(name: str, *, seed: int) -> Experiment:
    """A problem in its wide box."""
    preset, batch_size = PROBLEMS[name]
    whole = problems.experiment(preset)
    goal = replace(whole.goal, within_steps=whole.goal.at(batch_size).within_steps)
    if name == "digits/256":
        fresh = replace(whole.confirmation, report_seeds=FRESH_SEEDS)
    else:  # from the narrow box the target takes far more steps than the preset allows
        goal, fresh = replace(goal, within_steps=80_000), ConfirmationSettings(1, 1, 1)
    return replace(whole, seed=seed, batch_sizes=(batch_size,), goal=goal, confirmation=fresh)


def narrowed(experiment: Experiment) -> Experiment:
    """The same with too low learning rates."""
    return replace(experiment, space=experiment.space.changed({"learning_rate": NARROW}))


def searched(experiment: Experiment) -> tuple[StudyRecord, Confirmation]:
    """The only study of an experiment after its run, and its winner."""
    study = memory.searched(experiment, experiment.batch_sizes[0])
    found = confirm(study, experiment.confirmation)
    assert found is not None
    return study, found


def measure(name: str, *, seed: int) -> Row:
    """One row."""
    wide = problem(name, seed=seed)
    study, found = searched(narrowed(wide))
    wide_study, wide_found = searched(wide)
    reference = wide_found.score if name.startswith("digits") else predicted_curve(wide).points[0].score
    limits = dict(study.space.ranges())["learning_rate"]
    return Row(name, seed, study.round, (limits.low, limits.high), found.score, wide_study.round, reference)


def rows(names: list[str], seeds: int) -> Iterator[Row]:
    """All of them."""
    for name in names:
        for seed in range(seeds):
            yield measure(name, seed=seed)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", choices=PROBLEMS, action="append")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = list(rows(given.problem or list(PROBLEMS), given.seeds))
    if given.json:
        print(json.dumps({"results": [asdict(each) | {"ratio": each.ratio} for each in found]}))
        return
    table = Table("problem", "seed", "rounds", "learning rates", "steps", "wide: rounds", "wide: steps", "ratio")
    for each in found:
        low, high = each.space
        numbers = (str(each.seed), str(each.rounds), f"{low:g} to {high:g}", f"{each.steps:,g}")
        table.add_row(each.problem, *numbers, str(each.wide_rounds), f"{each.wide_steps:,g}", f"{each.ratio:.2f}")
    Console().print(table)
    for name in dict.fromkeys(each.problem for each in found):
        ratios = [each.ratio for each in found if each.problem == name]
        print(f"{name}: median ratio {statistics.median(ratios):.2f}, worst {max(ratios):.2f}")


if __name__ == "__main__":
    main()
