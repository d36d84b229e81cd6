"""A worker in this process, for tests that need what it leaves in the store."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

from tests.toy import SMALL
from tuner.experiment import Experiment, parse
from tuner.objective import Objective
from tuner.recorders import Event
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.tasks.contract import Task
from tuner.search.tasks.searching import Searching
from tuner.service.worker import Worker
from tuner.stores import Store
from tuner.stores.opening import open_store


def work_through(
    store: Store,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    stopping: Callable[[], bool] = lambda: False,
    build: Callable[[Experiment], Objective] = Experiment.build_objective,
    checkpoints: CheckpointFolder | None = None,
    device: str = "cpu",
    task: Task = Searching(),  # noqa: B008 - it has no state
) -> None:
    """Search everything in a store that is open, or do what the task says."""
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
        task=task,
    ).run()


def search_toys(folder: Path) -> None:
    """Search the toy as `toy`, `slow` (at batch size 32) and `weak` (another target); store it as `new` besides."""
    toy = SMALL.replace("[8, 16]", "[8, 16, 32]").replace("report_seeds = 3", "report_seeds = 5")
    slow = toy.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\nslow_at_batch_size = 32')
    texts = {"toy": toy, "slow": slow, "weak": toy.replace("below = 0.03", "below = 0.1"), "new": toy}
    with closing(open_store(f"sqlite:///{folder / 'runs' / 'tuner.db'}")) as store:
        for name, text in texts.items():
            if name == "new":
                work_through(store)
            store.submit(parse(text.replace('name = "toy"', f'name = "{name}"'), source=f"{name}.toml"))
