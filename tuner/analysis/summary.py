"""The results of an experiment as one tree of values, and as the JSON that the command line prints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from tuner.analysis.counts import TrialCounts, error_counts, search_counts
from tuner.analysis.edges import verdicts as edge_analysis
from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict
from tuner.analysis.edges.widening import RoundStory, Unreached, history, unreached
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.optimum.confirmation import Confirmation, SelectionBias, confirm, selection_bias
from tuner.analysis.optimum.warm_start import WarmStart, warm_start
from tuner.analysis.scaling.curve import scaling_curve
from tuner.analysis.scaling.doubts import Doubt, are_comparable, doubts
from tuner.analysis.scaling.repeats import RepeatedInterval, repeated_intervals
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.experiment.workload.bounds import StoredWorkload
from tuner.records import CONFIRMATION, ExperimentRecord, Growth, Role, StudyRecord, TrialRecord

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class StudyResults:
    """The results of one study.

    Attributes:
        complete: Whether search and confirmation are done.
        errors: How many trials of the search and the confirmation each error of the training code ended, most first.
        steps_spent: Gradient steps of all finished search trials.
        confirmation_steps_spent: Gradient steps of all finished confirmation trials.
        warm_start: What it took over from another batch size, if it did.
        history: What each round came to, oldest first.
        unreached: What was tried in vain, if the study ended so.
        unit: What scores count.
        best: The search trial with the best score; None if none has one.
        confirmed: The winner, once its report seeds have run.
        repeated: Where its score would lie in repeated experiments; None if that cannot be estimated.
        doubt: Why its optimum does not fit those of other batch sizes; None if it does.
        edges: A verdict for each range.
    """

    batch_size: int
    complete: bool
    trials: TrialCounts
    errors: Mapping[str, int]
    steps_spent: int
    confirmation_steps_spent: int
    warm_start: WarmStart | None
    history: tuple[RoundStory, ...]
    unreached: Unreached | None
    unit: ScoreUnit
    best: TrialRecord | None
    confirmed: Confirmation | None
    repeated: RepeatedInterval | None
    doubt: Doubt | None
    edges: tuple[EdgeVerdict, ...]

    @property
    def rounds(self) -> int:
        """Search spaces so far."""
        return len(self.history)

    @property
    def story(self) -> tuple[str, ...]:
        """In words what the search began from, if that is another's optimum, and the rounds, if there were several."""
        begun = (self.warm_start.sentence,) if self.warm_start is not None else ()
        return begun + (tuple(each.sentence for each in self.history) if self.rounds > 1 else ())

    @property
    def examples_spent(self) -> int:
        """Training examples of all finished search trials."""
        return self.steps_spent * self.batch_size

    @property
    def best_score(self) -> float | None:
        """The score of the best search trial."""
        return None if self.best is None else self.best.score

    def to_json(self) -> Json:
        """One entry of `studies`."""
        return {
            "batch_size": self.batch_size,
            "rounds": self.rounds,
            "warm_start": self.warm_start.to_json() if self.warm_start is not None else None,
            "history": [each.to_json() for each in self.history],
            "unreached": self.unreached.to_json() if self.unreached is not None else None,
            "complete": self.complete,
            "steps_spent": self.steps_spent,
            "examples_spent": self.examples_spent,
            "confirmation_steps_spent": self.confirmation_steps_spent,
            "trials": self.trials.to_json(self.unit),
            "errors": dict(self.errors),
            "best": _best_json(self),
            "confirmed": _confirmed_json(self),
            "doubt": self.doubt.to_json() if self.doubt is not None else None,
            "edges": [each.to_json() for each in self.edges],
        }


@dataclass(frozen=True, slots=True)
class Results:
    """The results of an experiment.

    Attributes:
        growth: What was added to it after it had been stored, oldest first.
        damaged: What is left out because it cannot be read, in a phrase each.
    """

    experiment: Experiment
    studies: tuple[StudyResults, ...]
    growth: tuple[Growth, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def at_box_edge(self) -> bool:
        """Whether an optimum lies at an edge of its space."""
        return any(each.verdict is Verdict.BOX_EDGE for study in self.studies for each in study.edges)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The optima that do not fit those of other batch sizes."""
        return tuple(each.doubt for each in self.studies if each.doubt is not None)

    @property
    def selection_bias(self) -> SelectionBias | None:
        """How far the searches were biased; None if no study is confirmed, or if nothing is searched."""
        if not self.experiment.space.is_searched:
            return None
        return selection_bias(each.confirmed for each in self.studies if each.confirmed is not None)

    def to_json(self) -> Json:
        """What `tuner results --json` prints; null stands for an infinite number."""
        bias = self.selection_bias
        return {
            "experiment": self.experiment.name,
            "goal": self.experiment.to_table()["goal"],
            "growth": [each.to_json() for each in self.growth],
            "damaged": list(self.damaged),
            "selection_bias": None
            if bias is None
            else {"ratio": bias.ratio, "studies": bias.studies, "unreached": bias.unreached},
            "studies": [each.to_json() for each in self.studies],
        }


@dataclass(frozen=True, slots=True)
class Edges:
    """Where each study's optimum lies in its space, and which optima are in doubt.

    Attributes:
        verdicts: Pairs of batch size and verdict.
        doubts: The optima that do not fit those of other batch sizes.
        is_searched: Whether there is a space that could have edges.
        ratio: What wider ranges may save: steps, or distance from the ideal.
    """

    experiment: str
    verdicts: tuple[tuple[int, EdgeVerdict], ...]
    doubts: tuple[Doubt, ...] = ()
    is_searched: bool = True
    ratio: str = "the steps"

    @property
    def at_box_edge(self) -> bool:
        """Whether an optimum lies at an edge of its space."""
        return any(each.verdict is Verdict.BOX_EDGE for _, each in self.verdicts)

    @property
    def is_suspicious(self) -> bool:
        """Whether an optimum lies at an edge of its space, or is in doubt."""
        return self.at_box_edge or bool(self.doubts)

    def to_json(self) -> Json:
        """What `tuner edges --json` prints."""
        return {
            "experiment": self.experiment,
            "edges": [{"batch_size": size, **each.to_json()} for size, each in self.verdicts],
            "doubts": [{"batch_size": each.batch_size, **each.to_json()} for each in self.doubts],
        }


def results(record: ExperimentRecord) -> Results:
    """The results of an experiment, complete or not.

    Where an optimum may be beyond a side of its space, the workload is asked whether it can train there.
    """
    curve = scaling_curve(record)
    goal, space = record.experiment.goal, record.experiment.space
    repeated = repeated_intervals(curve) if space.is_searched else {}
    in_doubt = {each.batch_size: each for each in doubts(curve, goal)} if are_comparable(space) else {}
    workload = StoredWorkload(record.experiment)
    studies = (
        _study_results(each, workload, repeated.get(each.batch_size), in_doubt.get(each.batch_size))
        for each in record.studies
    )
    return Results(record.experiment, tuple(studies), record.growth, record.damaged)


def edges(record: ExperimentRecord) -> Edges:
    """Where each study's optimum lies in its space, and which optima are in doubt."""
    whole, experiment, unit = results(record), record.experiment, record.experiment.goal.unit
    found = tuple((study.batch_size, each) for study in whole.studies for each in study.edges)
    ratio = "the steps" if unit.counts_steps else unit.ratio
    return Edges(experiment.name, found, whole.doubts, is_searched=experiment.space.is_searched, ratio=ratio)


def _study_results(
    study: StudyRecord, workload: StoredWorkload, repeated: RepeatedInterval | None, doubt: Doubt | None
) -> StudyResults:
    """The results of one study."""
    experiment = workload.experiment
    confirmed, unit = confirm(study, experiment.confirmation), experiment.goal.unit
    return StudyResults(
        batch_size=study.batch_size,
        complete=study.complete,
        trials=search_counts(study),
        errors=error_counts(study),
        steps_spent=_spent(study.finished(Role.SEARCH, Role.PROBE)),
        confirmation_steps_spent=_spent(study.finished(*CONFIRMATION)),
        warm_start=warm_start(study),
        history=history(study, unit),
        unreached=unreached(study, experiment.goal.at(study.batch_size), unit),
        unit=unit,
        best=next(iter(best_trials(study, 1)), None),
        confirmed=confirmed,
        repeated=repeated,
        doubt=doubt,
        edges=edge_analysis.check(study, confirmed, refuses=partial(workload.ends_at, study.space, study.batch_size)),
    )


def _spent(trials: Iterable[TrialRecord]) -> int:
    """Gradient steps they were trained for."""
    return sum(each.end.spent for each in trials if each.end is not None)


def _best_json(study: StudyResults) -> Json | None:
    best, unit = study.best, study.unit
    if best is None or best.end is None:
        return None
    steps = best.end.steps
    reached = {"steps": steps} if unit.counts_steps else {"value": unit.value(best.score), "step": steps}
    return {"round": best.round, "trial": best.number} | reached | {"params": dict(best.plan.hyperparameters)}


def _confirmed_json(study: StudyResults) -> Json | None:
    """The winner; None, as promised, also when no report seed has a score."""
    if study.confirmed is None or study.confirmed.reached == 0:
        return None
    repeated = study.repeated
    ends = None if repeated is None else study.unit.ends(repeated.low, repeated.high)
    interval = None if ends is None else {"low": ends[0], "high": ends[1]}
    return study.confirmed.to_json(study.unit) | {"repeated_interval": interval}
