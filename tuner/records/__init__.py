"""What was measured, as frozen values. Analysis and reports read these and nothing else."""

from tuner.records.curves import EVERYTHING, CurvesOf, RememberedCurves, SelectsCurves, Wanted, no_curves, some_curves
from tuner.records.experiments import ExperimentRecord, ExperimentState, Growth
from tuner.records.stages import Stage, StudyStage, neighbours, waits_for
from tuner.records.studies import Holder, StudyRecord, study_name
from tuner.records.timings import Timing, newest
from tuner.records.trials import (
    BORROWED_FROM,
    CONFIRMATION,
    DIAGNOSES_FROM,
    EXTRA,
    PROTOCOL,
    RULES_FROM,
    SHOWN,
    Curve,
    Origin,
    PointRun,
    Role,
    TrialEnd,
    TrialPlan,
    TrialRecord,
    TrialState,
    shown,
)

__all__ = [
    "BORROWED_FROM",
    "CONFIRMATION",
    "DIAGNOSES_FROM",
    "EVERYTHING",
    "EXTRA",
    "PROTOCOL",
    "RULES_FROM",
    "SHOWN",
    "Curve",
    "CurvesOf",
    "ExperimentRecord",
    "ExperimentState",
    "Growth",
    "Holder",
    "Origin",
    "PointRun",
    "RememberedCurves",
    "Role",
    "SelectsCurves",
    "Stage",
    "StudyRecord",
    "StudyStage",
    "Timing",
    "TrialEnd",
    "TrialPlan",
    "TrialRecord",
    "TrialState",
    "Wanted",
    "neighbours",
    "newest",
    "no_curves",
    "shown",
    "some_curves",
    "study_name",
    "waits_for",
]
