"""The figures of a report, with what the page says of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM
from tuner.errors import TunerError
from tuner.reports.figures import Drawing, draw_costs, draw_optima, draw_scaling, draw_searches
from tuner.reports.findings import Findings
from tuner.reports.landscape import draw_scatters, draw_tolerances

OPTIMA_CAPTIONS = {
    LEARNING_RATE: "Learning rate at the optimum. The rules start from the smallest batch size.",
    MOMENTUM: "Momentum at the optimum, as 1 - m: lower is more momentum.",
    EFFECTIVE_LEARNING_RATE: "Effective learning rate, lr / (1 - m), at the optimum: better determined than lr or m.",
}


def drawings(found: Findings) -> Iterator[Drawing]:
    """Every figure that an experiment has something for."""
    yield from of_steps(found)
    yield from of_optima(found)
    yield from of_the_space(found)
    yield from of_searches(found)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of an experiment by name. Each call draws anew, and a figure may be changed.

    Every method raises `TunerError` if the experiment has nothing to draw there yet.
    """

    found: Findings

    def scaling(self) -> Figure:
        """Steps to target against batch size."""
        return self._named("scaling", of_steps)

    def optima(self, parameter: str = LEARNING_RATE) -> Figure:
        """A hyperparameter at the optimum: `learning_rate`, `momentum` or `effective_learning_rate`."""
        return self._named(parameter, of_optima)

    def tolerances(self) -> Figure:
        """How far each hyperparameter may be off."""
        return self._named("tolerances", of_the_space)

    def scatters(self) -> Figure:
        """Search trials by learning rate and momentum."""
        return self._named("scatters", of_the_space)

    def searches(self) -> Figure:
        """Every search trial against its learning rate."""
        return self._named("searches", of_searches)

    def costs(self) -> Figure:
        """Gradient steps spent at each batch size."""
        return self._named("costs", of_searches)

    def _named(self, name: str, drawn: Callable[[Findings], Iterator[Drawing]]) -> Figure:
        for each in drawn(self.found):
            if each.name == name:
                return each.figure
        known = ", ".join(each.name for each in drawings(self.found))
        raise TunerError(f"{self.found.experiment.name} has no figure {name}; it has {known or 'none yet'}")


def of_steps(found: Findings) -> Iterator[Drawing]:
    """What the experiment is for."""
    if found.curve.points or found.curve.unreached:
        yield Drawing(
            name="scaling",
            figure=draw_scaling(
                found.curve,
                found.fit,
                budgets={size: found.experiment.goal.at(size).within_steps for size in found.curve.unreached},
                model=found.explanation.curve if found.explanation else None,
            ),
            alternative="Steps to target against batch size, both logarithmic",
            caption="Steps to target against batch size: confirmed medians, each reporting seed and their spread.",
        )


def of_optima(found: Findings) -> Iterator[Drawing]:
    """Hyperparameters at the optimum, beside the rules of thumb."""
    for each in found.optima:
        yield Drawing(
            name=each.name,
            figure=draw_optima(each),
            alternative=f"{each.name.replace('_', ' ')} at the optimum against batch size",
            caption=OPTIMA_CAPTIONS[each.name],
        )


def of_the_space(found: Findings) -> Iterator[Drawing]:
    """How careful tuning must be, and where training works."""
    if any(each.profiles for each in found.sensitivity.studies):
        yield Drawing(
            name="tolerances",
            figure=draw_tolerances(found.sensitivity),
            alternative="Values of each hyperparameter that come close to the optimum, against batch size",
            caption="How far each hyperparameter may be off if the others are tuned to it, from all trials and a "
            "Gaussian process fitted to them. A bar that ends with the axis may go on beyond the search space.",
        )
    if found.scatters:
        yield Drawing(
            name="scatters",
            figure=draw_scatters(found.scatters),
            alternative="Search trials by learning rate and momentum, one panel a batch size",
            caption="Where training works: every search trial by learning rate and momentum. Along a dotted line the "
            "effective learning rate lr / (1 - m) is constant, a power of ten.",
        )


def of_searches(found: Findings) -> Iterator[Drawing]:
    """How the searches went, and what they cost."""
    if found.searches:
        yield Drawing(
            name="searches",
            figure=draw_searches(found.searches),
            alternative="Steps of every search trial against its learning rate, one panel a batch size",
            caption="Every search trial: the step at which it reached the target, was cut, or diverged.",
        )
    if any(each.steps_spent for each in found.results.studies):
        yield Drawing(
            name="costs",
            figure=draw_costs(found.results.studies),
            alternative="Gradient steps spent at each batch size",
            caption="Gradient steps spent at each batch size.",
        )
