"""The toy in a box that may exclude its optimum, and a worker that searches it."""

from collections.abc import Callable

from tests.toy import SMALL
from tests.working import work_through
from tuner.experiment import Experiment, parse
from tuner.recorders import Event
from tuner.records import StudyRecord
from tuner.stores import Store


def limited(low: str, high: str, *, more: str = "") -> Experiment:
    """The toy within these learning rates, at one batch size."""
    narrow = SMALL.replace("low = 1e-3, high = 10", f"low = {low}, high = {high}").replace("[8, 16]", "[8]")
    settings = f'"tpe" }}\npoints = 40\nround_points = 10\n{more}'
    searched = narrow.replace('"random" }\npoints = 12\nprobes = 0', settings)
    return parse(searched, source="toy.toml")


EXCLUDED = limited("1e-4", "1e-2")


def work(store: Store, experiment: Experiment, *, stopping: Callable[[], bool] = lambda: False) -> list[Event]:
    """What a worker says while it works on an experiment until it ends."""
    events: list[Event] = []
    store.submit(experiment)
    work_through(store, emit=events.append, stopping=stopping)
    return events


def searched(store: Store) -> StudyRecord:
    (study,) = store.record("toy").studies
    return study
