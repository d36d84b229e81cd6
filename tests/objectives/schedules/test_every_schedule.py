"""The contract of schedules: each is its formula, that of torch, and lane by lane what its hyperparameters say."""

import pytest
import torch
from torch import Tensor

from objectives.bounds.domains import bound_problems
from objectives.schedules import MAX_STEPS, MayNeedBudget, Schedule
from objectives.schedules.lengths import Lengths
from tests.objectives.reference import DEVICES, curve_alone, curve_in_lane, lane_trainer
from tests.objectives.schedules.cases import BUDGET, CASES, LANES, Case
from tuner.errors import ConfigError
from tuner.experiment.components import available, build
from tuner.objective import Bounds, MeasuringPlan
from tuner.trial import TrialSpec

STEPS = 3 * BUDGET
"""The factor stays what it is after the budget, too."""

each_schedule = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
with_and_without = pytest.mark.parametrize("warm_up", [False, True], ids=["plain", "warm_up"])
each_length = pytest.mark.parametrize("lengths", Lengths, ids=str)


def hyperparameters(case: Case, *, warm_up: bool, lengths: Lengths, dtype: torch.dtype) -> dict[str, Tensor]:
    """Those of all lanes."""
    of_each = [case.hyperparameters(lane, warm_up=warm_up, lengths=lengths) for lane in range(LANES)]
    values = {name: torch.tensor([each[name] for each in of_each], dtype=dtype) for name in of_each[0]}
    return {MAX_STEPS: torch.full((LANES,), BUDGET)} | values


def test_every_schedule_is_in_this_suite() -> None:
    assert sorted(CASES) == available("objectives.schedules")


@each_schedule
@with_and_without
@each_length
def test_a_file_names_it_and_it_names_its_hyperparameters(case: Case, warm_up: bool, lengths: Lengths) -> None:
    made = case.make(warm_up, lengths)
    kind = next(name for name, each in CASES.items() if each is case)
    settings = {"kind": kind, "warm_up": warm_up, "lengths": lengths.value} | ({"decays": 3} if kind == "step" else {})

    assert build("objectives.schedules", settings, Schedule) == made
    assert made.hyperparameters == case.hyperparameters(0, warm_up=warm_up, lengths=lengths).keys()


@each_schedule
@with_and_without
@each_length
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_it_is_its_formula_at_every_step_of_every_lane(
    case: Case, warm_up: bool, lengths: Lengths, dtype: torch.dtype
) -> None:
    given = hyperparameters(case, warm_up=warm_up, lengths=lengths, dtype=dtype)
    steps = torch.arange(STEPS).unsqueeze(1) + torch.zeros(LANES, dtype=torch.int64)

    factors = case.make(warm_up, lengths).factor(steps, given)

    expected = [[case.expected(step, lane, warm_up=warm_up) for lane in range(LANES)] for step in range(STEPS)]
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(factors.double(), torch.tensor(expected).double(), rtol=1e-6, atol=tolerance)
    assert factors.shape == (STEPS, LANES)


@each_schedule
@with_and_without
def test_lanes_may_be_at_different_steps(case: Case, warm_up: bool) -> None:
    given = hyperparameters(case, warm_up=warm_up, lengths=Lengths.STEPS, dtype=torch.float64)
    made = case.make(warm_up, Lengths.STEPS)

    factors = made.factor(torch.tensor([3, 0, 25]), given)

    expected = [case.expected(step, lane, warm_up=warm_up) for lane, step in enumerate((3, 0, 25))]
    assert factors.tolist() == pytest.approx(expected, rel=1e-12)


@each_schedule
@with_and_without
@pytest.mark.parametrize("lane", range(LANES))
def test_torchs_scheduler_says_the_same(case: Case, warm_up: bool, lane: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.7)
    scheduler = case.scheduler(optimizer, lane, warm_up=warm_up)
    rates = []
    for _ in range(BUDGET):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    given = hyperparameters(case, warm_up=warm_up, lengths=Lengths.STEPS, dtype=torch.float64)

    factors = case.make(warm_up, Lengths.STEPS).factor(torch.arange(BUDGET).unsqueeze(1).expand(-1, LANES), given)

    assert (0.7 * factors[:, lane].double()).tolist() == pytest.approx(rates, rel=1e-9, abs=1e-12)


@each_schedule
@with_and_without
@pytest.mark.parametrize("device", DEVICES)
def test_a_trial_is_that_of_an_ordinary_loop_with_torchs_scheduler(case: Case, warm_up: bool, device: str) -> None:
    point = {"learning_rate": 0.1, "momentum": 0.5}
    trials = [
        TrialSpec(lane, point | case.hyperparameters(lane, warm_up=warm_up, lengths=Lengths.SHARE))
        for lane in range(LANES)
    ]
    trainer = lane_trainer(
        16,
        lanes=LANES,
        device=device,
        dtype=torch.float64,
        schedule=case.make(warm_up, Lengths.SHARE),
        plan=MeasuringPlan(max_steps=BUDGET),
    )
    for lane, trial in enumerate(trials):
        trainer.load(lane, trial)

    found = curve_in_lane(trainer, 1, steps=BUDGET)

    expected = curve_alone(
        trials[1],
        batch_size=16,
        steps=BUDGET,
        dtype=torch.float64,
        scheduler=lambda optimizer: case.scheduler(optimizer, 1, warm_up=warm_up),
    )
    assert [each.step for each in found] == [each.step for each in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-9)


@each_schedule
def test_shares_need_a_budget(case: Case) -> None:
    shares, steps = case.make(True, Lengths.SHARE), case.make(True, Lengths.STEPS)

    with pytest.raises(ConfigError, match=r'objective.schedule.lengths: counts in shares .* use lengths = "steps"'):
        lane_trainer(16, lanes=1, schedule=shares)
    assert isinstance(steps, MayNeedBudget)
    assert not steps.needs_budget


def test_shares_are_rounded_to_whole_steps_and_at_least_one() -> None:
    made = CASES["linear_decay"].make(False, Lengths.SHARE)
    given = {"decay_share": torch.tensor([0.3, 1e-6]), "end_factor": torch.zeros(2), MAX_STEPS: torch.tensor([11, 11])}

    factors = made.factor(torch.tensor([[0, 0], [1, 1], [3, 3]]), given)

    assert factors.T.tolist() == [pytest.approx([1, 2 / 3, 0]), [1, 0, 0]]


def test_a_warm_up_that_is_no_whole_number_of_steps_rises_no_higher_than_one() -> None:
    made = CASES["constant"].make(True, Lengths.STEPS)

    factors = made.factor(torch.arange(4).unsqueeze(1), {"warm_up_steps": torch.tensor([2.5])})

    assert factors.flatten().tolist() == pytest.approx([0.4, 0.8, 1.0, 1.0])


STEPS_OF_WSD = {"warm_up_steps": (10, 20), "stable_steps": (50, 900), "decay_steps": (40, 900), "end_factor": (0, 1)}
SHARES_OF_WSD = {"warm_up_share": (0.1, 0.2), "stable_share": (0.5, 1), "decay_share": (0.4, 0.9), "end_factor": (0, 1)}


def problems(kind: str, bounds: Bounds, *, lengths: Lengths = Lengths.STEPS) -> list[str]:
    """What is wrong with the bounds for trials of 100 steps, with a warm-up."""
    found = bound_problems(CASES[kind].make(True, lengths), bounds, batch_size=64, max_steps=100)
    return [str(each) for each in found]


@pytest.mark.parametrize(
    ("kind", "lengths", "bounds"),
    [
        ("warmup_stable_decay", Lengths.STEPS, STEPS_OF_WSD),
        ("warmup_stable_decay", Lengths.SHARE, SHARES_OF_WSD),
        ("warmup_stable_decay", Lengths.SHARE, SHARES_OF_WSD | {"stable_share": (0.5 + 1e-12, 1)}),
        ("inverse_sqrt", Lengths.STEPS, {"warm_up_steps": (100, 100), "decay_steps": (5000, 5000)}),
        ("constant", Lengths.STEPS, {"warm_up_steps": (100, 100)}),
        ("step", Lengths.STEPS, {"warm_up_steps": (1, 1), "first_steps": (90, 99)}),
    ],
)
def test_bounds_that_fit_the_budget_are_right(kind: str, lengths: Lengths, bounds: Bounds) -> None:
    assert problems(kind, bounds, lengths=lengths) == []


@pytest.mark.parametrize(
    ("kind", "lengths", "bounds", "expected"),
    [
        (
            "warmup_stable_decay",
            Lengths.STEPS,
            STEPS_OF_WSD | {"decay_steps": (41, 41)},
            "decay_steps: warm_up_steps, stable_steps and decay_steps are together at least 101 steps, more than the "
            "budget of 100 steps at batch size 64; make the least shorter",
        ),
        (
            "warmup_stable_decay",
            Lengths.SHARE,
            SHARES_OF_WSD | {"stable_share": (0.6, 1)},
            "decay_share: warm_up_share, stable_share and decay_share are together at least 1.1 of the budget; make "
            "them at most 1 together",
        ),
        (
            "inverse_sqrt",
            Lengths.STEPS,
            {"warm_up_steps": (101, 200), "decay_steps": (1, 1)},
            "warm_up_steps: warm_up_steps is at least 101 steps, more than the budget",
        ),
        ("step", Lengths.STEPS, {"first_steps": (60, 70), "second_steps": (41, 50)}, "at least 101 steps"),
        ("cosine", Lengths.STEPS, {"decay_steps": (0, 50)}, "decay_steps: may be 0; it must be above 0"),
        ("cosine", Lengths.SHARE, {"decay_share": (0, 0.5)}, "decay_share: may be 0; it must be above 0 and at most 1"),
        (
            "cosine",
            Lengths.SHARE,
            {"decay_share": (0.1, 1.5)},
            "decay_share: may be 1.5; it must be above 0 and at",
        ),
        ("constant", Lengths.STEPS, {"warm_up_steps": (-1, 5)}, "warm_up_steps: may be -1; it must be above 0"),
        ("linear_decay", Lengths.STEPS, {"end_factor": (-0.1, 1)}, "end_factor: may be -0.1; it must be at least 0"),
        ("step", Lengths.STEPS, {"decay_factor": (-1, 1)}, "decay_factor: may be -1; it must be at least 0"),
    ],
)
def test_bounds_that_no_trial_can_keep_are_refused(kind: str, lengths: Lengths, bounds: Bounds, expected: str) -> None:
    (found,) = problems(kind, bounds, lengths=lengths)

    assert expected in found


def test_hyperparameters_that_the_space_does_not_name_are_not_checked() -> None:
    assert problems("step", {"learning_rate": (-1, 1)}) == []
