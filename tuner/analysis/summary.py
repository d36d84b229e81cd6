"""The results of an experiment as one tree of values, and as the JSON that the command line prints."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tuner.analysis.edges import verdicts as edge_analysis
from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict
from tuner.analysis.edges.widening import RoundStory, Unreached, history, unreached
from tuner.analysis.optimum.candidates import fastest
from tuner.analysis.optimum.confirmation import Confirmation, SelectionBias, confirm, selection_bias
from tuner.analysis.optimum.warm_start import WarmStart, warm_start
from tuner.analysis.scaling.curve import scaling_curve
from tuner.analysis.scaling.doubts import Doubt, doubts
from tuner.analysis.scaling.repeats import RepeatedInterval, repeated_intervals
from tuner.experiment import Experiment
from tuner.records import CONFIRMATION, ExperimentRecord, Growth, Role, StudyRecord, TrialRecord, TrialState
from tuner.trial import Outcome

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """The number of search trials by outcome, and of those that were interrupted (`failed`) or run."""

    achieved: int
    censored: int
    infeasible: int
    error: int
    failed: int
    running: int

    @property
    def finished(self) -> int:
        """Those with a result."""
        return self.achieved + self.censored + self.infeasible + self.error

    def to_json(self) -> Json:
        """The counts by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class StudyResults:
    """The results of one study.

    Attributes:
        complete: Whether search and confirmation are done.
        errors: How many trials of all roles each error of the training code ended, most first.
        steps_spent: Gradient steps of all finished search trials.
        confirmation_steps_spent: Gradient steps of all finished confirmation trials.
        warm_start: What it took over from another batch size, if it did.
        history: What each round came to, oldest first.
        unreached: What was tried in vain, if the study ended so.
        best: The search trial with the fewest steps; None if none reached the target.
        confirmed: The winner, once its report seeds have run.
        repeated: Where its steps would lie in repeated experiments; None if that cannot be estimated.
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
    def best_steps(self) -> int | None:
        """Steps to target of the best search trial."""
        return self.best.end.steps if self.best is not None and self.best.end is not None else None

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
            "trials": self.trials.to_json(),
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
    """

    experiment: Experiment
    studies: tuple[StudyResults, ...]
    growth: tuple[Growth, ...] = ()

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
        """How far the searches were biased; None if no study is confirmed."""
        return selection_bias(each.confirmed for each in self.studies if each.confirmed is not None)

    def to_json(self) -> Json:
        """What `tuner results --json` prints; null stands for an infinite number of steps."""
        bias = self.selection_bias
        return {
            "experiment": self.experiment.name,
            "goal": self.experiment.to_table()["goal"],
            "growth": [each.to_json() for each in self.growth],
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
    """

    experiment: str
    verdicts: tuple[tuple[int, EdgeVerdict], ...]
    doubts: tuple[Doubt, ...] = ()

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
    """The results of an experiment, complete or not."""
    curve = scaling_curve(record)
    repeated = repeated_intervals(curve)
    in_doubt = {each.batch_size: each for each in doubts(curve, record.experiment.goal)}
    studies = (
        _study_results(each, record.experiment, repeated.get(each.batch_size), in_doubt.get(each.batch_size))
        for each in record.studies
    )
    return Results(record.experiment, tuple(studies), record.growth)


def edges(record: ExperimentRecord) -> Edges:
    """Where each study's optimum lies in its space, and which optima are in doubt."""
    whole = results(record)
    found = ((study.batch_size, each) for study in whole.studies for each in study.edges)
    return Edges(record.experiment.name, tuple(found), whole.doubts)


def _study_results(
    study: StudyRecord, experiment: Experiment, repeated: RepeatedInterval | None, doubt: Doubt | None
) -> StudyResults:
    """The results of one study."""
    confirmed = confirm(study, experiment.confirmation)
    return StudyResults(
        batch_size=study.batch_size,
        complete=study.complete,
        trials=_count(study),
        errors=_errors(study),
        steps_spent=_spent(study.finished(Role.SEARCH, Role.PROBE)),
        confirmation_steps_spent=_spent(study.finished(*CONFIRMATION)),
        warm_start=warm_start(study),
        history=history(study),
        unreached=unreached(study, experiment.goal.at(study.batch_size)),
        best=next(iter(fastest(study, 1)), None),
        confirmed=confirmed,
        repeated=repeated,
        doubt=doubt,
        edges=edge_analysis.check(study, confirmed),
    )


def _count(study: StudyRecord) -> TrialCounts:
    """Search trials by how they ended, probes apart."""
    searched = [each for each in study.all_trials(Role.SEARCH) if each.plan.role is Role.SEARCH]
    outcomes = Counter(each.end.outcome for each in searched if each.end is not None)
    states = Counter(each.state for each in searched)
    return TrialCounts(
        achieved=outcomes[Outcome.ACHIEVED],
        censored=outcomes[Outcome.CENSORED],
        infeasible=outcomes[Outcome.INFEASIBLE],
        error=outcomes[Outcome.ERROR],
        failed=states[TrialState.FAILED],
        running=states[TrialState.RUNNING],
    )


def _errors(study: StudyRecord) -> dict[str, int]:
    """How many trials each error ended, most first."""
    ended = (each for each in study.finished(*Role) if each.end is not None and each.end.outcome is Outcome.ERROR)
    return dict(Counter(each.reason for each in ended).most_common())


def _spent(trials: Iterable[TrialRecord]) -> int:
    """Gradient steps they were trained for."""
    return sum(each.end.spent for each in trials if each.end is not None)


def _best_json(study: StudyResults) -> Json | None:
    if study.best is None:
        return None
    return {
        "round": study.best.round,
        "trial": study.best.number,
        "steps": study.best_steps,
        "params": dict(study.best.plan.hyperparameters),
    }


def _confirmed_json(study: StudyResults) -> Json | None:
    """The winner; None, as promised, also when no report seed reached the target."""
    if study.confirmed is None or study.confirmed.reached == 0:
        return None
    repeated = study.repeated
    interval = None if repeated is None else {"low": repeated.low, "high": repeated.high}
    return study.confirmed.to_json() | {"repeated_interval": interval}
