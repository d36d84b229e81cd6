"""A supervised workload says before any training what its optimizer, schedule and model cannot train with."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from objectives.bounds.domains import AMOUNT, PAST, POSITIVE, Domain, domains_of
from objectives.data.digits import Digits
from objectives.models import Architecture
from objectives.models.cnn import Cnn
from objectives.models.layers.norms import Norm
from objectives.optimizers import Optimizer
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.constant import Constant
from objectives.supervised import Supervised
from tuner.errors import ConfigError, Problem
from tuner.experiment.components import available, build

FINE = {"learning_rate": (1e-3, 10.0), "momentum": (0.0, 0.999)}
SMALL = Cnn(dropout=0.0)


@dataclass(frozen=True, slots=True)
class Ending(Constant):
    """A schedule that needs 100 steps."""

    def check_bounds(self, bounds: Mapping[str, tuple[float, float]], *, batch_size: int, max_steps: int) -> None:
        least, _ = bounds["decay_steps"]
        if least > max_steps:
            raise ConfigError([Problem("decay_steps", f"is at least {least:g}; {max_steps} steps at {batch_size}")])


def problems(
    bounds: Mapping[str, tuple[float, float]],
    *,
    model: Architecture = SMALL,
    schedule: Constant = Constant(),  # noqa: B008 - a frozen value
    batch_size: int = 64,
    microbatch: int | None = None,
) -> list[str]:
    workload = Supervised(Digits(), model, HeavyBall(), schedule, microbatch=microbatch)
    try:
        workload.check_bounds(bounds, batch_size=batch_size, max_steps=100)
    except ConfigError as error:
        return [str(each) for each in error.problems]
    return []


@pytest.mark.parametrize(
    ("name", "bounds", "said"),
    [
        ("momentum", (0.0, 0.9999), ""),
        ("momentum", (0.5, 1.0), "space.momentum: may be 1; it must be at least 0 and below 1"),
        ("momentum", (-0.1, 0.9), "space.momentum: may be -0.1; it must be at least 0 and below 1"),
        ("momentum", (-0.1, 1.5), "space.momentum: may be -0.1; it must be at least 0 and below 1"),
        ("learning_rate", (0.0, 10.0), ""),
        ("learning_rate", (-1e-9, 10.0), "space.learning_rate: may be -1e-09; it must be at least 0"),
    ],
)
def test_a_hyperparameter_stays_in_its_domain(name: str, bounds: tuple[float, float], said: str) -> None:
    assert problems({**FINE, name: bounds}) == ([said] if said else [])


def test_a_hyperparameter_without_numbers_has_no_bounds_to_be_judged() -> None:
    assert problems({"learning_rate": (0.1, 0.1)}) == []


def test_all_problems_are_said_together() -> None:
    found = problems(
        {"learning_rate": (-1.0, 1.0), "momentum": (0.0, 2.0), "decay_steps": (101.0, 200.0)},
        model=Cnn(norm=Norm.GHOST, ghost_size=32),
        schedule=Ending(),
        batch_size=48,
    )

    assert [each.partition(":")[0] for each in found] == [
        "space.learning_rate",
        "space.momentum",
        "space.decay_steps",
        "batch_sizes",
    ]


def test_a_schedule_is_told_the_budget_and_the_batch_size() -> None:
    assert problems({**FINE, "decay_steps": (100.0, 900.0)}, schedule=Ending()) == []
    assert problems({**FINE, "decay_steps": (101.0, 900.0)}, schedule=Ending()) == [
        "space.decay_steps: is at least 101; 100 steps at 64"
    ]


@pytest.mark.parametrize(
    ("norm", "batch_size", "microbatch", "said"),
    [
        (Norm.GHOST, 64, None, ""),
        (Norm.GHOST, 16, None, ""),  # smaller than one ghost batch
        (Norm.GHOST, 48, None, "batch_sizes: 48 is not a multiple of the 32 examples of a ghost batch"),
        (Norm.GHOST, 64, 32, ""),
        (Norm.GHOST, 64, 48, "objective.microbatch: 48 is not a multiple of the 32 examples of a ghost batch"),
        (Norm.BATCH, 64, None, ""),
        (Norm.BATCH, 64, 64, ""),
        (Norm.BATCH, 64, 32, "objective.microbatch: batch norm needs all 64 examples of a minibatch at once, not 32"),
        (Norm.NONE, 48, 5, ""),
    ],
)
def test_examples_that_are_normalised_together_stay_together(
    norm: Norm, batch_size: int, microbatch: int | None, said: str
) -> None:
    model = Cnn(dropout=0.0, norm=norm, ghost_size=32)

    found = problems(FINE, model=model, batch_size=batch_size, microbatch=microbatch)

    assert len(found) == bool(said)
    assert "".join(found).startswith(said)


def test_making_a_model_to_ask_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)

    problems(FINE, model=_Unseen())

    assert torch.equal(torch.rand(4), expected)


class _Unseen:
    """A model that nobody has asked before."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))


@pytest.mark.parametrize(
    ("domain", "inside", "outside", "phrase"),
    [
        (AMOUNT, [0.0, 5.0], [-0.1], "at least 0"),
        (POSITIVE, [0.1], [0.0, -1.0], "above 0"),
        (PAST, [0.0, 0.99], [1.0, -0.1], "at least 0 and below 1"),
        (Domain(most=2.0), [2.0, -9.0], [2.1], "at most 2"),
    ],
)
def test_a_domain_holds_its_ends_unless_it_says_so(
    domain: Domain, inside: list[float], outside: list[float], phrase: str
) -> None:
    assert all(each in domain for each in inside)
    assert not any(each in domain for each in outside)
    assert domain.phrase == phrase


@pytest.mark.parametrize("kind", available("objectives.optimizers"))
def test_every_optimizer_knows_the_domains_of_all_it_needs(kind: str) -> None:
    table: dict[str, object] = {"kind": kind} | ({"optimizer": {"kind": "adam"}} if kind == "ema" else {})
    optimizer = build("objectives.optimizers", table, Optimizer)

    assert optimizer.hyperparameters <= domains_of(optimizer).keys()
