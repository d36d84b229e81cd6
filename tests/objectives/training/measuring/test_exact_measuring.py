"""Measuring until certain changes when a trial is measured on what, and never when it reaches its target."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from torch import nn

from objectives.classification import Classification
from objectives.data import Dataset, Split, Splits
from objectives.data.digits import Digits
from objectives.losses.next_token import NEXT_TOKEN
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.measuring.evaluation import BLOCK, Evaluation, block_of
from objectives.training.trainer import LaneTrainer
from tests.objectives.reference import EASY
from tuner.errors import OutOfMemory
from tuner.experiment import GoalSettings, load
from tuner.experiment.definition import MeasuringSettings
from tuner.experiment.sequences import halton_point
from tuner.objective import MeasuringPlan, Trainer, make_trainer
from tuner.records import Role, TrialPlan
from tuner.search.cutoff import Cutoff
from tuner.search.loop import Ended, Trial, search
from tuner.trial import Measurement, Outcome, TrialResult, TrialSpec

FULL = MeasuringSettings(until_certain=False, test_steps="always")
GOAL = GoalSettings("validation/error", within_steps=300, below=0.06, also_below=(0.3, 0.1))


@dataclass(frozen=True)
class Blobs:
    """Implements `objectives.data.Dataset`: 3,000 validation examples, some of which nobody can tell apart."""

    def load(self) -> Splits:
        generator = torch.Generator().manual_seed(0)
        centres = torch.randn(10, 16, generator=generator)

        def split(many: int) -> Split:
            labels = torch.randint(10, (many,), generator=generator)
            return Split(centres[labels] + 0.8 * torch.randn(many, 16, generator=generator), labels)

        return Splits(split(2000), split(3000), split(700), classes=10, shape=(16,))


@dataclass(frozen=True)
class Chains:
    """Implements `objectives.data.Dataset`: 300 validation texts of 64 tokens, some noisier than others."""

    def load(self) -> Splits:
        generator = torch.Generator().manual_seed(0)
        follower = torch.randperm(10, generator=generator)

        def split(many: int) -> Split:
            noise = 0.4 * torch.rand(many, generator=generator)
            texts = torch.randint(10, (many, 65), generator=generator)
            for at in range(64):
                is_noise = torch.rand(many, generator=generator) < noise
                texts[:, at + 1] = torch.where(is_noise, texts[:, at + 1], follower[texts[:, at]])
            return Split(texts[:, :-1], texts[:, 1:])

        return Splits(split(300), split(300), split(100), classes=10, shape=(64,))


@dataclass(frozen=True)
class Bigram:
    """Predicts a token from the one before it."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Embedding(classes, classes)


def workload(data: Dataset) -> Classification:
    if isinstance(data, Chains):
        return Classification(data, Bigram(), HeavyBall(), LinearDecay(), loss=NEXT_TOKEN)
    return Classification(data, Mlp((32,)), HeavyBall(), LinearDecay())


@cache
def results(settings: MeasuringSettings, goal: GoalSettings, *, data: Dataset, points: int = 10) -> list[TrialResult]:
    """How the trials of a search end, in the order of their points; its points do not depend on results."""
    space = load("digits").space.at(32)
    plan = settings.plan(goal, 32, reports=True)
    plans = [TrialPlan(at, 0, Role.SEARCH, at, halton_point(space, at, seed=0), 4, "cpu") for at in range(points)]
    trainer = make_trainer(workload(data), 32, lanes=4, device="cpu", plan=plan)
    ended = search(trainer, map(Trial, range(points), plans), goal.at(32), cutoff=Cutoff(2.0))
    found = {each.trial.number: each.result for each in ended if isinstance(each, Ended)}
    return [found[at] for at in range(points)]


def first_below(curve: Sequence[Measurement], value: float, metric: str = "validation/error") -> int | None:
    """The first step at which all examples say so."""
    found = ((each.step, each.whole(metric)) for each in curve)
    return next((step for step, error in found if error is not None and error < value), None)


LOSS = replace(GOAL, metric="validation/loss", below=0.3, also_below=())
TOKENS = GoalSettings("validation/error", within_steps=80, below=0.19, also_below=(0.4, 0.2))
TOKENS_LOSS = replace(TOKENS, metric="validation/loss", below=1.1, also_below=(2.0, 1.4))


@pytest.mark.parametrize(
    ("data", "goal"),
    [
        pytest.param(Digits(), GOAL, id="digits-error"),
        pytest.param(Digits(), LOSS, id="digits-loss"),
        pytest.param(Blobs(), GOAL, id="blobs-error"),
        pytest.param(Blobs(), LOSS, id="blobs-loss"),
        pytest.param(Chains(), TOKENS, id="tokens-error"),
        pytest.param(Chains(), TOKENS_LOSS, id="tokens-loss"),
    ],
)
def test_every_trial_ends_at_the_same_step_with_the_same_outcome(
    data: Digits | Blobs | Chains, goal: GoalSettings
) -> None:
    full, exact = (results(each, goal, data=data) for each in (FULL, MeasuringSettings()))

    assert [(each.outcome, each.steps, each.limit) for each in exact] == [
        (each.outcome, each.steps, each.limit) for each in full
    ]
    assert {Outcome.ACHIEVED, Outcome.CENSORED} <= {each.outcome for each in full}
    assert [each.final for each in exact] == [each.final for each in full]
    assert any(measured.partial for each in exact for measured in each.curve) == (
        len(workload(data).splits.validation) > block_of(workload(data).splits.validation.labels)
    )


def test_weaker_targets_are_met_at_the_same_step_too() -> None:
    full, exact = (results(each, GOAL, data=Blobs()) for each in (FULL, MeasuringSettings()))

    for value in (0.3, 0.1, 0.06):
        steps = [first_below(each.curve, value) for each in full]
        assert [first_below(each.curve, value) for each in exact] == steps
        assert any(steps)


@pytest.mark.parametrize("goal", [TOKENS, TOKENS_LOSS], ids=["error", "loss"])
def test_targets_of_texts_are_met_at_the_same_step_too(goal: GoalSettings) -> None:
    full, exact = (results(each, goal, data=Chains()) for each in (FULL, MeasuringSettings()))

    for value in (*goal.also_below, goal.below):
        assert value is not None
        steps = [first_below(each.curve, value, goal.metric) for each in full]
        assert [first_below(each.curve, value, goal.metric) for each in exact] == steps
        assert any(steps)


def test_once_a_weaker_target_is_met_the_next_one_decides() -> None:
    exact = results(MeasuringSettings(), GOAL, data=Blobs())

    for each in exact:
        met = first_below(each.curve, 0.3)
        later = [measured for measured in each.curve if met is not None and measured.step > met]
        assert not later or any(measured.partial for measured in later) or each.outcome is Outcome.ACHIEVED
    assert any(
        measured.partial for each in exact for measured in each.curve if measured.metrics["validation/error"] < 0.2
    )


def test_accuracy_above_is_error_below() -> None:
    above = GoalSettings("validation/accuracy", within_steps=300, above=0.94)
    errors, accuracies = (results(MeasuringSettings(), goal, data=Blobs()) for goal in (GOAL, above))

    assert [(each.outcome, each.steps) for each in accuracies] == [(each.outcome, each.steps) for each in errors]
    for one, other in zip(accuracies, errors, strict=True):
        assert one.final["test/accuracy"] == pytest.approx(1 - other.final["test/error"])
        assert "validation/error" not in one.final


def test_an_estimate_rests_on_the_first_block_and_comes_near_the_truth() -> None:
    full, exact = (results(each, replace(GOAL, also_below=()), data=Blobs()) for each in (FULL, MeasuringSettings()))

    pairs = [pair for both in zip(full, exact, strict=True) for pair in zip(both[0].curve, both[1].curve, strict=True)]
    estimates = [(whole, part) for whole, part in pairs if part.partial]
    assert len(estimates) > len(pairs) / 2
    for whole, part in estimates:
        assert part.partial == {"validation/loss": BLOCK, "validation/error": BLOCK}
        assert part.metrics["validation/error"] == pytest.approx(whole.metrics["validation/error"], abs=0.08)


def trainer(plan: MeasuringPlan, *, lanes: int = 2, chunk: int | None = None) -> LaneTrainer:
    return LaneTrainer(
        Blobs().load(),
        Mlp((32,)),
        optimizer=HeavyBall(),
        schedule=LinearDecay(),
        batch_size=32,
        lanes=lanes,
        device="cpu",
        plan=plan,
        chunk=chunk,
    )


def test_test_metrics_are_measured_where_they_are_asked_for() -> None:
    curve: list[Measurement] = []
    made = trainer(MeasuringPlan(test_steps=(1, 10, 100)))
    made.load(0, TrialSpec(0, EASY))
    while not curve or curve[-1].step < 200:
        curve += made.advance()[0]

    assert [each.step for each in curve if "test/error" in each.metrics] == [1, 10, 101]


def test_the_end_of_a_trial_is_measured_on_everything() -> None:
    plan, everything = MeasuringSettings().plan(GOAL, 32, reports=False), MeasuringPlan()
    partly, wholly = trainer(plan, chunk=16), trainer(everything, chunk=16)
    for made in (partly, wholly):
        made.load(1, TrialSpec(0, EASY))
    (expected, measured) = (wholly.advance()[1], partly.advance()[1])

    assert "test/error" not in measured[2].metrics
    for some, everything_of in zip(measured, expected, strict=True):
        assert {**some.metrics, **partly.measure_end(1, some.step)} == everything_of.metrics
    with pytest.raises(ValueError, match="lane 1 was not measured at step 17"):
        partly.measure_end(1, 17)


def test_lanes_that_all_diverge_are_measured_on_one_block() -> None:
    made = trainer(MeasuringSettings().plan(GOAL, 32, reports=False))
    for lane in range(2):
        made.load(lane, TrialSpec(lane, {**EASY, "learning_rate": 1e30}))
    made.advance()

    for (measured,) in made.advance().values():
        assert measured.metrics["validation/error"] == 1.0
        assert measured.partial["validation/error"] == BLOCK


def test_a_device_that_is_full_in_the_middle_of_a_measurement_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    made: Trainer = trainer(MeasuringPlan())
    made.load(0, TrialSpec(0, EASY))
    monkeypatch.setattr(Evaluation, "measure", full)

    with pytest.raises(OutOfMemory, match="2 lanes"):
        made.advance()
