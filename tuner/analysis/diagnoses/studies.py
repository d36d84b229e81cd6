"""The diagnostics at the optimum of each batch size, over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tuner.analysis.diagnoses.distances import LogFit, log_fit
from tuner.analysis.diagnoses.points import diagnosed_point, optima_of
from tuner.analysis.finite import finite
from tuner.analysis.optimum.confirmation import Confirmation
from tuner.objective.diagnostics import DEVIATION, Diagnostic
from tuner.records import Curve, CurvesOf, ExperimentRecord, Role, StudyRecord, Wanted, no_curves, some_curves

PREFIX = "diagnosis/"
MAY_HAVE_NO_END = (Diagnostic.NOISE_SCALE, Diagnostic.NOISE_SCALE_HIGH)
"""What is left out where it is infinite."""
WANTED = Wanted(roles=frozenset({Role.DIAGNOSE}))


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity over seeds."""

    median: float
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        """The median and the range; null for what is infinite."""
        return {"median": finite(self.median), "low": finite(self.low), "high": finite(self.high)}


@dataclass(frozen=True, slots=True)
class Path:
    """A trial on its way: what it was found to be at the steps at which it was looked at.

    Attributes:
        looked_at: The diagnostics by step, all but the distance.
        distances: At every step that was measured.
    """

    looked_at: Mapping[int, Mapping[str, float]]
    distances: Mapping[int, float]
    fit: LogFit | None


@dataclass(frozen=True, slots=True)
class StudyDiagnosis:
    """What the optimum of one batch size looks like.

    Attributes:
        seeds: Trials that came to the end: the target, or the whole budget.
        missed: Trials that did not.
        at_end: Each diagnostic where the trials ended, by its name without `diagnosis/`.
        paths: Of the trials that came to the end; empty if their curves are not at hand.
    """

    batch_size: int
    score: float
    seeds: int
    missed: int
    at_end: Mapping[str, Spread]
    paths: tuple[Path, ...] = ()

    def median(self, name: str) -> float | None:
        """The median of a diagnostic where the trials ended; None if it was not measured."""
        found = self.at_end.get(_short(name))
        return None if found is None else found.median

    @property
    def signal(self) -> float | None:
        """The length of the gradient over the deviation of a minibatch's, at this batch size: `sqrt(B / noise)`."""
        noise = self.median(Diagnostic.NOISE_SCALE)
        return None if not noise or math.isinf(noise) else math.sqrt(self.batch_size / noise)

    @property
    def deviations(self) -> dict[int, float]:
        """The median deviation of the gradient of minibatches, by their size."""
        start = _short(DEVIATION)
        found = {int(name.removeprefix(start)): each for name, each in self.at_end.items() if name.startswith(start)}
        return {size: found[size].median for size in sorted(found)}

    @property
    def distance_fits(self) -> tuple[LogFit, ...]:
        """Of each trial that has one."""
        return tuple(each.fit for each in self.paths if each.fit is not None)

    def to_json(self) -> dict[str, object]:
        """One entry of `studies`."""
        fits = self.distance_fits
        return {
            "batch_size": self.batch_size,
            "seeds": self.seeds,
            "missed": self.missed,
            "at_end": {name: each.to_json() for name, each in self.at_end.items()},
            "signal_to_noise": self.signal,
            "distance_fit": {
                "growth_per_e_fold": median(each.growth for each in fits),
                "explained": median(each.explained for each in fits),
            }
            if fits
            else None,
            "along_the_way": [
                {"step": step, **{_short(name): value for name, value in found.items()}}
                for path in self.paths
                for step, found in path.looked_at.items()
            ],
        }


def study_diagnoses(record: ExperimentRecord, curves: CurvesOf = no_curves) -> tuple[StudyDiagnosis, ...]:
    """The batch sizes whose present optimum has been looked at, smallest first."""
    found = (_diagnosis(study, optimum, curves) for study, optimum in optima_of(record))
    return tuple(each for each in found if each is not None)


def _diagnosis(study: StudyRecord, optimum: Confirmation, curves: CurvesOf) -> StudyDiagnosis | None:
    point = diagnosed_point(optimum)
    trials = [each for each in study.finished(Role.DIAGNOSE) if each.plan.point == point]
    ended = [each for each in trials if math.isfinite(each.score)]
    if not trials:
        return None
    at_end = spreads([_diagnostics(each.end.final) for each in ended if each.end is not None])
    found = (some_curves(curves, study.batch_size, each.round, WANTED).get(each.number) for each in ended)
    paths = tuple(path_of(each) for each in found if each is not None)
    score = median(each.score for each in ended) if ended else math.inf
    return StudyDiagnosis(study.batch_size, score, len(ended), len(trials) - len(ended), at_end, paths)


def spreads(measured: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Medians and ranges over seeds, by name. A noise scale that is missing beside `|G|^2` is infinite."""
    known = [_with_infinite(each) for each in measured]
    names = sorted({name for each in known for name in each})
    values = {name: [each[name] for each in known if name in each] for name in names}
    return {_short(name): Spread(median(each), min(each), max(each)) for name, each in values.items()}


def _with_infinite(found: Mapping[str, float]) -> dict[str, float]:
    no_end = MAY_HAVE_NO_END if Diagnostic.SQUARED_GRADIENT in found else ()
    return {**{str(name): math.inf for name in no_end}, **found}


def path_of(curve: Curve) -> Path:
    """What a curve says of a trial on its way."""
    looked_at = {each.step: _diagnostics(each.metrics) for each in curve if Diagnostic.SQUARED_GRADIENT in each.metrics}
    distances = {each.step: each.metrics[Diagnostic.DISTANCE] for each in curve if Diagnostic.DISTANCE in each.metrics}
    return Path(looked_at, distances, log_fit(list(distances), list(distances.values())))


def _diagnostics(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(PREFIX)}


def _short(name: str) -> str:
    return str(name).removeprefix(PREFIX)
