"""What a study came to, as values of its MLflow run: metrics to sort and plot by, tags to filter by, a description.

All of them may change while an experiment grows, so none is a parameter.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tuner.analysis.summary import StudyResults
from tuner.experiment import Experiment
from tuner.recorders.mlflow.descriptions import progress_description, short_answer, study_description
from tuner.recorders.mlflow.run_content import COMPLETE_TAG, DOUBT_TAG
from tuner.trial import Value

ANSWER_TAG = "answer"
"""The tag that holds the answer in a few words: a run's page shows tags before metrics, and descriptions not at all."""
CONFIRMED = "confirmed_"
"""What the metrics begin with that hold the answer: the winner's median over fresh seeds, and its interval."""
WINNER, EDGE = "winner.", "edge."
"""What the names of the winner's hyperparameters and of the verdicts on its edges begin with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the run of a round says about its study.

    Attributes:
        metrics: Finite numbers.
        description: Markdown.
    """

    tags: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    description: str = ""


def is_answer(metric: str) -> bool:
    """Whether a metric is part of an answer, so that it counts no more when the answer lacks it."""
    return metric.startswith((WINNER, CONFIRMED, "repeated_"))


def answer(experiment: Experiment, study: StudyResults) -> Answer:
    """The answer of a study, for the run of its last round; while it is not complete, that there is none yet."""
    doubt = study.doubt.sentence if study.doubt is not None else ""
    if not study.complete:
        return Answer(
            {COMPLETE_TAG: "false", ANSWER_TAG: "", DOUBT_TAG: doubt}, description=progress_description(study)
        )
    winner = _winner(study)
    numbers = {name: float(each) for name, each in winner.items() if _is_number(each)}
    words = {name: str(each) for name, each in winner.items() if not _is_number(each)}
    edges = {f"{EDGE}{each.parameter}": str(each.verdict) for each in study.edges}
    return Answer(
        tags={COMPLETE_TAG: "true", ANSWER_TAG: short_answer(study), DOUBT_TAG: doubt}
        | edges
        | {f"{WINNER}{name}": each for name, each in words.items()},
        metrics=dict(_scores(study)) | {f"{WINNER}{name}": each for name, each in numbers.items()},
        description=study_description(experiment.goal, study),
    )


def answer_alone(experiment: Experiment, study: StudyResults) -> Answer:
    """The answer of a study as far as it is known without the others: nothing is said of doubts."""
    whole = answer(experiment, study)
    return replace(whole, tags={name: each for name, each in whole.tags.items() if name != DOUBT_TAG})


def superseded(round: int) -> Answer:
    """What the run of a round says when the study has gone on in the next."""
    said = f"Round {round} of its study has been followed by round {round + 1}, whose run goes on."
    return Answer({COMPLETE_TAG: "superseded", ANSWER_TAG: ""}, description=said)


def _scores(study: StudyResults) -> Iterator[tuple[str, float]]:
    """The confirmed median with both intervals, as far as they are finite."""
    unit = study.unit
    if study.confirmed is not None:
        interval = study.confirmed.interval
        low, high = unit.ends(interval.low, interval.high)
        named = {unit.key: unit.value(study.confirmed.score), "low": low, "high": high}
        yield from ((f"{CONFIRMED}{name}", float(each)) for name, each in named.items() if math.isfinite(each))
    if study.repeated is not None:
        low, high = unit.ends(study.repeated.low, study.repeated.high)
        yield from (("repeated_low", low), ("repeated_high", high))


def _winner(study: StudyResults) -> Mapping[str, Value]:
    """The winner's hyperparameters; none before there is one."""
    return study.confirmed.hyperparameters if study.confirmed is not None else {}


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
