"""The trials that look closely at the confirmed optimum of each batch size."""

import math
from collections.abc import Iterator

from tuner.analysis.optimum.confirmation import Confirmation, confirm
from tuner.errors import TunerError
from tuner.records import DIAGNOSES_FROM, ExperimentRecord, PointRun, Role, StudyRecord

SEEDS = 3
"""By default."""


def optima_of(record: ExperimentRecord) -> Iterator[tuple[StudyRecord, Confirmation]]:
    """The studies that are complete and whose confirmed optimum has a score, smallest batch size first."""
    for study in record.studies:
        found = confirm(study, record.experiment.confirmation) if study.complete else None
        if found is not None and math.isfinite(found.score):
            yield study, found


def diagnosed_point(optimum: Confirmation) -> int:
    """The number under which an optimum is trained again: another winner has another."""
    return DIAGNOSES_FROM + optimum.point


def wanted_diagnoses(record: ExperimentRecord, seeds: int = SEEDS) -> dict[int, tuple[PointRun, ...]]:
    """The trials that are wanted, by batch size, those among them that have been run.

    Raises:
        TunerError: No batch size has a confirmed optimum.
    """
    found = {
        study.batch_size: tuple(
            PointRun(diagnosed_point(optimum), repeat, Role.DIAGNOSE, optimum.hyperparameters)
            for repeat in range(1, seeds + 1)
        )
        for study, optimum in optima_of(record)
    }
    if not found:
        name = record.experiment.name
        advice = f"`tuner run` makes one, and `tuner status {name}` says how far it is"
        raise TunerError(f"{name} has no complete batch size with a confirmed optimum; {advice}")
    return found
