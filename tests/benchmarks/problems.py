"""What searches are measured on: an experiment at one batch size, what each point is worth, and the optimum.

On the noisy quadratic model a point's value is its exact number of steps, and the optimum is exact. On `digits` a value
is the median over 64 fresh seeds, and the optimum the best value among 1,000 trials, kept in `digits_reference.json`:
500 quasi-random points, and five searches by TPE of 100 points each. `python -m tests.benchmarks.problems` makes that
file again: of the 60 fastest trials the median over 16 seeds is taken, and of the best 15 of these that over 64.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from objectives.nqm import QuadraticWorkload
from tests.benchmarks.memory import searched
from tuner.analysis.nqm.training import steps_to_target
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.scaling.prediction import predicted_curve
from tuner.experiment import Experiment, SpaceSettings, load
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.records import Role, TrialPlan
from tuner.search.loop import Ended, Trial, search
from tuner.trial import Outcome, Value, hash_seed

REFERENCE = Path(__file__).with_name("digits_reference.json")
BATCH_SIZES = (8, 32, 128)
"""Of `digits`."""
SEEDS = 64
LANES = 32
FAR = 4
"""A point that takes more than this many times the optimum's steps counts as never reaching the target."""

SMALL = SearchSpace(
    {
        "learning_rate": Range(1e-5, 10.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.9999, scale=Scale.REVERSE_LOG),
    }
)
"""The box of `nqm-small`: it holds the optima of batch sizes from 64 on, and is as large as those of most searches."""

Point = Mapping[str, Value]


@dataclass(frozen=True)
class Quadratic:
    """The noisy quadratic model under momentum, at one batch size."""

    batch_size: int
    experiment: Experiment = field(default_factory=lambda: load("nqm-momentum"))

    @property
    def name(self) -> str:
        """What the benchmark calls it."""
        return f"{self.experiment.name}/{self.batch_size}"

    def optimum(self) -> float:
        """The exact fewest steps."""
        goal = replace(self.experiment.goal, within_steps=10**9)
        one = replace(self.experiment, batch_sizes=(self.batch_size,), goal=goal)
        return predicted_curve(one).points[0].score

    def value(self, point: Point) -> float:
        """The exact steps of a point, between measurements too."""
        workload = self.experiment.build_objective()
        assert isinstance(workload, QuadraticWorkload)
        steps = steps_to_target(
            workload.model,
            workload.rule,
            batch_size=self.batch_size,
            learning_rate=float(point["learning_rate"]),
            coefficient=float(point["momentum"]),
            target=self.experiment.goal.target.value,
        )
        return steps if isinstance(steps, int) else math.inf


@dataclass(frozen=True)
class Digits:
    """The digits preset at one batch size."""

    batch_size: int
    experiment: Experiment = field(default_factory=lambda: load("digits"))

    @property
    def name(self) -> str:
        """What the benchmark calls it."""
        return f"{self.experiment.name}/{self.batch_size}"

    def optimum(self) -> float:
        """The best value of the reference."""
        return float(json.loads(REFERENCE.read_text())[str(self.batch_size)]["steps"])

    def value(self, point: Point) -> float:
        """The median over fresh seeds."""
        return medians(self.experiment, self.batch_size, [point], seeds=SEEDS, within=FAR * int(self.optimum()))[0]


Problem = Quadratic | Digits


def experiment(name: str) -> Experiment:
    """A preset, or `nqm-small`: `nqm-momentum` in the box `SMALL`, searched like the other presets of the model."""
    if name != "nqm-small":
        return load(name)
    preset = load("nqm-momentum")
    search = replace(preset.search, sampler={"kind": "gp", "noise": 0.05}, points=50)
    return replace(preset, name=name, space=SpaceSettings(SMALL.parameters), search=search)


def problem(name: str) -> Problem:
    """The problem of a name such as `digits/64` or `nqm-small/1024`."""
    workload, batch_size = name.split("/")
    make = Digits if workload == "digits" else Quadratic
    return make(int(batch_size), experiment(workload))


def medians(
    experiment: Experiment, batch_size: int, points: Sequence[Point], *, seeds: int, within: int, first: int = 0
) -> list[float]:
    """Median steps to target of each point over seeds that no search has used; infinite beyond `within` steps.

    The seeds are those from `first` on of an endless sequence.
    """
    goal = experiment.goal.at(batch_size).within(within)
    plans = [
        TrialPlan(index, repeat, Role.REPORT, hash_seed("fresh", first + repeat), point, LANES, "cpu")
        for index, point in enumerate(points)
        for repeat in range(seeds)
    ]
    steps: list[list[float]] = [[] for _ in points]
    with closing(experiment.build_objective().trainer(batch_size, lanes=LANES, device="cpu")) as trainer:
        for event in search(trainer, map(Trial, range(len(plans)), plans), goal):
            if isinstance(event, Ended):
                reached = event.result.outcome is Outcome.ACHIEVED
                steps[event.trial.plan.point].append(event.result.steps if reached else math.inf)
    return [statistics.median_low(each) for each in steps]


def reference(batch_size: int) -> dict[str, object]:
    """The best of 1,000 trials."""
    digits = load("digits")
    plain = replace(digits.search, max_rounds=1, probes=0, optimism=math.inf)
    even = replace(digits, seed=1000, search=replace(plain, sampler={"kind": "quasi_random"}, points=500, width=16))
    guided = [
        replace(digits, seed=2000 + seed, search=replace(plain, sampler={"kind": "tpe"}, points=100))
        for seed in range(5)
    ]
    trials = [each for run in (even, *guided) for each in best_trials(searched(run, batch_size), 60)]
    fastest = sorted(trials, key=lambda each: each.end.steps if each.end else math.inf)[:60]
    points = [each.plan.hyperparameters for each in fastest]
    within = 8 * (fastest[0].end.steps if fastest[0].end else 0)
    rough = medians(digits, batch_size, points, seeds=16, within=within)
    best = [point for _, point in sorted(zip(rough, points, strict=True), key=lambda pair: pair[0])[:15]]
    values = medians(digits, batch_size, best, seeds=SEEDS, within=within)
    steps, point = min(zip(values, best, strict=True), key=lambda pair: pair[0])
    return {"trials": 1000, "seeds": SEEDS, "steps": steps, "point": dict(point)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    REFERENCE.write_text(json.dumps({str(each): reference(each) for each in BATCH_SIZES}, indent=2) + "\n")
