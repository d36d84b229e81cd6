"""A small experiment and its trials, for the tests of stores."""

import math
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection, create_engine

from tuner.experiment import Experiment, from_table
from tuner.records import Role, TrialPlan
from tuner.stores import Claim, Store
from tuner.stores.urls import parse
from tuner.trial import Measurement, Outcome, TrialResult, Value

SETTINGS = """
name = "small"
batch_sizes = [64, 8]
objective = { kind = "nqm" }
goal = { metric = "validation/error", below = 0.03, within_steps = 400 }
search = { sampler = { kind = "random" }, points = 5 }
[space]
learning_rate = { low = 1e-3, high = 10, scale = "log" }
momentum = { low = 0, high = 0.999, scale = "reverse_log" }
activation = { options = ["relu", "tanh"] }
decay = { value = 0.1 }
"""

TO_VERSION_1 = (
    *(f"ALTER TABLE study DROP COLUMN {each}" for each in ("space", "worker", "device", "claimed", "deaths")),
    *(f"ALTER TABLE study DROP COLUMN {each}" for each in ("error", "stage")),
    "DROP INDEX trial_end_study",
    *(f"ALTER TABLE trial_end DROP COLUMN {each}" for each in ("study_id", "role")),
    "ALTER TABLE experiment DROP COLUMN state",
    "ALTER TABLE measurement DROP COLUMN examples",
    "ALTER TABLE tuner_schema DROP COLUMN identity",
    "UPDATE tuner_schema SET version = 1",
)
"""What takes a store back to how version 1 left it."""

POINT: dict[str, Value] = {"learning_rate": 0.1 / 3, "momentum": 1 - 0.1 / 7, "activation": "tanh", "decay": 0.1}


def small(**changes: object) -> Experiment:
    """The experiment, with some top-level settings replaced."""
    return from_table({**tomllib.loads(SETTINGS), **changes})


def plan(point: int, *, repeat: int = 0, role: Role = Role.SEARCH) -> TrialPlan:
    """A run of a point that nobody rounds by accident: a 63-bit seed, and numbers without a short decimal."""
    return TrialPlan(point, repeat, role, 2**62 + point, POINT, lanes=8, device="cuda:0")


def achieved(steps: int = 3) -> TrialResult:
    """A trial whose error falls evenly to 0.02 at its last step."""
    errors = [0.02 + 0.01 * (steps - step) for step in range(1, steps + 1)]
    curve = tuple(
        Measurement(step, {"train/loss": 10 * error, "validation/error": error})
        for step, error in enumerate(errors, start=1)
    )
    return TrialResult(Outcome.ACHIEVED, steps, 400, curve)


def finished(steps: int = 5) -> TrialResult:
    """A trial that spent its budget, and whose error was least, 0.02, before its last step."""
    return replace(achieved(steps), outcome=Outcome.FINISHED, steps=steps - 1, limit=steps)


def diverged() -> TrialResult:
    """A trial whose metrics end in every number that is not one."""
    curve = (
        Measurement(1, {"train/loss": 2.5, "validation/error": 1e-300}),
        Measurement(2, {"train/loss": math.inf, "validation/error": -math.inf}),
        Measurement(40, {"train/loss": math.nan, "validation/error": math.nan}),
    )
    return TrialResult(Outcome.INFEASIBLE, 40, 100, curve)


@contextmanager
def claimed(store: Store, batch_size: int = 64) -> Iterator[Claim]:
    """A claim that is there for the taking."""
    with store.claim("small", batch_size) as claim:
        assert claim is not None
        yield claim


@contextmanager
def database(url: str) -> Iterator[Connection]:
    """The database behind the store's back."""
    engine = create_engine(parse(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
