"""The figures of a report by name, for the Python API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from tuner.analysis.hyperparameters import LEARNING_RATE
from tuner.errors import TunerError
from tuner.reports.assembly import sections
from tuner.reports.figures import Drawing
from tuner.reports.findings import Findings
from tuner.reports.overview.optima import movement
from tuner.reports.overview.scaling import scaling
from tuner.reports.overview.searches import searches
from tuner.reports.overview.space import tuning
from tuner.reports.sections.contract import Section


def drawings(found: Findings) -> Iterator[Drawing]:
    """Every figure that an experiment has something for."""
    for section in sections(found):
        yield from section.drawings


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of an experiment by name. Each call draws anew, and a figure may be changed.

    Every method raises `TunerError` if the experiment has nothing to draw there yet.
    """

    found: Findings

    def scaling(self) -> Figure:
        """Steps to target against batch size."""
        return self._named("scaling", scaling)

    def best(self) -> Figure:
        """The best value of the goal's metric within the budget, against batch size."""
        return self._named("best", scaling)

    def optima(self, parameter: str = LEARNING_RATE) -> Figure:
        """A hyperparameter at the optimum: `learning_rate`, `momentum` or `effective_learning_rate`."""
        return self._named(parameter, movement)

    def tolerances(self) -> Figure:
        """How far each hyperparameter may be off."""
        return self._named("tolerances", tuning)

    def scatters(self) -> Figure:
        """Search trials by learning rate and momentum."""
        return self._named("scatters", tuning)

    def searches(self) -> Figure:
        """Every search trial against its learning rate."""
        return self._named("searches", searches)

    def costs(self) -> Figure:
        """Gradient steps spent at each batch size."""
        return self._named("costs", searches)

    def named(self, name: str) -> Figure:
        """Any figure, by the name of its file."""
        return self._pick(name, drawings(self.found))

    def _named(self, name: str, make: Callable[[Findings], Section | None]) -> Figure:
        """A figure of a section."""
        section = make(self.found)
        return self._pick(name, iter(() if section is None else section.drawings))

    def _pick(self, name: str, drawn: Iterator[Drawing]) -> Figure:
        for each in drawn:
            if each.name == name:
                return each.figure
        known = ", ".join(each.name for each in drawings(self.found))
        raise TunerError(f"{self.found.experiment.name} has no figure {name}; it has {known or 'none yet'}")
