"""When a study stops because its training code raises errors too often."""

from collections import deque
from collections.abc import Iterable

from tuner.errors import TunerError
from tuner.records import Role, StudyRecord, TrialRecord
from tuner.trial import Outcome

LAST = 10
"""So many of a study's last trials are looked at."""


class TooManyErrors(TunerError):  # noqa: N818 - says what has happened
    """Too many of a study's last trials ended with an error of the training code."""


class ErrorWatch:
    """Watches the last trials of a study.

    Args:
        share: How many of the last ten may end with an error, as a share of ten.
        study: The study so far.
    """

    def __init__(self, share: float, study: StudyRecord) -> None:
        self._share = share
        finished = sorted(study.finished(*Role), key=lambda each: (each.round, each.number))
        self._last: deque[TrialRecord] = deque(finished, maxlen=LAST)

    def see(self, trial: TrialRecord) -> None:
        """A trial has ended."""
        self._last.append(trial)

    def has_seen(self, reason: str) -> bool:
        """Whether one of the last trials ended with this error."""
        return reason in [each.reason for each in _errors(self._last)]

    def check(self) -> None:
        """Raise `TooManyErrors` if too many of the last trials ended with an error."""
        errors = list(_errors(self._last))
        if len(errors) > self._share * LAST:
            message = f"{len(errors)} of the last {len(self._last)} trials ended with an error, the last with"
            advice = "repair the training code and run the experiment again, or raise search.max_error_share"
            raise TooManyErrors(f"{message} {errors[-1].reason}; {advice}")


def _errors(trials: Iterable[TrialRecord]) -> Iterable[TrialRecord]:
    return (each for each in trials if each.end is not None and each.end.outcome is Outcome.ERROR)
