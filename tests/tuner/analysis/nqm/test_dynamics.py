"""The closed forms say what the paper's recursions say, and first crossings are exact."""

from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tuner.analysis.nqm.recursions import first_below, losses
from tuner.analysis.nqm import (
    LinearDecay,
    Method,
    Never,
    NoisyQuadratic,
    PiecewiseConstant,
    Rule,
    expected_loss,
    noisy_quadratic,
    power_law,
    steady_state_risk,
    steps_to_target,
)

STEPS = 300
AUTHORS = power_law()
HEAVY_BALL, AVERAGE = Rule(Method.HEAVY_BALL), Rule(Method.AVERAGE)

SWINGING = noisy_quadratic([1.0, 1.0, 1.0], noise=[0.0, 0.0, 0.0], start=[1.0, 1.0, 1.0])

eigenvalues = st.floats(1e-3, 1.0)
models = st.integers(1, 4).flatmap(
    lambda size: st.builds(
        lambda curvature, noise, start: noisy_quadratic(curvature, noise=noise, start=start),
        st.lists(eigenvalues, min_size=size, max_size=size),
        st.lists(st.floats(0, 1.0), min_size=size, max_size=size),
        st.lists(st.floats(1e-3, 2.0), min_size=size, max_size=size),
    )
)
rules = st.builds(Rule, st.sampled_from(Method), st.sampled_from([0.0, 0.3, 0.5, 0.75, 1.0]))
coefficients = st.sampled_from([0.0, 0.2, 0.9, 0.99, 0.999])
batch_sizes = st.sampled_from([1, 8, 1024])
# Relative to the largest stable rate. Beyond it training diverges, but may reach the target before it does.
speeds = st.floats(1e-3, 1.2).filter(lambda speed: abs(speed - 1) > 1e-3)


def stable_rate(model: NoisyQuadratic, rule: Rule, coefficient: float) -> float:
    return float(rule.largest_stable_rate(model, coefficient))


@settings(deadline=None, max_examples=300)
@given(models, rules, batch_sizes, speeds, coefficients, st.floats(0.01, 0.99))
def test_the_first_crossing_is_that_of_the_recursion(
    model: NoisyQuadratic, rule: Rule, batch_size: int, speed: float, coefficient: float, depth: float
) -> None:
    coefficient = 0.0 if rule.method is Method.SGD else coefficient
    rate = speed * stable_rate(model, rule, coefficient)
    target = depth * model.initial_loss
    curve = losses(model, rule, batch_size=batch_size, rates=repeat(rate), coefficient=coefficient, steps=STEPS)

    found = steps_to_target(
        model, rule, batch_size=batch_size, learning_rate=rate, coefficient=coefficient, target=target
    )

    exact = first_below(curve, target)
    assert found == exact or (exact is None and (isinstance(found, Never) or found > STEPS))


@settings(deadline=None, max_examples=200)
@given(models, rules, batch_sizes, speeds, coefficients)
# The average passes through zero, and its square cancels.
@example(SWINGING, AVERAGE, 1, 1.0625, 0.999)
@example(noisy_quadratic([0.001, 0.001], noise=0.0, start=0.001), Rule(Method.AVERAGE, 0.75), 1, 1.1, 0.99)
# Heavy ball's position grows a thousandfold before it passes through zero.
@example(noisy_quadratic([0.765], noise=0.0, start=0.55), Rule(Method.HEAVY_BALL, 0.3), 1024, 0.999, 0.99)
@example(noisy_quadratic([0.001], noise=0.0), Rule(Method.HEAVY_BALL, 1.0), 1, 0.998967379894816, 0.999)
def test_the_loss_at_any_step_is_that_of_the_recursion(
    model: NoisyQuadratic, rule: Rule, batch_size: int, speed: float, coefficient: float
) -> None:
    coefficient = 0.0 if rule.method is Method.SGD else coefficient
    rate = speed * stable_rate(model, rule, coefficient)
    curve = losses(model, rule, batch_size=batch_size, rates=repeat(rate), coefficient=coefficient, steps=STEPS)

    found = expected_loss(
        model, rule, steps=np.arange(1, STEPS + 1), batch_size=batch_size, learning_rate=rate, coefficient=coefficient
    )

    modest = curve < 1e50
    np.testing.assert_allclose(found[modest], curve[modest], rtol=1e-7, atol=1e-12 * model.initial_loss)


@settings(deadline=None, max_examples=100)
@given(models, rules, batch_sizes, st.lists(st.floats(1e-3, 1.1), min_size=2, max_size=5), coefficients, st.data())
def test_a_piecewise_constant_schedule_is_the_recursion_with_its_rates(
    model: NoisyQuadratic, rule: Rule, batch_size: int, speeds: list[float], coefficient: float, data: st.DataObject
) -> None:
    coefficient = 0.0 if rule.method is Method.SGD else coefficient
    rates = [speed * stable_rate(model, rule, coefficient) for speed in speeds]
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=len(rates) - 1, max_size=len(rates) - 1))
    target = data.draw(st.floats(0.01, 0.99)) * model.initial_loss
    each = chain(*(repeat(rate, length) for rate, length in zip(rates, lengths, strict=False)), repeat(rates[-1]))
    curve = losses(model, rule, batch_size=batch_size, rates=each, coefficient=coefficient, steps=STEPS)
    schedule = PiecewiseConstant(tuple(rates), tuple(lengths))

    found = steps_to_target(
        model, rule, batch_size=batch_size, learning_rate=schedule, coefficient=coefficient, target=target
    )

    exact = first_below(curve, target)
    assert found == exact or (exact is None and (isinstance(found, Never) or found > STEPS))


@pytest.mark.parametrize(("method", "coefficient"), [("sgd", 0.0), ("heavy_ball", 0.9), ("average", 0.95)])
@pytest.mark.parametrize("decay_steps", [1, 2, 17, 100, 250])
def test_a_linear_decay_is_the_recursion_with_its_rates(method: str, coefficient: float, decay_steps: int) -> None:
    model, rule = noisy_quadratic([1.0, 0.3, 0.01]), Rule(Method(method), power=0.25)
    schedule = LinearDecay(0.8, end_factor=0.05, decay_steps=decay_steps)
    rates = chain((0.8 - 0.95 * 0.8 * t / decay_steps for t in range(decay_steps)), repeat(0.04))
    curve = losses(model, rule, batch_size=4, rates=rates, coefficient=coefficient, steps=STEPS)

    found = expected_loss(
        model, rule, steps=np.arange(1, STEPS + 1), batch_size=4, learning_rate=schedule, coefficient=coefficient
    )
    steps = steps_to_target(
        model, rule, batch_size=4, learning_rate=schedule, coefficient=coefficient, target=0.99 * curve[0]
    )

    np.testing.assert_allclose(found, curve, rtol=1e-9)
    assert steps == first_below(curve, 0.99 * curve[0])


@pytest.mark.parametrize(
    ("power", "batch_size", "learning_rate", "steps"),
    [
        (0.0, 4, 0.01468, 1_508_044),
        (0.0, 64, 0.2154, 95_762),
        (0.0, 1024, 1.668, 10_610),
        (0.0, 16_384, 1.896, 7_448),
        (0.0, 1_048_576, 1.896, 7_269),
        (0.5, 4, 6.81e-4, 345_705),
        (0.5, 64, 0.01136, 21_589),
        (0.5, 1024, 0.1668, 1_367),
        (0.5, 16_384, 1.896, 107),
        (0.5, 1_048_576, 1.896, 85),
    ],
)
def test_the_published_models_steps_to_target_are_reproduced(
    power: float, batch_size: int, learning_rate: float, steps: int
) -> None:
    found = steps_to_target(AUTHORS, Rule(power=power), batch_size=batch_size, learning_rate=learning_rate, target=0.01)

    assert found == pytest.approx(steps, rel=1e-3)


def test_a_dip_that_heavy_ball_makes_on_its_way_counts() -> None:
    model = noisy_quadratic([1.0], noise=0.0)

    found = steps_to_target(model, HEAVY_BALL, batch_size=1, learning_rate=0.01, coefficient=0.9999, target=1e-3)

    # The position swings through 0 a quarter period in, long before the swing itself has died down.
    assert found == first_below(
        losses(model, HEAVY_BALL, batch_size=1, rates=repeat(0.01), coefficient=0.9999, steps=100), 1e-3
    )
    assert found == 15


def test_a_loss_that_falls_below_the_target_and_rises_again_has_crossed_it() -> None:
    # The steep direction starts high and falls fast, the flat one starts at rest and takes up noise slowly.
    model = noisy_quadratic([1.0, 0.01], noise=[0.0, 10.0], start=[1.0, 0.0])
    curve = losses(model, Rule(), batch_size=1, rates=repeat(0.5), coefficient=0.0, steps=50)

    found = steps_to_target(model, batch_size=1, learning_rate=0.5, target=0.1)

    assert steady_state_risk(model, batch_size=1, learning_rate=0.5) > 0.1
    assert found == first_below(curve, 0.1) == 2


def test_a_target_below_the_noise_is_never_reached() -> None:
    found = steps_to_target(AUTHORS, batch_size=4, learning_rate=0.5, target=0.01)

    assert found is Never.FLOOR
    assert "gradient noise holds the loss above it" in found.sentence


@pytest.mark.parametrize(("rule", "coefficient"), [(Rule(), 0.0), (HEAVY_BALL, 0.5), (AVERAGE, 0.5)])
def test_a_rate_at_or_beyond_the_largest_stable_one_diverges(rule: Rule, coefficient: float) -> None:
    rate = stable_rate(AUTHORS, rule, coefficient)

    for factor in (1.0, 1.01, 100.0):
        found = steps_to_target(
            AUTHORS, rule, batch_size=64, learning_rate=factor * rate, coefficient=coefficient, target=1e-5
        )

        assert found is Never.DIVERGES
        assert found.sentence == "never reaches the target: training diverges"


def test_a_step_too_small_to_get_anywhere_is_given_up() -> None:
    found = steps_to_target(AUTHORS, batch_size=64, learning_rate=1e-30, target=0.01)

    assert found is Never.TOO_SLOW
    assert "more than 1e+15 steps" in found.sentence


def test_training_settles_at_the_known_risk() -> None:
    model = noisy_quadratic([0.5])  # s* = n / (1 - (1 - a)^2) with a = 0.1, n = 0.04 * 0.5 / 2 = 0.01

    risk = steady_state_risk(model, batch_size=2, learning_rate=0.2)

    assert risk == pytest.approx(0.5 * 0.5 * 0.01 / 0.19, rel=1e-12)
    assert steady_state_risk(model, batch_size=2, learning_rate=4.1) == np.inf


@pytest.mark.parametrize("rule", [HEAVY_BALL, AVERAGE])
def test_without_memory_every_method_is_plain_sgd(rule: Rule) -> None:
    steps = [1, 10, 1000]

    found = expected_loss(AUTHORS, rule, steps=steps, batch_size=16, learning_rate=0.3, coefficient=0.0)

    np.testing.assert_allclose(found, expected_loss(AUTHORS, steps=steps, batch_size=16, learning_rate=0.3), rtol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rule", [Rule(), Rule(power=1.0), HEAVY_BALL, AVERAGE, Rule(Method.HEAVY_BALL, 0.5)])
def test_a_billion_steps_and_the_largest_batch_raise_no_warning(rule: Rule) -> None:
    memories = [0.0] if rule.method is Method.SGD else [0.0, 0.9, 0.999999]
    with np.errstate(all="raise"):
        for coefficient in memories:
            for rate in (1e-9, 1e-3, 1.0, 2.0, 1e3):
                curve = expected_loss(
                    AUTHORS, rule, steps=[0, 1, 10**6, 10**9], batch_size=2**22, learning_rate=rate,
                    coefficient=coefficient,
                )  # fmt: skip
                steps_to_target(
                    AUTHORS, rule, batch_size=2**22, learning_rate=rate, coefficient=coefficient, target=0.01
                )

                assert curve[0] == pytest.approx(AUTHORS.initial_loss)
                assert not np.isnan(curve).any()


def test_a_loss_after_a_billion_steps_is_exact() -> None:
    model = noisy_quadratic([1.0], noise=0.0)

    found = expected_loss(model, steps=10**9, batch_size=2**22, learning_rate=1e-9)

    assert found == pytest.approx(0.5 * np.exp(-2.0), rel=1e-8)
