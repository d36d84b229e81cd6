import math
from functools import cache

import numpy as np
import pytest

from tuner.analysis.nqm import optimal, power_law
from tuner.analysis.scaling.bounds import Bound
from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint, fit
from tuner.analysis.scaling.regions import STILL_PERFECT, Regions, regions

SIZES = tuple(2**exponent for exponent in range(1, 13))


def hyperbola(floor: float, critical: float, sizes: tuple[int, ...] = SIZES) -> ScalingCurve:
    """`S = Smin (1 + Bcrit / B)` without seeds."""
    return ScalingCurve(tuple(ScalingPoint(size, floor * (1 + critical / size), (), {}) for size in sizes))


def found(curve: ScalingCurve) -> Regions:
    regions_found = regions(curve)
    assert regions_found is not None
    return regions_found


def noisy(seed: int, *, noise: float = 0.2) -> ScalingCurve:
    """A curve with critical batch size 64 and five seeds, whose log2 steps scatter by `noise`."""
    generator = np.random.default_rng(seed)
    points = []
    for each in hyperbola(20.0, 64.0).points:
        steps = each.score * 2 ** (noise * generator.standard_normal(5))
        points.append(ScalingPoint(each.batch_size, float(np.median(steps)), tuple(map(float, steps)), {}))
    return ScalingCurve(tuple(points))


@cache
def exact(batch_size: int) -> int:
    """Fewest steps of plain SGD on the noisy quadratic model."""
    best = optimal(power_law(), batch_size=batch_size, target=0.01).steps
    assert isinstance(best, int)
    return best


def test_regions_of_the_noisy_quadratic_model_end_where_its_exact_steps_say() -> None:
    sizes = (4, 362, 512, 724, 1024, 1448, 4096, 16_384)
    curve = ScalingCurve(tuple(ScalingPoint(size, exact(size), (), {}) for size in sizes))

    answer = found(curve)

    before, after = (round(each * answer.perfect_end.value) for each in (0.97, 1.03))
    assert exact(before) * before < STILL_PERFECT * exact(4) * 4 < exact(after) * after
    before, after = (round(each * answer.maximum_useful.value) for each in (0.97, 1.03))
    assert exact(before) > STILL_PERFECT * exact(16_384) > exact(after)
    for each in answer.savings:
        assert each.fewer.value == pytest.approx(exact(4) / exact(each.batch_size))
        assert each.examples.value == pytest.approx(each.batch_size * exact(each.batch_size) / (4 * exact(4)))


def test_perfect_scaling_ends_where_half_a_doubling_is_lost() -> None:
    # (B + 64) / (2 + 64) = sqrt(2) at B = 29.3
    end = found(hyperbola(20.0, 64.0)).perfect_end.value

    assert end == pytest.approx(math.sqrt(2) * (2 + 64) - 64, rel=0.05)  # interpolated over doublings


def test_a_region_that_was_not_measured_has_no_end() -> None:
    falling = found(ScalingCurve(tuple(ScalingPoint(size, 4096 / size, (), {}) for size in SIZES)))
    short = found(hyperbola(20.0, 64.0, SIZES[:8]))

    assert (falling.perfect_end.value, falling.maximum_useful.value) == (math.inf, math.inf)
    assert falling.to_json()["maximum_useful_batch_size"] == {"value": None, "low": None, "high": None}
    assert short.perfect_end.is_known
    assert (
        not short.maximum_useful.is_known
    )  # the curve has come within a doubling of the fewest steps only near its end


def test_a_flat_curve_has_no_perfect_scaling() -> None:
    answer = found(ScalingCurve(tuple(ScalingPoint(size, 100.0, (), {}) for size in SIZES)))

    assert (answer.perfect_end.value, answer.maximum_useful.value) == (2, 2)
    assert answer.savings[-1].fewer.value == 1
    assert answer.savings[-1].examples.value == 2048


@pytest.mark.parametrize("count", [0, 1])
def test_one_batch_size_has_no_regions(count: int) -> None:
    assert regions(ScalingCurve(hyperbola(20.0, 64.0).points[:count])) is None


def test_intervals_hold_the_true_ends_about_as_often_as_they_say() -> None:
    truth = found(hyperbola(20.0, 64.0))
    answers = [found(noisy(seed)) for seed in range(20)]

    for name, expected in (("perfect_end", truth.perfect_end.value), ("maximum_useful", truth.maximum_useful.value)):
        bounds = [getattr(each, name) for each in answers]
        assert sum(each.low <= expected <= each.high for each in bounds) >= 16, name
        assert all(each.low <= each.value <= each.high for each in bounds)
        assert max(each.low for each in bounds) > expected / 3


def test_seeds_that_miss_the_target_leave_intervals_that_may_reach_beyond_what_was_measured() -> None:
    points = list(noisy(1).points)
    points[-1] = ScalingPoint(4096, points[-1].score, (*points[-1].per_seed[:3], math.inf, math.inf), {})

    answer = found(ScalingCurve(tuple(points)))

    assert answer.savings[-1].fewer.low == 0
    assert answer.savings[-1].to_json()["times_the_examples"]["high"] is None  # type: ignore[index]
    assert answer.perfect_end.is_known


def test_a_region_that_ends_at_a_measured_batch_size_ends_exactly_there() -> None:
    flat = ScalingCurve(tuple(ScalingPoint(size, 100.0, (100.0,) * 5, {}) for size in (12, 48, 100)))

    answer = found(flat)

    assert answer.perfect_end == Bound(12.0, 12.0, 12.0)
    assert answer.maximum_useful == Bound(12.0, 12.0, 12.0)


def test_one_seed_has_no_interval() -> None:
    curve = ScalingCurve(tuple(ScalingPoint(size, 100.0, (100.0,), {}) for size in (8, 16, 32)))

    assert found(curve).perfect_end.low is None
    assert fit(curve).low is None  # type: ignore[union-attr]
