"""Everything that a report is made from, computed once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuner.analysis.optimum.scatters import Scatter, scatters
from tuner.analysis.optimum.slices import SearchView, search_views
from tuner.analysis.scaling.curve import NotFitted, ScalingCurve, ScalingFit, fit, scaling_curve
from tuner.analysis.scaling.optima import Optima, optima
from tuner.analysis.sensitivity.summary import Sensitivity, sensitivity
from tuner.analysis.summary import Results, results
from tuner.experiment import Experiment
from tuner.records import ExperimentRecord

if TYPE_CHECKING:
    from tuner.analysis.scaling.explanation import Explanation


@dataclass(frozen=True, slots=True)
class Findings:
    """What analysis makes of an experiment.

    Attributes:
        explanation: The noisy quadratic model fitted to it, where that was asked for.
    """

    results: Results
    curve: ScalingCurve
    fit: ScalingFit | NotFitted
    optima: tuple[Optima, ...]
    searches: tuple[SearchView, ...]
    sensitivity: Sensitivity
    scatters: tuple[Scatter, ...]
    explanation: "Explanation | None" = None

    @property
    def experiment(self) -> Experiment:
        """What was asked."""
        return self.results.experiment


def findings(record: ExperimentRecord, *, explanation: "Explanation | None" = None) -> Findings:
    """What analysis makes of an experiment, complete or not."""
    curve = scaling_curve(record)
    return Findings(
        results=results(record),
        curve=curve,
        fit=fit(curve),
        optima=optima(curve),
        searches=search_views(record),
        sensitivity=sensitivity(record),
        scatters=scatters(record),
        explanation=explanation,
    )
