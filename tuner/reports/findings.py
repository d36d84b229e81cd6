"""Everything that a report is made from, computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import TYPE_CHECKING, Protocol, TypeVar

from tuner.analysis.optimum.scatters import Scatter, scatters
from tuner.analysis.optimum.slices import SearchView, search_views
from tuner.analysis.practice.summary import Practice, practice
from tuner.analysis.scaling.curve import NotFitted, ScalingCurve, ScalingFit, fit, scaling_curve
from tuner.analysis.scaling.optima import Optima, optima
from tuner.analysis.scaling.regions import Regions, regions
from tuner.analysis.sensitivity.summary import Sensitivity, sensitivity
from tuner.analysis.summary import Results, results
from tuner.experiment import Experiment, GoalSettings
from tuner.records import CurvesOf, ExperimentRecord, RememberedCurves, no_curves

if TYPE_CHECKING:
    from tuner.analysis.scaling.explanation import Explanation

T = TypeVar("T")

PACKAGES = ("batch-tuner", "optuna", "torch", "numpy", "scipy", "scikit-learn", "mlflow")


class Aside(Protocol):
    """Begins to compute something, and returns what waits for the result."""

    def __call__(self, work: Callable[[], T], /) -> Callable[[], T]: ...


def later(work: Callable[[], T], /) -> Callable[[], T]:
    """An `Aside` without help: the work is done once its result is asked for."""
    return cache(work)


@dataclass(frozen=True, slots=True)
class Findings:
    """What analysis makes of an experiment.

    Attributes:
        record: What was measured, without curves.
        curves: Reads the curves of a round, once.
        regions: The regions of the curve; None if the goal is no target, or too few batch sizes reached it.
        sensitivity: Waits for it. It takes longer to compute than anything else here.
        practice: What to train with; None if no batch size has reached a target.
        explanation: The noisy quadratic model fitted to it, where that was asked for.
    """

    record: ExperimentRecord
    curves: CurvesOf
    results: Results
    curve: ScalingCurve
    fit: ScalingFit | NotFitted
    regions: Regions | None
    optima: tuple[Optima, ...]
    searches: tuple[SearchView, ...]
    sensitivity: Callable[[], Sensitivity]
    scatters: tuple[Scatter, ...]
    practice: Practice | None
    explanation: "Explanation | None" = None

    @property
    def experiment(self) -> Experiment:
        """What was asked."""
        return self.results.experiment


def _no_fit(goal: GoalSettings) -> str:
    """Why there is no critical batch size."""
    return f"A critical batch size is about steps to a target, and the goal is the {goal.phrase}."


def findings(
    record: ExperimentRecord,
    *,
    curves: CurvesOf = no_curves,
    explanation: "Explanation | None" = None,
    price: float | None = None,
    aside: Aside = later,
) -> Findings:
    """What analysis makes of an experiment, complete or not. Without curves it leaves out what follows from them."""
    waiting = aside(lambda: sensitivity(record))
    curve, unit = scaling_curve(record), record.experiment.goal.unit
    return Findings(
        record=record,
        curves=RememberedCurves(curves),
        results=results(record),
        curve=curve,
        fit=fit(curve) if unit.counts_steps else NotFitted(_no_fit(record.experiment.goal)),
        regions=regions(curve) if unit.counts_steps else None,
        optima=optima(curve),
        searches=search_views(record),
        sensitivity=waiting,
        scatters=scatters(record),
        practice=practice(record, curve, price=price),
        explanation=explanation,
    )


def versions() -> str:
    """What a report is made with."""
    installed = []
    for name in PACKAGES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join([f"Python {python_version()}", *installed])
