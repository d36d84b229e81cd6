"""Ray actors that train: a worker spreads the lanes of its study over these actors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tuner.errors import TrainerLost
from tuner.objective import MeasuringPlan, Objective, PlannedObjective, Trainer, make_trainer, measure_end
from tuner.service.cores import one_thread
from tuner.service.ray.cluster import Remote, fetch
from tuner.service.ray.spread_trainer import Change, Measured, SpreadTrainer, apply, dealt


class TrainerHandle(Protocol):
    """A `TrainerActor` from outside."""

    @property
    def open(self) -> Remote[[Objective, int, int, str, MeasuringPlan], str]: ...
    @property
    def advance(self) -> Remote[[Sequence[Change]], Measured]: ...
    @property
    def save(self) -> Remote[[Sequence[Change], int], bytes]: ...
    @property
    def measure_end(self) -> Remote[[Sequence[Change], int, int], Mapping[str, float]]: ...
    @property
    def close(self) -> Remote[[], None]: ...


class TrainerActor:
    """A process that holds one trainer at a time. If Ray had to restart it, it holds none until one is opened."""

    def __init__(self) -> None:
        one_thread()
        self._trainer: Trainer | None = None

    @ray.method(max_task_retries=-1)
    def open(self, objective: Objective, batch_size: int, lanes: int, device: str, plan: MeasuringPlan) -> str:
        """Make a trainer, in place of the one there was; its device."""
        self.close()
        self._trainer = make_trainer(objective, batch_size, lanes=lanes, device=device, plan=plan)
        return self._trainer.device

    def advance(self, changes: Sequence[Change]) -> Measured:
        trainer = self._opened()
        apply(changes, trainer)
        return trainer.advance()

    def save(self, changes: Sequence[Change], lane: int) -> bytes:
        trainer = self._opened()
        apply(changes, trainer)
        return trainer.save(lane)

    def measure_end(self, changes: Sequence[Change], lane: int, step: int) -> Mapping[str, float]:
        trainer = self._opened()
        apply(changes, trainer)
        return measure_end(trainer, lane, step)

    def close(self) -> None:
        trainer, self._trainer = self._trainer, None
        if trainer is not None:
            trainer.close()

    def _opened(self) -> Trainer:
        if self._trainer is None:
            raise TrainerLost("a trainer is gone: its process died, and Ray has started another")
        return self._trainer


@dataclass(frozen=True, slots=True)
class ActorPart:
    """Implements `tuner.service.ray.spread_trainer.Part` by an actor."""

    actor: TrainerHandle

    def advance(self, changes: Sequence[Change]) -> Callable[[], Measured]:
        reference = self.actor.advance.remote(changes)
        return lambda: fetch(reference)

    def save(self, changes: Sequence[Change], lane: int) -> bytes:
        return fetch(self.actor.save.remote(changes, lane))

    def measure_end(self, changes: Sequence[Change], lane: int, step: int) -> Mapping[str, float]:
        return fetch(self.actor.measure_end.remote(changes, lane, step))

    def close(self) -> None:
        self.actor.close.remote()


@dataclass(frozen=True, slots=True)
class SpreadObjective:
    """Implements `tuner.objective.Objective` and `PlannedObjective` by another, which is trained by actors."""

    objective: Objective
    actors: Sequence[TrainerHandle]

    @property
    def train_examples(self) -> int:
        return self.objective.train_examples

    @property
    def metrics(self) -> frozenset[str]:
        return self.objective.metrics

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.objective.hyperparameters

    @property
    def certain_early(self) -> frozenset[str]:
        return self.objective.certain_early if isinstance(self.objective, PlannedObjective) else frozenset()

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer that measures everything. Raises as `planned_trainer`."""
        return self.planned_trainer(batch_size, lanes=lanes, device=device, plan=MeasuringPlan())

    def planned_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer of `lanes` simultaneous trials.

        Raises:
            OutOfMemory: A device cannot hold its share of them.
            TrainerLost: An actor died for good.
        """
        actors = self.actors[:lanes]
        shares = zip(actors, dealt(lanes, len(actors)), strict=True)
        opened = [actor.open.remote(self.objective, batch_size, share, device, plan) for actor, share in shares]
        devices = [fetch(each) for each in opened]
        return SpreadTrainer([ActorPart(each) for each in actors], lanes=lanes, device=devices[0])


@contextmanager
def trainers(many: int, *, num_gpus: float, give_up: Callable[[], bool]) -> Iterator[Sequence[TrainerHandle]]:
    """Trainer actors, each with a CPU core and its GPUs. Either all of them are placed at once, or none.

    Workers that each held half of what they need would wait for each other for ever.

    Args:
        many: How many.
        num_gpus: Of each; a fraction shares a GPU, but not its memory.
        give_up: Whether to wait for room no longer; then there are none.
    """
    bundle = {"CPU": 1.0, **({"GPU": num_gpus} if num_gpus else {})}
    group = placement_group([bundle] * many)
    try:
        while not group.wait(1):
            if give_up():
                yield ()
                return
        yield [
            cast(
                TrainerHandle,
                ray.remote(TrainerActor)
                .options(
                    num_cpus=1,
                    num_gpus=num_gpus,
                    max_restarts=-1,
                    scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index),
                )
                .remote(),
            )
            for index in range(many)
        ]
    finally:
        remove_placement_group(group)
