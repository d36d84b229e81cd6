"""What the diagnostics of all batch sizes say together, as values, as sentences, and as JSON."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import geometric_mean, median

import numpy as np

from tuner.analysis.diagnoses.studies import StudyDiagnosis, study_diagnoses
from tuner.analysis.diagnoses.trends import LEAST, Trend, trend
from tuner.analysis.scaling.curve import NotFitted, ScalingFit, fit, scaling_curve
from tuner.experiment import Experiment
from tuner.objective.diagnostics import Diagnostic, eigenvalue
from tuner.records import CurvesOf, ExperimentRecord, no_curves

ASKED = {
    Diagnostic.SHARPNESS: "sharpness",
    Diagnostic.SUBSPACE_SHARPNESS: "sharpness in a random subspace",
    eigenvalue(1): "the largest eigenvalue of the Hessian",
    Diagnostic.TRACE: "the trace of the Hessian",
    Diagnostic.NOISE_SCALE: "the gradient noise scale",
    Diagnostic.DISTANCE: "the distance from the start",
}
"""Quantities whose change with the batch size is asked for, and what sentences call them."""


@dataclass(frozen=True, slots=True)
class Diagnoses:
    """What the optima of an experiment look like.

    Attributes:
        studies: Smallest batch size first; those that have been looked at.
        trends: Of each quantity in `ASKED`, where there are enough batch sizes.
        critical: The critical batch size, or why there is none.
    """

    experiment: Experiment
    studies: tuple[StudyDiagnosis, ...]
    trends: Mapping[str, Trend]
    critical: ScalingFit | NotFitted

    @property
    def noise_scale(self) -> float | None:
        """The geometric mean over batch sizes of the noise scale at the end; None if one is not known to be finite."""
        found = [each.median(Diagnostic.NOISE_SCALE) for each in self.studies]
        known = [each for each in found if each is not None and 0 < each < math.inf]
        return geometric_mean(known) if known and len(known) == len(found) else None

    @property
    def decay(self) -> float | None:
        """The power of the size with which the deviation of minibatch gradients changes, over all; -1/2 is expected."""
        slopes = [
            float(np.polyfit(np.log(list(found)), np.log(list(found.values())), 1)[0])
            for found in (each.deviations for each in self.studies)
            if len(found) > 1 and min(found.values()) > 0
        ]
        return median(slopes) if slopes else None

    @property
    def answer(self) -> str:
        """Whether sharpness grows with the batch size, and the noise scale beside the critical batch size."""
        return " ".join([self._sharpness(), *self._noise()])

    @property
    def details(self) -> Iterator[str]:
        """What else is known, in a sentence each."""
        for name in (eigenvalue(1), Diagnostic.TRACE):
            if (found := self.trends.get(name)) is not None:
                yield f"{ASKED[name][0].upper()}{ASKED[name][1:]}: {found.verdict}, {found.phrase} for each doubling."
        if (decay := self.decay) is not None:
            yield (
                f"The deviation of a minibatch's gradient falls as its size to the power {-decay:.2f}"
                " (0.50 for independent examples)."
            )
        fits = [each for study in self.studies for each in study.distance_fits]
        if fits:
            explained = median(each.explained for each in fits)
            yield f"The distance from the start follows log t with R² = {explained:.2f} (median over trials)."

    def _sharpness(self) -> str:
        found = self.trends.get(Diagnostic.SHARPNESS)
        if found is None:
            few = f"fewer than {LEAST} batch sizes have been looked at"
            return f"Whether sharpness grows with the batch size cannot be told: {few}."
        tuned = "Tuned, sharpness" if self.experiment.space.is_searched else "Sharpness"
        about = f"{found.phrase} for each doubling"
        match found.verdict:
            case "grows":
                return f"{tuned} grows with the batch size: {about}."
            case "falls":
                return f"{tuned} does not grow with the batch size, it falls: {about}."
        return f"{tuned} neither grows nor falls with the batch size as far as can be told: {about}."

    def _noise(self) -> Iterator[str]:
        if (noise := self.noise_scale) is None:
            return
        yield f"The gradient noise scale at the end is {noise:,.0f}, the geometric mean over batch sizes."
        if isinstance(self.critical, ScalingFit) and self.critical.is_extrapolated:
            yield f"The critical batch size lies beyond the largest one measured, {self.critical.measured_to:,}."
        elif isinstance(self.critical, ScalingFit):
            ratio, ends = noise / self.critical.critical_batch_size, (self.critical.low, self.critical.high)
            about = "" if None in ends else f" ({ends[0]:,.0f} to {ends[1]:,.0f})"
            size = f"{self.critical.critical_batch_size:,.0f}{about}"
            yield f"That is {ratio:.2g} times the critical batch size of {size}."

    def to_json(self) -> dict[str, object]:
        """What `tuner diagnose --json` prints."""
        critical = self.critical
        return {
            "experiment": self.experiment.name,
            "trends": {name.removeprefix("diagnosis/"): each.to_json() for name, each in self.trends.items()},
            "noise_scale": self.noise_scale,
            "critical_batch_size": {
                "value": critical.critical_batch_size,
                "low": critical.low,
                "high": critical.high,
                "is_extrapolated": critical.is_extrapolated,
            }
            if isinstance(critical, ScalingFit)
            else None,
            "deviation_decay": self.decay,
            "studies": [each.to_json() for each in self.studies],
        }


def diagnoses(record: ExperimentRecord, curves: CurvesOf = no_curves) -> Diagnoses | None:
    """What has been seen of an experiment's optima; None if nothing has been looked at."""
    studies = study_diagnoses(record, curves)
    if not studies:
        return None
    found = {name: trend({each.batch_size: each.median(name) or math.nan for each in studies}) for name in ASKED}
    trends = {str(name): each for name, each in found.items() if each is not None}
    unit = record.experiment.goal.unit
    critical = fit(scaling_curve(record)) if unit.counts_steps else NotFitted("The goal is no target.")
    return Diagnoses(record.experiment, studies, trends, critical)
