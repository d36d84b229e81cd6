"""What was measured, as frozen values. Analysis and reports read these and nothing else."""

from tuner.records.experiments import ExperimentRecord, ExperimentState, Growth
from tuner.records.stages import Stage, StudyStage, neighbours, waits_for
from tuner.records.studies import Holder, StudyRecord, study_name
from tuner.records.trials import (
    BORROWED_FROM,
    CONFIRMATION,
    SHOWN,
    Curve,
    LearningRateRule,
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
    "SHOWN",
    "Curve",
    "ExperimentRecord",
    "ExperimentState",
    "Growth",
    "Holder",
    "LearningRateRule",
    "Origin",
    "PointRun",
    "Role",
    "Stage",
    "StudyRecord",
    "StudyStage",
    "TrialEnd",
    "TrialPlan",
    "TrialRecord",
    "TrialState",
    "neighbours",
    "shown",
    "study_name",
    "waits_for",
]
