"""A weaker target or a smaller budget than an experiment's own, answered from the curves that are stored.

Nothing is trained. Every trial is judged again by its curve, and the results follow from that as they do from a search.
The candidates and the winners stay those of the experiment's own goal: for another goal other points might be best.
"""

from dataclasses import dataclass, replace

from tuner.analysis.summary import Results, results
from tuner.errors import TunerError
from tuner.experiment import GoalSettings
from tuner.objective import Target
from tuner.records import Curve, CurvesOf, ExperimentRecord, Role, StudyRecord, TrialRecord
from tuner.trial import Measurement, Outcome, TrialResult


@dataclass(frozen=True, slots=True)
class OtherGoal:
    """An experiment as its trials are judged by another goal.

    Attributes:
        record: The experiment with this goal.
        own: The goal that it was searched and confirmed for.
        estimated: How many of the trials that reach the target do so by an estimate from a part of the examples.
    """

    record: ExperimentRecord
    own: GoalSettings
    estimated: int

    @property
    def results(self) -> Results:
        """The results by this goal. Edges and doubts are left out: the search was not for this goal."""
        found = results(self.record)
        return replace(found, studies=tuple(replace(each, edges=(), doubt=None) for each in found.studies))

    @property
    def sentence(self) -> str:
        """What these results are, for a person."""
        said = (
            f"From the stored curves. The winners were chosen for {self.own.phrase}, within {self.own.budget}: "
            "for this goal, the best point of the search may be better."
        )
        if not self.estimated:
            return said
        option = "also_above" if self.own.target.above else "also_below"
        trials = "1 trial passes" if self.estimated == 1 else f"{self.estimated} trials pass"
        value = self.record.experiment.goal.target.value
        return f"{said} {trials} the target by an estimate; with goal.{option} = [{value:g}] steps would be exact."

    def to_json(self) -> dict[str, object]:
        """What `chosen_for` and `estimated` hold."""
        goal = {"metric": self.own.metric, "target": self.own.target.phrase, "within": self.own.budget}
        return {"chosen_for": goal, "estimated": self.estimated}


def asked_target(*, below: float | None, above: float | None) -> Target | None:
    """The target that options ask for, if they do. Raises `TunerError`."""
    if below is not None and above is not None:
        raise TunerError("--below and --above cannot both be given: a target is one of them")
    value = below if above is None else above
    try:
        return None if value is None else Target(value, above=above is not None)
    except ValueError as error:
        raise TunerError(str(error)) from error


def judged_again(
    record: ExperimentRecord, curves: CurvesOf, *, target: Target | None = None, within_steps: int | None = None
) -> OtherGoal:
    """An experiment as if its goal had been another.

    Args:
        record: The experiment.
        curves: Reads its curves.
        target: A weaker target; None for its own.
        within_steps: A smaller budget for every batch size; None for its own.

    Raises:
        TunerError: The target is not weaker, or the budget is not smaller.
    """
    own = record.experiment.goal
    if not own.unit.counts_steps:
        raise TunerError(
            f"the goal of {record.experiment.name} is the {own.phrase}; "
            "--below, --above and --within-steps are for goals with a target"
        )
    goal = _with_budget(_with_target(own, target), within_steps, record.experiment.batch_sizes)
    judged = [_Judge(goal, study.batch_size, curves).study(study) for study in record.studies]
    experiment = replace(record.experiment, goal=goal)
    exact = goal.target in own.targets or not record.experiment.measuring.until_certain
    found = replace(record, experiment=experiment, studies=tuple(study for study, _ in judged))
    return OtherGoal(found, own, 0 if exact else sum(estimated for _, estimated in judged))


def _with_target(own: GoalSettings, target: Target | None) -> GoalSettings:
    """The goal with another target. Raises `TunerError` if that is not weaker."""
    if target is None:
        return replace(own, also_below=(), also_above=())
    if target.above != own.target.above:
        asked, has = target.phrase.split()[0], own.target.phrase.split()[0]
        raise TunerError(f"--{asked} {target.value:g} does not fit: the goal is {own.phrase}; use --{has}")
    if target != own.target and not target.is_met(own.target.value):
        message = f"{own.metric} {target.phrase} is not weaker than the goal, which is {own.phrase}"
        raise TunerError(f"{message}: trials ended when they reached that; give a weaker target")
    side = {"above": target.value, "below": None} if target.above else {"below": target.value, "above": None}
    return replace(own, **side, also_below=(), also_above=())  # type: ignore[arg-type]


def _with_budget(goal: GoalSettings, within: int | None, batch_sizes: tuple[int, ...]) -> GoalSettings:
    """The goal with another budget. Raises `TunerError` if that is not smaller."""
    if within is None:
        return goal
    budgets = {size: goal.at(size).within_steps for size in batch_sizes}
    if not 1 <= within <= max(budgets.values()):
        own = goal.budget if goal.within_steps is not None else f"{max(budgets.values()):,} steps ({goal.budget})"
        raise TunerError(f"--within-steps {within} must lie between 1 and the budget of the experiment, {own}")
    smaller = {size: min(within, each) for size, each in budgets.items()}
    return replace(goal, within_steps=smaller, within_examples=None, within_epochs=None, train_examples=None)


class _Judge:
    """Judges the trials of one study by another goal."""

    def __init__(self, goal: GoalSettings, batch_size: int, curves: CurvesOf) -> None:
        self._goal, self._target, self._curves = goal.at(batch_size), goal.target, curves
        self._estimated = 0

    def study(self, study: StudyRecord) -> tuple[StudyRecord, int]:
        """The study, and how many of its trials reach the target by an estimate."""
        rounds = [self._round(each) for each in study.rounds]
        judged = replace(study, trials=rounds[-1].trials, earlier=tuple(rounds[:-1]))
        return judged, self._estimated

    def _round(self, study: StudyRecord) -> StudyRecord:
        curves = self._curves(study.batch_size, study.round) if study.finished(*Role) else {}
        # A trial whose curve cannot be read cannot be judged.
        known = [each for each in study.trials if each.end is None or not each.end.spent or each.number in curves]
        return replace(study, trials=tuple(self._trial(each, curves.get(each.number, ())) for each in known))

    def _trial(self, trial: TrialRecord, curve: Curve) -> TrialRecord:
        """A trial with its new end; unchanged if it has none."""
        end, goal = trial.end, self._goal
        if end is None:
            return trial
        limit = min(end.limit, goal.within_steps)
        reached = next((each for each in curve if self._is_met(each) and each.step <= goal.within_steps), None)
        if reached is not None:
            self._estimated += goal.metric in reached.partial
            result = TrialResult(Outcome.ACHIEVED, reached.step, max(limit, reached.step), curve)
            found = replace(end, final=dict(reached.metrics))
        elif not end.outcome.has_trained and end.steps <= goal.within_steps:
            result, found = TrialResult(end.outcome, end.steps, limit, curve), end
        else:
            result, found = TrialResult(Outcome.CENSORED, min(end.steps, limit), limit, curve), end
        ended = replace(found, outcome=result.outcome, steps=result.steps, limit=result.limit, loss=goal.loss(result))
        return replace(trial, end=ended)

    def _is_met(self, measured: Measurement) -> bool:
        value = measured.metrics.get(self._goal.metric)
        return value is not None and self._target.is_met(value)
