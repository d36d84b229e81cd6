"""Trials that a rule of divergence ends: how many of them would have reached the target, and what the rule saves.

Run as `python -m tests.benchmarks.divergence [--workload NAME/B ...] [--points N] [--seed N] [--curves FOLDER]
[--searches] [--json]`. A workload is a preset, or `mnist`, the perceptron of `tests.benchmarks.end_to_end`; MNIST is
read from the folder that `TUNER_DATA` names. `--curves` keeps the curves in a folder, where the next run finds them.

Points are quasi-random. Every trial is trained without any rule until it reaches the target, has spent its budget, or
has a loss that is not finite, which ends it under all rules. Then each rule reads its curve.

`--searches` runs the searches of `digits` instead, and counts how their trials end at each batch size.
"""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table

from objectives.classification import Classification
from objectives.models import Model
from objectives.training.measuring.terms import terms
from objectives.training.minibatches import Order
from tests.benchmarks.end_to_end import experiment_of
from tests.benchmarks.runs import record_of
from tuner.experiment import ConfirmationSettings, Experiment, goals, load
from tuner.experiment.goals.divergence import TRAIN_LOSS, has_diverged
from tuner.objective import Objective, make_trainer
from tuner.records import Role, TrialPlan
from tuner.samplers.quasi_random import QuasiRandom
from tuner.search.loop import Ended, Trial, search
from tuner.service.cores import one_thread
from tuner.trial import Measurement, Outcome, TrialResult, trial_seed

WORKLOADS = ("digits/2", "digits/8", "digits/64", "mnist/8", "mnist/64", "nqm-momentum/64", "nqm-momentum/16384")
POINTS = {"digits": 300, "mnist": 60, "nqm-momentum": 300}
BUDGETS = {8: 4000, 64: 1000}
"""Steps of a trial on MNIST, by batch size."""
LANES = {"digits": 32, "mnist": 8, "nqm-momentum": 32}

Curve = Sequence[Measurement]


@dataclass(frozen=True, slots=True)
class Trained:
    """A trial that no rule has ended.

    Attributes:
        steps: Of each measurement.
        losses: The training loss of each; the first is that of the initial parameters on a block of examples.
        first_loss: The loss of the first minibatch, which the former rule compares with; None if there is none.
        reached: Whether the trial reached the target, with the last measurement.
    """

    steps: Sequence[int]
    losses: Sequence[float]
    first_loss: float | None
    reached: bool

    def end(self, rule: Callable[[Curve], bool], *, first: float | None = None) -> int | None:
        """The step at which a rule ends the trial before its own end; None if it does not.

        Args:
            rule: Whether a curve so far has diverged.
            first: A value in place of the first training loss.
        """
        losses = self.losses if first is None else [first, *self.losses[1:]]
        curve = [Measurement(step, {TRAIN_LOSS: loss}) for step, loss in zip(self.steps, losses, strict=True)]
        return next((curve[many - 1].step for many in range(1, len(curve)) if rule(curve[:many])), None)


@dataclass(frozen=True, slots=True)
class Ending:
    """What a rule does to the trials of a workload. Trials whose loss is not finite are no part of `ended`.

    Attributes:
        not_finite: Trials that end in a loss that is not finite, before any rule has ended them.
        ended: Trials that the rule ends.
        wrong: Those of them that would have reached the target.
        saved: The share of all gradient steps that the rule saves.
    """

    workload: str
    rule: str
    trials: int
    reached: int
    not_finite: int
    ended: int
    wrong: int
    saved: float


def above_first(curve: Curve) -> bool:
    """The former rule: three losses in a row above the first, after step 20."""
    recent = curve[-3:]
    return recent[0].step > 20 and all(each.metrics[TRAIN_LOSS] > curve[0].metrics[TRAIN_LOSS] for each in recent)


RULES: Mapping[str, Callable[[Trained, int], int | None]] = {
    "former": lambda trial, _: trial.end(above_first, first=trial.first_loss),
    "now": lambda trial, size: trial.end(partial(has_diverged, batch_size=size)),
    "now, first minibatch": lambda trial, size: trial.end(
        partial(has_diverged, batch_size=size), first=trial.first_loss
    ),
}
"""The rule until 2026-11-29, the rule since, and that if the initial loss is that of the first minibatch."""


def is_not_finite(curve: Curve, *, batch_size: int) -> bool:
    """All that ends the trials which the rules are tried on."""
    return not math.isfinite(curve[-1].metrics[TRAIN_LOSS])


def experiment(name: str, batch_size: int) -> Experiment:
    """The experiment of a workload."""
    if name != "mnist":
        return load(name)
    given = argparse.Namespace(
        batch_size=batch_size,
        below=0.05,
        within_steps=BUDGETS[batch_size],
        sampler="quasi_random",
        points=1,
        report_seeds=1,
        early_stopping=False,
    )
    return experiment_of(given, "mlp", "exact")


def train(workload: str, *, points: int, seed: int) -> list[Trained]:
    """The trials of a workload."""
    name, batch_size = workload.split("/")
    size, of = int(batch_size), experiment(name, int(batch_size))
    objective, goal = of.build_objective(), of.goal.at(size)
    suggestions = QuasiRandom().start(of.space.at(size), seed=seed)
    seeds = [trial_seed(experiment_seed=seed, batch_size=size, round=1, point=each, repeat=0) for each in range(points)]
    plans = [
        TrialPlan(point, 0, Role.SEARCH, each, suggestions.ask(point), LANES[name], "cpu")
        for point, each in enumerate(seeds)
    ]
    results: dict[int, TrialResult] = {}
    plan = of.measuring.plan(of.goal, size, reports=False)
    with (
        patch.object(goals, "has_diverged", is_not_finite),
        closing(make_trainer(objective, size, lanes=LANES[name], device="cpu", plan=plan)) as trainer,
    ):
        for event in search(trainer, map(Trial, range(points), plans), goal):
            if isinstance(event, Ended):
                results[event.trial.number] = event.result
    return [
        Trained(
            [each.step for each in results[point].curve],
            [each.metrics[TRAIN_LOSS] for each in results[point].curve],
            first_loss(objective, size, each),
            reached=results[point].outcome is Outcome.ACHIEVED,
        )
        for point, each in enumerate(seeds)
    ]


def first_loss(objective: Objective, batch_size: int, seed: int) -> float | None:
    """The loss of a trial's first minibatch, before its first step; None if there are no minibatches."""
    if not isinstance(objective, Classification):
        return None
    assert isinstance(objective.model, Model)
    splits, generator = objective.splits, torch.Generator().manual_seed(seed)
    network = objective.model.network(
        splits.shape,
        splits.classes,
        lanes=1,
        batch_size=batch_size,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    parameters = network.initialise(generator).unsqueeze(0)
    rows = Order(generator, len(splits.train)).take(batch_size)
    _, losses = terms(network, parameters, splits.train.inputs[rows], splits.train.labels[rows])
    return losses.mean().item()


def endings(workload: str, trials: Sequence[Trained]) -> list[Ending]:
    """What each rule does to the trials."""
    batch_size = int(workload.split("/")[1])
    total = sum(each.steps[-1] for each in trials)
    found = []
    for rule, end in RULES.items():
        ends = [end(each, batch_size) for each in trials]
        ended = [(each, step) for each, step in zip(trials, ends, strict=True) if step is not None]
        found.append(
            Ending(
                workload,
                rule,
                trials=len(trials),
                reached=sum(each.reached for each in trials),
                not_finite=sum(
                    not math.isfinite(each.losses[-1]) for each, step in zip(trials, ends, strict=True) if step is None
                ),
                ended=len(ended),
                wrong=sum(each.reached for each, _ in ended),
                saved=sum(each.steps[-1] - step for each, step in ended) / total,
            )
        )
    return found


def trials_of(workload: str, *, points: int, seed: int, folder: Path | None) -> list[Trained]:
    """The trials of a workload, from the folder if they are there."""
    file = folder and folder / f"{workload.replace('/', '-')}-{points}-{seed}.json"
    if file is not None and file.exists():
        return [Trained(**each) for each in json.loads(file.read_text())]
    trials = train(workload, points=points, seed=seed)
    if file is not None:
        file.write_text(json.dumps([asdict(each) for each in trials]))
    return trials


@dataclass(frozen=True, slots=True)
class Searched:
    """How the trials of a search ended, by the name of the outcome, and what they took."""

    batch_size: int
    outcomes: Mapping[str, int]
    steps: int


def searches() -> list[Searched]:
    """The first round of every study of `digits`."""
    digits = load("digits")
    search = replace(digits.search, probes=0, max_rounds=1)
    record = record_of(replace(digits, search=search, confirmation=ConfirmationSettings(1, 1, 1)))
    found = []
    for study in record.studies:
        ends = [each.end for each in study.finished(Role.SEARCH) if each.end is not None]
        outcomes = {str(outcome): sum(each.outcome is outcome for each in ends) for outcome in Outcome}
        found.append(Searched(study.batch_size, outcomes, sum(each.spent for each in ends)))
    return found


def table_of_searches(found: Sequence[Searched]) -> Table:
    """A row for each batch size."""
    table = Table("batch size", *map(str, Outcome), "steps")
    for each in found:
        table.add_row(str(each.batch_size), *map(str, each.outcomes.values()), str(each.steps))
    return table


def table_of(found: Sequence[Ending]) -> Table:
    """A row for each rule of each workload."""
    table = Table("workload", "rule", "trials", "reach the target", "not finite", "ended", "wrongly", "steps saved")
    for each in found:
        counts = (each.trials, each.reached, each.not_finite, each.ended, each.wrong)
        table.add_row(each.workload, each.rule, *map(str, counts), f"{100 * each.saved:.0f} %")
    return table


def main() -> None:
    """Measure, and print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=WORKLOADS, nargs="+", default=WORKLOADS)
    parser.add_argument("--points", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--searches", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    searched = searches() if given.searches else []
    found: list[Ending] = []
    for workload in () if given.searches else given.workload:
        points = given.points or POINTS[workload.split("/")[0]]
        found += endings(workload, trials_of(workload, points=points, seed=given.seed, folder=given.curves))
    if given.json:
        print(json.dumps([*map(asdict, searched), *map(asdict, found)]))
    else:
        Console(width=120).print(table_of_searches(searched) if searched else table_of(found))


if __name__ == "__main__":
    main()
