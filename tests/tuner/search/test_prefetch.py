"""Asks are made ahead, in an order fixed by counting."""

import random
import time

import pytest

from tuner.records import Role, TrialPlan
from tuner.search.loop import Trial
from tuner.search.prefetch import Prefetch
from tuner.trial import Measurement, Outcome, TrialResult

RESULT = TrialResult(Outcome.ACHIEVED, 1, 1, (Measurement(1, {}),))


class Diary:
    """Writes down what is asked and told, each after a random moment."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.dropped: list[int] = []
        self._random = random.Random()
        self._next = 0

    def ask(self) -> Trial:
        time.sleep(self._random.random() / 500)
        trial = Trial(self._next, TrialPlan(self._next, 0, Role.SEARCH, 0, {}, 1, "cpu"))
        self._next += 1
        self.lines.append(f"ask {trial.number}")
        return trial

    def tell(self, trial: Trial, result: TrialResult) -> None:
        time.sleep(self._random.random() / 500)
        self.lines.append(f"tell {trial.number}")

    def drop(self, trial: Trial, error: BaseException | None) -> None:
        self.dropped.append(trial.number)


def ahead(diary: Diary, *, count: int, depth: int) -> Prefetch:
    return Prefetch(ask=diary.ask, tell=diary.tell, drop=diary.drop, count=count, depth=depth)


def test_every_run_asks_and_tells_in_the_same_order() -> None:
    diaries = [Diary() for _ in range(3)]

    for diary in diaries:
        with ahead(diary, count=12, depth=4) as trials:
            for trial in trials:
                trials.settle(trial, RESULT)

    asks_then_tells = [f"ask {n}" for n in range(4)]
    for number in range(8):
        asks_then_tells += [f"tell {number}", f"ask {number + 4}"]
    asks_then_tells += [f"tell {number}" for number in range(8, 12)]
    assert [diary.lines for diary in diaries] == [asks_then_tells] * 3


def test_leaving_early_stores_what_was_settled_and_drops_the_rest() -> None:
    diary = Diary()

    with ahead(diary, count=20, depth=5) as trials:
        settled, unsettled = next(trials), next(trials)
        trials.settle(settled, RESULT)

    assert "tell 0" in diary.lines
    asked = {int(line.removeprefix("ask ")) for line in diary.lines if line.startswith("ask")}
    assert set(diary.dropped) == asked - {0}
    assert unsettled.number in diary.dropped


def test_an_error_while_storing_is_raised() -> None:
    diary = Diary()

    def broken(trial: Trial, result: TrialResult) -> None:
        raise OSError("disk full")

    def settle_all() -> None:
        with Prefetch(ask=diary.ask, tell=broken, drop=diary.drop, count=3, depth=1) as trials:
            for trial in trials:
                trials.settle(trial, RESULT)

    with pytest.raises(OSError, match="disk full"):
        settle_all()


def test_an_error_while_asking_is_raised() -> None:
    diary = Diary()

    def broken() -> Trial:
        raise OSError("no answer")

    with (
        pytest.raises(OSError, match="no answer"),
        Prefetch(ask=broken, tell=diary.tell, drop=diary.drop, count=3, depth=2) as trials,
    ):
        next(trials)
