"""The contract between the search and training code. Whatever trains a model implements the first two Protocols."""

from tuner.objective.contract import MeasuringPlan, Objective, PlannedObjective, Target, Trainer, make_trainer
from tuner.objective.optional import (
    COMPUTED,
    Bounds,
    CheckedObjective,
    ChecksBounds,
    DiscoveredObjective,
    GivesWeights,
    KnowsExactness,
    MeasuresEnds,
    NamesDevice,
    OptionalHyperparameters,
    Prediction,
    Predictor,
    TimesSteps,
    measure_end,
)

__all__ = [
    "COMPUTED",
    "Bounds",
    "CheckedObjective",
    "ChecksBounds",
    "DiscoveredObjective",
    "GivesWeights",
    "KnowsExactness",
    "MeasuresEnds",
    "MeasuringPlan",
    "NamesDevice",
    "Objective",
    "OptionalHyperparameters",
    "PlannedObjective",
    "Prediction",
    "Predictor",
    "Target",
    "TimesSteps",
    "Trainer",
    "make_trainer",
    "measure_end",
]
