import numpy as np
import pytest

from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint
from tuner.analysis.scaling.repeats import repeated_intervals, repeats

SIZES = [2**exponent for exponent in range(1, 11)]


def curve(generator: np.random.Generator, *, searches: float, seeds: float = 0.2) -> ScalingCurve:
    """An experiment: each search misses its optimum by some factor, and five seeds of its point differ by another."""
    points = []
    for size in SIZES:
        centre = 20 * (1 + 90 / size) * np.exp(searches * generator.standard_normal())
        steps = tuple(map(float, centre * np.exp(seeds * generator.standard_normal(5))))
        points.append(ScalingPoint(size, float(np.median(steps)), steps, {}))
    return ScalingCurve(tuple(points))


@pytest.mark.parametrize("searches", [0.0, 0.1, 0.3])
def test_the_interval_covers_what_repeated_experiments_come_to_on_average(searches: float) -> None:
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(40):
        found = repeated_intervals(curve(generator, searches=searches))
        covered += [each.low <= 20 * (1 + 90 / size) <= each.high for size, each in found.items()]

    assert np.mean(covered) >= 0.93


def test_the_interval_is_wider_where_searches_differ_and_where_seeds_do() -> None:
    def width(*, searches: float, seeds: float) -> float:
        found = repeated_intervals(curve(np.random.default_rng(1), searches=searches, seeds=seeds))
        return float(np.mean([each.high / each.low for each in found.values()]))

    plain = width(searches=0.02, seeds=0.1)
    assert width(searches=0.3, seeds=0.1) > 1.3 * plain
    assert width(searches=0.02, seeds=0.3) > 1.3 * plain


def test_too_few_batch_sizes_have_no_interval_over_searches() -> None:
    whole = curve(np.random.default_rng(0), searches=0.1)

    assert repeated_intervals(ScalingCurve(whole.points[:4])) == {}
    assert len(repeated_intervals(ScalingCurve(whole.points[:5]))) == 5


def test_a_batch_size_that_missed_the_target_with_a_seed_has_none() -> None:
    first, *others = curve(np.random.default_rng(0), searches=0.1).points
    missed = ScalingPoint(first.batch_size, first.score, (*first.per_seed[:4], float("inf")), {})

    assert first.batch_size not in repeated_intervals(ScalingCurve((missed, *others)))


def test_curves_drawn_again_scatter_as_the_intervals_say() -> None:
    whole = curve(np.random.default_rng(2), searches=0.2)
    found, intervals = repeats(whole), repeated_intervals(whole)
    assert found is not None

    drawn = np.vstack([found.redrawn(np.random.default_rng(seed)) for seed in range(20)])  # [resample, point]

    lows, highs = np.percentile(drawn, [2.5, 97.5], axis=0)
    for low, high, point in zip(lows, highs, found.points, strict=True):
        known = intervals[point.batch_size]
        assert np.log(high / low) == pytest.approx(np.log(known.high / known.low), rel=0.05)
        assert np.sqrt(low * high) == pytest.approx(point.score, rel=0.05)
