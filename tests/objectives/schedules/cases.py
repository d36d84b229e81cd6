"""Every schedule: its hyperparameters, its formula for one step in plain Python, and what torch has for it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
)

from objectives.schedules import Schedule
from objectives.schedules.constant import Constant
from objectives.schedules.cosine import Cosine
from objectives.schedules.inverse_sqrt import InverseSqrt
from objectives.schedules.lengths import Lengths
from objectives.schedules.linear_decay import LinearDecay
from objectives.schedules.step import Step
from objectives.schedules.warmup_stable_decay import WarmupStableDecay

BUDGET = 40
LANES = 3
STEPS_OF_ALL = 3 * BUDGET
WARM_UP = (5, 2, 10)
"""Steps of each lane's warm-up."""

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """A schedule.

    Attributes:
        make: Makes it.
        lengths: The steps of each part but the warm-up, for each lane.
        factors: Its other hyperparameters.
        formula: The factor after so many steps of the lengths in steps and the factors; without the warm-up.
        torchs: The same in torch, up to the last step of the budget: schedulers, and where each after the first begins.
    """

    make: Callable[[bool, Lengths], Schedule]
    lengths: Mapping[str, tuple[int, int, int]]
    factors: Mapping[str, tuple[float, float, float]]
    formula: Callable[[float, Values], float]
    torchs: Callable[[Optimizer, Values], tuple[list[LRScheduler], list[int]]]

    def hyperparameters(self, lane: int, *, warm_up: bool, lengths: Lengths) -> dict[str, float]:
        """Those of a lane."""
        steps = {name: each[lane] for name, each in self.lengths.items()} | (
            {"warm_up": WARM_UP[lane]} if warm_up else {}
        )
        factors = {name: each[lane] for name, each in self.factors.items()}
        if lengths is Lengths.STEPS:
            return {f"{name}_steps": float(each) for name, each in steps.items()} | factors
        return {f"{name}_share": each / BUDGET for name, each in steps.items()} | factors

    def expected(self, step: int, lane: int, *, warm_up: bool) -> float:
        """The factor of the learning rate, by the formula."""
        if not warm_up:
            return self.formula(step, self._values(lane))
        if step < WARM_UP[lane]:
            return (step + 1) / WARM_UP[lane]
        return self.formula(step - WARM_UP[lane], self._values(lane))

    def scheduler(self, optimizer: Optimizer, lane: int, *, warm_up: bool) -> LRScheduler:
        """What torch has for a lane."""
        many = WARM_UP[lane] if warm_up else 0
        rise = [LinearLR(optimizer, start_factor=1 / many, total_iters=many - 1)] if warm_up else []
        schedulers, begins = self.torchs(optimizer, self._values(lane))
        if not rise and not begins:
            return schedulers[0]
        milestones = [many + each for each in ([0, *begins] if warm_up else begins)]
        return SequentialLR(optimizer, [*rise, *schedulers], milestones)

    def _values(self, lane: int) -> Values:
        return {name: each[lane] for name, each in {**self.lengths, **self.factors}.items()}


def _line(done: float, end: float) -> float:
    return 1 - (1 - end) * min(done, 1)


def _milestones(of: Values) -> list[int]:
    return [int(each) for each in accumulate(of[name] for name in ("first", "second", "third"))]


def _stable_then_line(optimizer: Optimizer, of: Values) -> tuple[list[LRScheduler], list[int]]:
    stays = ConstantLR(optimizer, factor=1.0)
    falls = LinearLR(optimizer, 1.0, of["end_factor"], total_iters=int(of["decay"]))
    return [stays, falls], [int(of["stable"])]


def _cosine_then_flat(optimizer: Optimizer, of: Values) -> tuple[list[LRScheduler], list[int]]:
    """Torch's rises again after its end."""
    first = optimizer.param_groups[0]
    falls = CosineAnnealingLR(optimizer, int(of["decay"]), of["end_factor"] * first.get("initial_lr", first["lr"]))
    stays = ConstantLR(optimizer, factor=of["end_factor"], total_iters=STEPS_OF_ALL)
    return [falls, stays], [int(of["decay"]) + 1]


CASES = {
    "constant": Case(
        Constant,
        {},
        {},
        lambda step, of: 1.0,
        lambda optimizer, of: ([ConstantLR(optimizer, factor=1.0)], []),
    ),
    "linear_decay": Case(
        LinearDecay,
        {"decay": (20, 30, 7)},
        {"end_factor": (0.1, 0.5, 0.0)},
        lambda step, of: _line(step / of["decay"], of["end_factor"]),
        lambda optimizer, of: ([LinearLR(optimizer, 1.0, of["end_factor"], total_iters=int(of["decay"]))], []),
    ),
    "cosine": Case(
        Cosine,
        {"decay": (20, 30, 7)},
        {"end_factor": (0.1, 0.5, 0.0)},
        lambda step, of: (
            of["end_factor"] + (1 - of["end_factor"]) * math.cos(math.pi / 2 * min(step / of["decay"], 1)) ** 2
        ),
        _cosine_then_flat,
    ),
    "step": Case(
        lambda warm_up, lengths: Step(3, warm_up, lengths),
        {"first": (8, 15, 1), "second": (4, 9, 2), "third": (10, 3, 3)},
        {"decay_factor": (0.1, 0.5, 0.2)},
        lambda step, of: of["decay_factor"] ** sum(step >= each for each in _milestones(of)),
        lambda optimizer, of: ([MultiStepLR(optimizer, _milestones(of), of["decay_factor"])], []),
    ),
    "inverse_sqrt": Case(
        InverseSqrt,
        {"decay": (20, 30, 7)},
        {},
        lambda step, of: math.sqrt(of["decay"] / (of["decay"] + step)),
        lambda optimizer, of: (
            [LambdaLR(optimizer, lambda step: math.sqrt(of["decay"] / (of["decay"] + step)))],
            [],
        ),
    ),
    "warmup_stable_decay": Case(
        WarmupStableDecay,
        {"stable": (10, 20, 1), "decay": (20, 5, 30)},
        {"end_factor": (0.1, 0.5, 0.0)},
        lambda step, of: _line(max(0, step - of["stable"]) / of["decay"], of["end_factor"]),
        _stable_then_line,
    ),
}
