"""When a study stops because its training code raises errors too often."""

from collections import deque

from tuner.errors import TunerError
from tuner.records import PROTOCOL, StudyRecord, TrialRecord
from tuner.trial import Failure

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
        finished = sorted(study.finished(*PROTOCOL), key=lambda each: (each.round, each.number))
        self._last = deque(map(_reason, finished), maxlen=LAST)

    def see(self, failure: Failure | None) -> str:
        """A trial has ended, with an error or not. Returns what is to be said: details only of an error that is new."""
        said = ""
        if failure is not None:
            said = failure.reason if failure.reason in self._last else str(failure)
        self._last.append("" if failure is None else failure.reason)
        return said

    def check(self) -> None:
        """Raise `TooManyErrors` if too many of the last trials ended with an error."""
        errors = [each for each in self._last if each]
        if len(errors) > self._share * LAST:
            message = f"{len(errors)} of the last {len(self._last)} trials ended with an error, the last with"
            advice = "repair the training code and run the experiment again, or raise search.max_error_share"
            raise TooManyErrors(f"{message} {errors[-1]}; {advice}")


def _reason(trial: TrialRecord) -> str:
    """The error that ended a trial; empty if none did."""
    return trial.reason if trial.is_error else ""
