"""How many trials of a study ended in which way."""

from collections import Counter
from dataclasses import dataclass

from tuner.experiment.goals import ScoreUnit
from tuner.records import PROTOCOL, Role, StudyRecord, TrialState
from tuner.trial import Outcome


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """The number of search trials by outcome, and of those that were interrupted (`failed`) or run.

    Attributes:
        scored: Those that reached the target or, if the goal is the best value, finished.
    """

    scored: int
    censored: int
    infeasible: int
    error: int
    failed: int
    running: int

    @property
    def ended(self) -> int:
        """Those with a result."""
        return self.scored + self.censored + self.infeasible + self.error

    def to_json(self, unit: ScoreUnit) -> dict[str, object]:
        """The counts by name."""
        counts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {str(unit.outcome): counts.pop("scored"), **counts}


def search_counts(study: StudyRecord) -> TrialCounts:
    """Search trials by how they ended, probes apart."""
    searched = [each for each in study.all_trials(Role.SEARCH) if each.plan.role is Role.SEARCH]
    outcomes = Counter(each.end.outcome for each in searched if each.end is not None)
    states = Counter(each.state for each in searched)
    return TrialCounts(
        scored=outcomes[Outcome.ACHIEVED] + outcomes[Outcome.FINISHED],
        censored=outcomes[Outcome.CENSORED],
        infeasible=outcomes[Outcome.INFEASIBLE],
        error=outcomes[Outcome.ERROR],
        failed=states[TrialState.FAILED],
        running=states[TrialState.RUNNING],
    )


def error_counts(study: StudyRecord) -> dict[str, int]:
    """How many trials each error ended, most first."""
    return dict(Counter(each.reason for each in study.finished(*PROTOCOL) if each.is_error).most_common())
