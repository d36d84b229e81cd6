"""How sensitive training is to its hyperparameters at each batch size, and as the JSON that the command line prints.

Three questions: within which values of a parameter can the rest be tuned to come close to the optimum (`profiles`);
what share of the space trains, and how well (`shares`); and which parameters make the difference (`importances`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.optimum.confirmation import optimum
from tuner.analysis.sensitivity.importances import importances
from tuner.analysis.sensitivity.profiles import Profile, Tolerance, profiles
from tuner.analysis.sensitivity.shares import Share, Shares, shares
from tuner.experiment import Experiment
from tuner.records import ExperimentRecord, Role, StudyRecord
from tuner.trial import Value

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class StudySensitivity:
    """How sensitive training is at one batch size.

    Attributes:
        optimum: The winner, or the search's best before there is one; empty if no trial has a score.
        profiles: For each range; none if no trial has a score.
        importances: For each searched parameter, adding up to one; empty if there are too few trials.
    """

    batch_size: int
    optimum: Mapping[str, Value]
    profiles: tuple[Profile, ...]
    shares: Shares
    importances: Mapping[str, float]

    def to_json(self) -> Json:
        """One entry of `studies`."""
        return {
            "batch_size": self.batch_size,
            "optimum": dict(self.optimum),
            "parameters": [_profile_json(each) for each in self.profiles],
            "shares": _shares_json(self.shares),
            "importances": dict(self.importances),
        }


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How sensitive training is, at every batch size that has been searched."""

    experiment: Experiment
    studies: tuple[StudySensitivity, ...]

    def to_json(self) -> Json:
        """What `tuner sensitivity --json` prints."""
        return {"experiment": self.experiment.name, "studies": [each.to_json() for each in self.studies]}


def sensitivity(record: ExperimentRecord) -> Sensitivity:
    """How sensitive training is at every batch size with a search result, of an experiment complete or not.

    None where nothing is searched.
    """
    searched = (each for each in record.studies if each.space.dimensions and each.finished(Role.SEARCH))
    return Sensitivity(record.experiment, tuple(_of_study(each, record.experiment) for each in searched))


def _of_study(study: StudyRecord, experiment: Experiment) -> StudySensitivity:
    """How sensitive training is at one batch size."""
    best = optimum(study, experiment.confirmation) or {}
    return StudySensitivity(
        batch_size=study.batch_size,
        optimum=best,
        profiles=profiles(study, best) if best_trials(study, 1) else (),
        shares=shares(
            study,
            experiment_seed=experiment.seed,
            budget=experiment.goal.at(study.batch_size).within_steps,
            counts_steps=experiment.goal.unit.counts_steps,
        ),
        importances=importances(study),
    )


def _profile_json(profile: Profile) -> Json:
    return {
        "parameter": profile.parameter,
        "modelled": profile.modelled,
        "within": [_tolerance_json(each) for each in profile.tolerances],
    }


def _tolerance_json(tolerance: Tolerance) -> Json:
    return {
        "factor": tolerance.factor,
        "low": tolerance.low,
        "high": tolerance.high,
        "low_open": tolerance.low_open,
        "high_open": tolerance.high_open,
        "shown_low": tolerance.shown[0],
        "shown_high": tolerance.shown[1],
        "trials": tolerance.trials,
    }


def _shares_json(found: Shares) -> Json:
    return {
        "points": found.points,
        "cut": found.cut,
        "reaching": _share_json(found.reaching),
        "within_2x": _share_json(found.near) if found.near is not None else None,
        "diverging": _share_json(found.diverging),
    }


def _share_json(share: Share) -> Json:
    low, high = share.interval
    return {"certain": share.certain, "possible": share.possible, "low": low, "high": high}
