"""What a changed file adds to an experiment that is stored, and what would mix results that cannot be compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tuner.experiment.batch_sizes.budgets import KINDS
from tuner.experiment.definition import Experiment, from_table
from tuner.experiment.search_settings import changed_defaults
from tuner.experiment.settings import Table

ABSENT = object()
BATCH_SIZES = "batch_sizes"
BUDGETS = tuple(f"goal.{each}" for each in KINDS)
STEPS = BUDGETS[0]
COUNTS = frozenset(
    (
        *("search.points", "search.probes", "search.max_rounds", "search.round_points", "search.second_look_points"),
        *("confirmation.candidates", "confirmation.choose_seeds", "confirmation.report_seeds"),
    )
)
"""Numbers that say how much work there is. A greater one only adds work."""
FREE = frozenset({"search.max_error_share"})
"""What may change in any way, since no result depends on it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is another now; `ABSENT` if there was none, or is none any more.

    Attributes:
        may_last: Whether trials may be given a larger budget: the best value within another one is another question.
    """

    path: str
    before: object
    after: object
    may_last: bool = True

    @property
    def adds(self) -> bool:
        """Whether it only adds work, so that everything that was measured can be compared with what will be."""
        before, after = self.before, self.after
        if self.path in FREE:
            return True
        if self.path == BATCH_SIZES:
            return bool(set(before) < set(after))  # type: ignore[call-overload]
        if before is ABSENT or after is ABSENT:
            return before is ABSENT and self.path.startswith(f"{STEPS}.")
        may_grow = self.path in COUNTS or (self._is_budget and self.may_last)
        return may_grow and bool(after > before)  # type: ignore[operator]

    @property
    def phrase(self) -> str:
        """The difference, for a person: `search.points = 50, now 60`."""
        return f"{self.path} = {_shown(self.before)}, now {_shown(self.after)}"

    @property
    def addition(self) -> str:
        """What is added, for a person: `search.points 50 -> 60`."""
        if self.path == BATCH_SIZES:
            more = sorted(set(self.after) - set(self.before))  # type: ignore[call-overload]
            return f"batch_sizes + {', '.join(map(str, more))}"
        return f"{self.path} {_shown(self.before)} -> {_shown(self.after)}"

    @property
    def _is_budget(self) -> bool:
        return self.path in BUDGETS or self.path.startswith(f"{STEPS}.")


def differences(stored: Experiment, given: Experiment) -> list[Difference]:
    """The settings that differ. What is only the default of another version is no difference, nor is an order of sizes.

    >>> from tuner.experiment import load
    >>> from dataclasses import replace
    >>> preset = load("nqm-sgd")
    >>> [each.phrase for each in differences(preset, replace(preset, seed=7))]
    ['seed = 0, now 7']
    """
    budgets = (stored.goal.within_steps, given.goal.within_steps)
    per_size = None not in budgets and any(isinstance(each, Mapping) for each in budgets)
    before, after = (dict(_leaves(_comparable(each, per_size=per_size))) for each in (stored, given))
    equal = changed_defaults()
    pairs = [(path, before.get(path, ABSENT), after.get(path, ABSENT)) for path in sorted(before.keys() | after.keys())]
    changed = [each for each in pairs if each[1] != each[2] and (each[1], each[2]) != equal.get(each[0])]
    return [Difference(*each, may_last=stored.goal.unit.counts_steps) for each in changed]


def settings_by_path(experiment: Experiment) -> dict[str, object]:
    """Every setting by its path, defaults filled in, in the order of a file; batch sizes in their own order.

    >>> from tuner.experiment import load
    >>> settings_by_path(load("nqm-sgd"))["search.sampler.kind"]
    'gp'
    """
    return dict(_leaves(_comparable(experiment, per_size=False)))


def grown(stored: Experiment, given: Experiment) -> Experiment:
    """The stored experiment with what another version of its file adds. It keeps its digest."""
    table = given.to_table()
    old = stored.to_table()
    for path, (first, default) in changed_defaults().items():
        group, name = path.split(".")
        if (old[group][name], table[group][name]) == (first, default):  # type: ignore[index]
            table[group][name] = first  # type: ignore[index]
    return from_table({**table, "grown_from": stored.digest})


def _comparable(experiment: Experiment, *, per_size: bool) -> Table:
    """The settings with batch sizes in order, and if asked for with a budget for each of them."""
    table = experiment.to_table()
    table.pop("grown_from", None)
    if per_size:
        budgets = {str(size): experiment.goal.at(size).within_steps for size in experiment.batch_sizes}
        table["goal"] = {**table["goal"], "within_steps": budgets}  # type: ignore[dict-item]
    return {**table, BATCH_SIZES: sorted(experiment.batch_sizes)}


def _leaves(table: Table, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting that is not itself a table, with its path."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: object) -> str:
    """A setting as a file has it."""
    if value is ABSENT:
        return "absent"
    return repr(str(value) if isinstance(value, str) else value)  # an enum is its word
