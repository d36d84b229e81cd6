"""Comparisons of experiments whose truth is known: the noisy quadratic model, and curves with noise."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from tests.tuner.synthetic import Workload, digits, ended, experiment_record
from tuner.analysis.comparison import Compared, Comparison, Contrast, Interval, Quantity, Verdict, compare
from tuner.analysis.comparison.redrawing import interval
from tuner.analysis.comparison.settings import differing
from tuner.analysis.nqm import Method, Rule, optimal, power_law
from tuner.analysis.scaling.curve import ScalingFit
from tuner.errors import TunerError
from tuner.experiment.growth import ABSENT
from tuner.records import ExperimentRecord, TrialEnd, no_curves
from tuner.trial import Outcome, Value

SIZES = [16, 64, 256, 1024, 4096, 16384, 65536]
SHORT: dict[str, object] = {"points": 3}


SGD = dict(zip(SIZES, (376_690, 95_633, 25_813, 10_600, 8_079, 7_380, 7_112), strict=True))
HEAVY_BALL = dict(zip(SIZES, (321_290, 80_323, 20_081, 5_022, 1_263, 342, 182), strict=True))
"""The fewest steps of the noisy quadratic model to a loss of 0.01, as `tuner.analysis.nqm.optimal` computes them."""


@dataclass
class Known(Workload):
    """Steps are known at each batch size, whatever the point; `noise` is the deviation of log2 of them over seeds."""

    exact: Mapping[int, int] = field(default_factory=dict)

    def run(self, batch_size: int, point: Mapping[str, Value]) -> TrialEnd:
        if batch_size not in self.exact:
            return ended(4000, outcome=Outcome.CENSORED)
        return ended(round(self.exact[batch_size] * 2 ** (self.noise * self.generator.standard_normal())))


def floor_and_critical(exact: Mapping[int, int]) -> tuple[float, float]:
    """Both of the curve through the exact steps, by another program than ours."""
    sizes, steps = np.array(list(exact), dtype=float), np.log2(list(exact.values()))

    def residuals(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(at[0] + np.log2(1 + 2 ** (at[1] - np.log2(sizes))) - steps)

    fitted = least_squares(residuals, x0=[5.0, 10.0], loss="soft_l1", f_scale=0.2)
    return 2 ** fitted.x[0], 2 ** fitted.x[1]


def record_of(name: str, workload: Workload, **changes: object) -> ExperimentRecord:
    experiment = digits(name=name, **{"batch_sizes": SIZES, "search": SHORT, **changes})
    return experiment_record(experiment, workload)


def known(name: str, exact: Mapping[int, int], *, noise: float = 0.01, seed: int = 0) -> ExperimentRecord:
    """An experiment with these steps."""
    generator = np.random.default_rng([seed, *name.encode()])
    return record_of(name, Known(exact=exact, noise=noise, generator=generator), batch_sizes=SIZES)


def comparison(*records: ExperimentRecord) -> Comparison:
    return compare([(each, no_curves) for each in records])


@cache
def momentum() -> Comparison:
    """Heavy ball beside plain SGD."""
    return comparison(known("sgd", SGD), known("heavy-ball", HEAVY_BALL))


def number(found: Comparison, quantity: Quantity, batch_size: int | None = None) -> Contrast:
    (one,) = [each for each in found.contrasts if (each.quantity, each.batch_size) == (quantity, batch_size)]
    return one


def test_critical_batch_sizes_and_floors_are_those_of_the_noisy_quadratic_model() -> None:
    for each, exact in zip(momentum().experiments, (SGD, HEAVY_BALL), strict=True):
        floor, critical = floor_and_critical(exact)
        assert isinstance(each.fit, ScalingFit)
        assert each.fit.least_steps == pytest.approx(floor, rel=0.03)
        assert each.fit.critical_batch_size == pytest.approx(critical, rel=0.03)
        assert each.floor is not None
        assert each.floor.low < each.fit.least_steps < each.floor.high
    sgd = momentum().experiments[0].fit
    assert isinstance(sgd, ScalingFit)
    endless, small = (
        optimal(power_law(bins=100), Rule(Method.SGD), batch_size=size, target=0.01).steps for size in (10**9, 64)
    )
    assert sgd.least_steps == pytest.approx(endless, rel=0.03)
    assert small == SGD[64]


def test_momentum_extends_scaling_and_lowers_the_floor_beyond_the_intervals() -> None:
    floors, criticals = zip(*(floor_and_critical(each) for each in (HEAVY_BALL, SGD)), strict=True)
    for quantity, (one, other) in ((Quantity.CRITICAL, criticals), (Quantity.FLOOR, floors)):
        found = number(momentum(), quantity)
        assert found.ratio == pytest.approx(one / other, rel=0.03)
        assert found.over_seeds is not None
        assert found.over_seeds.has(one / other)
        assert found.verdict is Verdict.BEYOND
    for size in SIZES:
        ratio = HEAVY_BALL[size] / SGD[size]
        assert number(momentum(), Quantity.SCORE, size).ratio == pytest.approx(ratio, rel=0.03)


def test_experiments_that_are_the_same_but_for_their_noise_seldom_differ() -> None:
    steps = {size: round(200 * (1 + 500 / size)) for size in SIZES}
    verdicts: Counter[Verdict] = Counter()
    for seed in range(12):
        pair = (known(name, steps, noise=0.25, seed=seed) for name in ("one", "other"))
        verdicts.update(each.verdict for each in comparison(*pair).contrasts)

    assert verdicts.total() == 12 * (2 + len(SIZES))
    assert verdicts[Verdict.BEYOND] <= 0.05 * verdicts.total()
    assert verdicts[Verdict.WITHIN] >= 0.85 * verdicts.total()
    assert verdicts[Verdict.UNKNOWN] == verdicts[Verdict.BEYOND_SEEDS] == 0


@pytest.mark.parametrize(
    ("over_seeds", "repeated", "verdict"),
    [
        ((1.2, 1.9), (1.1, 2.0), Verdict.BEYOND),
        ((0.2, 0.9), (0.1, 0.99), Verdict.BEYOND),
        ((1.2, 1.9), (0.9, 2.4), Verdict.WITHIN_SEARCHES),
        ((1.2, 1.9), None, Verdict.BEYOND_SEEDS),
        ((1.0, 1.9), (1.1, 2.0), Verdict.WITHIN),
        ((0.9, 1.9), None, Verdict.WITHIN),
        (None, (1.1, 2.0), Verdict.UNKNOWN),
    ],
)
def test_a_verdict_says_no_more_than_both_intervals(
    over_seeds: tuple[float, float] | None, repeated: tuple[float, float] | None, verdict: Verdict
) -> None:
    seeds, searches = (None if each is None else Interval(*each) for each in (over_seeds, repeated))

    assert Contrast("one", "other", Quantity.SCORE, 8, 1.5, seeds, searches).verdict is verdict


def test_an_interval_keeps_open_what_was_not_drawn() -> None:
    drawn = np.full(400, 2.0)
    assert interval(drawn) == Interval(2.0, 2.0)
    drawn[:20] = np.nan

    assert interval(drawn) == Interval(0.0, math.inf)
    assert interval(drawn).to_json() == {"low": 0.0, "high": None}


def test_few_seeds_few_batch_sizes_and_curves_that_still_fall_have_no_verdict() -> None:
    few_seeds = [record_of(each, Workload(), confirmation={"report_seeds": 4}) for each in ("one", "other")]
    few_sizes = [record_of(each, Workload(), batch_sizes=SIZES[:2]) for each in ("one", "other")]
    falling = [known("one", SGD), known("other", {size: 10**8 // size for size in SIZES})]

    assert {each.verdict for each in comparison(*few_seeds).contrasts} == {Verdict.UNKNOWN}
    assert "A curve needs 3 batch sizes" in number(comparison(*few_sizes), Quantity.FLOOR).why
    assert number(comparison(*few_sizes), Quantity.SCORE, 16).repeated is None
    assert number(comparison(*falling), Quantity.CRITICAL).verdict is Verdict.UNKNOWN
    assert number(comparison(*falling), Quantity.CRITICAL).why.startswith("the steps of other still fall")


def test_a_target_that_only_one_reached_is_no_ratio() -> None:
    found = comparison(known("one", SGD), known("never", {size: SGD[size] for size in SIZES[1:]}))

    first = number(found, Quantity.SCORE, 16)
    assert (first.ratio, first.verdict, first.why) == (math.inf, Verdict.UNKNOWN, "not reached by never")
    assert first.to_json()["ratio"] is None
    assert number(found, Quantity.SCORE, 64).verdict is not Verdict.UNKNOWN


def test_what_differs_has_the_path_of_its_key_and_a_table_that_one_lacks_is_one_setting() -> None:
    one = digits(name="one")
    table = {**digits().to_table(), "name": "other"}
    objective, space = dict(table["objective"]), dict(table["space"])  # type: ignore[call-overload]
    del objective["schedule"]
    objective["model"] = {"kind": "mlp", "hidden": [64, 64]}
    space = {"learning_rate": space["learning_rate"], "momentum": {"value": 0.9}}
    other = digits(name="other", objective=objective, space=space)

    found = {each.path: each.values for each in differing([one, other, one])}

    assert list(found)[:2] == ["objective.model.hidden", "objective.schedule"]
    assert found["objective.model.hidden"] == ([128], [64, 64], [128])
    assert found["objective.schedule"] == ({"kind": "linear_decay"}, ABSENT, {"kind": "linear_decay"})
    assert found["space.decay_steps"][1] is ABSENT
    assert found["space.momentum.value"] == (ABSENT, 0.9, ABSENT)
    assert "name" not in found


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        (
            {"metric": "validation/error", "below": 0.05, "within_steps": 4000},
            "the goals differ: validation/error below 0.03 in one, validation/error below 0.05 in other; "
            "--below 0.05 judges them all by the weakest of these targets",
        ),
        (
            {"metric": "test/error", "below": 0.03, "within_steps": 4000},
            "the goals differ: validation/error below 0.03 in one, test/error below 0.03 in other; "
            "compare experiments that have one goal",
        ),
        (
            {"metric": "validation/error", "best": "lowest", "within_steps": 4000},
            "the goals differ: validation/error below 0.03 in one, lowest validation/error in other; "
            "compare experiments that have one goal",
        ),
    ],
)
def test_other_goals_are_told_with_what_can_be_done(goal: dict[str, object], message: str) -> None:
    with pytest.raises(TunerError) as caught:
        comparison(ExperimentRecord(digits(name="one"), ()), ExperimentRecord(digits(name="other", goal=goal), ()))

    assert str(caught.value) == message


def test_an_experiment_of_which_nothing_is_confirmed_is_refused() -> None:
    one = record_of("one", Workload())
    searched = replace(one, experiment=digits(name="new"), studies=())

    with pytest.raises(TunerError, match=r"^nothing of new is confirmed yet; `tuner status new` says how far it is$"):
        comparison(one, searched)


def test_an_experiment_is_drawn_again_the_same_way_whatever_it_is_compared_with() -> None:
    one, other, third = (record_of(each, Workload()) for each in ("one", "other", "third"))

    def of_other(found: Comparison) -> Compared:
        return next(each for each in found.experiments if each.name == "other")

    apart, together = of_other(comparison(other, one)), of_other(comparison(third, one, other))
    assert apart.floor == together.floor
    assert apart.fit == together.fit
