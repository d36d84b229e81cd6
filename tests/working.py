"""A worker in this process, for tests that need what it leaves in the store."""

from collections.abc import Callable
from contextlib import nullcontext

from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event
from tuner.search.checkpoints import CheckpointFolder
from tuner.service.worker import Worker
from tuner.stores import Store


def work_through(
    store: Store,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    stopping: Callable[[], bool] = lambda: False,
    build: Callable[[Experiment], Objective] = Experiment.build_objective,
    checkpoints: CheckpointFolder | None = None,
    device: str = "cpu",
) -> None:
    """Search everything in a store that is open."""
    Worker(
        name="worker",
        store=store,
        device=device,
        recording=lambda _: nullcontext(emit),
        tell=emit,
        stopping=stopping,
        once=True,
        checkpoints=checkpoints,
        build=build,
    ).run()
