"""A searched experiment on the noisy quadratic model, in memory, whose steps and losses are known exactly."""

import math
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from tests.tuner.synthetic import grown, pending, study
from tuner.analysis.nqm import Rule, expected_loss, power_law
from tuner.experiment import Experiment, from_table, preset_text
from tuner.records import Curve, ExperimentRecord, PointRun, Role, StudyRecord, TrialEnd
from tuner.trial import Measurement

MODEL, RULE = power_law(bins=100), Rule()
SIZES = (64, 256, 1024, 4096, 16_384)
RATES = tuple(float(each) for each in (*np.geomspace(0.08, 1.5, 14), *np.linspace(1.6, 1.92, 9)))
TEST_FACTOR = 1.25
"""The test loss is this many times the validation loss."""


@cache
def grid(budget: int) -> tuple[int, ...]:
    """Steps that grow by a hundredth, with a last one at the budget."""
    steps = {*range(1, 100), *np.round(1.01 ** np.arange(1500)).astype(int)}
    return (*sorted(int(each) for each in steps if 0 < each < budget), budget)


def quadratic_experiment(goal: Mapping[str, object], *, batch_sizes: tuple[int, ...] = SIZES) -> Experiment:
    """An experiment with these sizes and this goal; its grid of points is `RATES`."""
    table = tomllib.loads(preset_text("nqm-sgd")) | {"batch_sizes": list(batch_sizes), "goal": dict(goal)}
    table["search"] |= {"points": len(RATES), "second_look_points": 0}
    table["confirmation"] = {"neighbours": False}
    return from_table(table)


@cache
def losses(batch_size: int, rate: float, steps: tuple[int, ...]) -> list[float]:
    """The expected loss after each of these steps."""
    found = expected_loss(MODEL, RULE, steps=np.array(steps), batch_size=batch_size, learning_rate=rate)
    return [float(each) for each in found]


@dataclass
class Quadratic:
    """Trains trials of the model.

    Attributes:
        noise: By how much log2 of a whole curve of losses scatters with the seed.
        test_steps: Steps at which the test loss is measured, beside the last.
    """

    experiment: Experiment
    noise: float = 0.0
    test_steps: tuple[int, ...] = ()
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    curves: dict[int, dict[int, Curve]] = field(default_factory=dict)

    def record(self) -> ExperimentRecord:
        """The experiment after its whole run."""
        return ExperimentRecord(self.experiment, tuple(map(self._study, self.experiment.batch_sizes)))

    def read(self, batch_size: int, round: int) -> Mapping[int, Curve]:
        """A `CurvesOf`."""
        assert round == 1
        return self.curves.get(batch_size, {})

    def _study(self, batch_size: int) -> StudyRecord:
        self.curves[batch_size] = {}
        record = study(space=self.experiment.space.at(batch_size), batch_size=batch_size)
        wanted = [PointRun(each, 0, Role.SEARCH, {"learning_rate": rate}) for each, rate in enumerate(RATES)]
        while wanted:
            record = grown(record, wanted, lambda run: self._run(batch_size, run))
            wanted = pending(record, self.experiment.confirmation)
        return replace(record, complete=True)

    def _run(self, batch_size: int, run: PointRun) -> TrialEnd:
        goal = self.experiment.goal.at(batch_size)
        steps = grid(goal.within_steps)
        factor = 2 ** (self.noise * self.generator.standard_normal())
        found = [factor * each for each in losses(batch_size, float(run.hyperparameters["learning_rate"]), steps)]
        own = self.experiment.goal
        target = own.target.value if own.unit.counts_steps else 0.0
        last = next((at for at, each in enumerate(found) if each < target or not math.isfinite(each)), len(found) - 1)
        is_test = {last, *(bisect_left(steps, each) for each in self.test_steps)}
        curve = []
        for index in range(last + 1):
            value = found[index]
            metrics = {"train/loss": found[max(index - 1, 0)] if math.isfinite(value) else value}
            metrics["validation/loss"] = value
            if index in is_test:
                metrics["test/loss"] = TEST_FACTOR * value
            curve.append(Measurement(steps[index], metrics))
        result = goal.judge(curve)
        assert result is not None
        self.curves[batch_size][len(self.curves[batch_size])] = tuple(curve)
        return TrialEnd(result.outcome, result.steps, result.limit, result.spent, goal.loss(result), result.final)
