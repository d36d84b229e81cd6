"""The search generator fills lanes, judges, caps and refills."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.toy import Toy, ToyTrainer, steps_to
from tuner.errors import OutOfMemory
from tuner.experiment.goals import ReachTarget
from tuner.objective import Target
from tuner.records import Role, TrialPlan
from tuner.search.cutoff import Cutoff
from tuner.search.loop import Advanced, Checkpoint, Ended, Resumed, Saved, Trial, search
from tuner.trial import Measurement, Outcome, TrialSpec, score_of

GOAL = ReachTarget("validation/error", Target(0.03), within_steps=400)


def trials(*learning_rates: float) -> Iterator[Trial]:
    """One trial for each learning rate."""
    for number, rate in enumerate(learning_rates):
        yield Trial(number, TrialPlan(number, 0, Role.SEARCH, number, {"learning_rate": rate}, 2, "cpu"))


def ends(trainer: ToyTrainer, *learning_rates: float, slack: float = math.inf) -> dict[int, Ended]:
    """Every end, by trial number, in the order they came."""
    events = search(trainer, trials(*learning_rates), GOAL, cutoff=Cutoff(slack))
    return {each.trial.number: each for each in events if isinstance(each, Ended)}


@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
def test_steps_to_target_do_not_depend_on_the_number_of_lanes(lanes: int) -> None:
    rates = (0.1, 0.02, 0.5, 0.05, 0.9)

    found = ends(Toy().trainer(64, lanes=lanes, device="cpu"), *rates)

    assert [found[number].result.steps for number in range(5)] == [steps_to(0.03, rate) for rate in rates]
    assert all(each.result.outcome is Outcome.ACHIEVED for each in found.values())


def test_a_freed_lane_is_refilled_before_the_lanes_advance() -> None:
    trainer = Toy().trainer(64, lanes=2, device="cpu")

    order = list(ends(trainer, 0.001, 0.1, 0.1, 0.1))

    assert order == [1, 2, 3, 0]


def test_a_trial_is_cut_at_slack_times_the_fewest_steps_so_far() -> None:
    best = steps_to(0.03, 0.1)

    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 0.1, 0.0001, slack=1.5)

    assert found[1].result.outcome is Outcome.CENSORED
    assert found[1].result.steps == -(-3 * best // 2)


def test_without_slack_nothing_is_cut_before_its_budget() -> None:
    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 0.1, 1e-6)

    assert (found[1].result.outcome, found[1].result.steps) == (Outcome.CENSORED, 400)


def test_a_diverging_trial_ends_at_once() -> None:
    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 5.0)

    assert (found[0].result.outcome, found[0].result.steps) == (Outcome.INFEASIBLE, 1)


@dataclass
class Frugal(ToyTrainer):
    """The toy, which measures the test metric only where a trial ends."""

    asked: list[tuple[int, int]] = field(default_factory=list)

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        measured = ToyTrainer.advance(self)
        return {lane: [self._left_out(each) for each in curve] for lane, curve in measured.items()}

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        assert lane in self.running
        self.asked.append((lane, step))
        return {"test/error": 0.5, "validation/error": 0.02}

    def _left_out(self, measured: Measurement) -> Measurement:
        metrics = {name: value for name, value in measured.metrics.items() if name != "test/error"}
        return Measurement(measured.step, metrics, {"validation/error": 512} if measured.step < 51 else {})


def test_what_the_last_measurement_left_out_is_asked_for_where_a_trial_ends() -> None:
    trainer = Frugal(Toy(), 64, lanes=2, device="cpu")

    found = ends(trainer, 0.1, 0.0001)

    assert sorted(trainer.asked) == [(0, found[0].result.spent), (1, found[1].result.spent)]
    for each in found.values():
        assert each.result.final["test/error"] == 0.5
        assert not each.result.curve[-1].partial
        assert all("test/error" not in before.metrics for before in each.result.curve[:-1])


def test_no_trials_are_no_events() -> None:
    assert ends(Toy().trainer(64, lanes=2, device="cpu")) == {}


@dataclass
class Stubborn(ToyTrainer):
    """The toy, which cannot go on from checkpoints of a kind, or save its trials at all."""

    saves: bool = True

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        if checkpoint == b"full":
            raise OutOfMemory("the toy is full")
        ToyTrainer.load(self, lane, trial, checkpoint)

    def save(self, lane: int) -> bytes:
        if not self.saves:
            raise NotImplementedError
        return ToyTrainer.save(self, lane)


def stubborn(*, saves: bool = True) -> Stubborn:
    return Stubborn(Toy(), 64, lanes=2, device="cpu", saves=saves)


def interrupted(*rates: float, chunks: int) -> dict[int, Checkpoint | None]:
    """Where each trial stood after some chunks."""
    trainer = Toy().trainer(64, lanes=2, device="cpu")
    events = search(trainer, trials(*rates), GOAL, saving=lambda: True)
    found: dict[int, Checkpoint | None] = {}
    while chunks:
        match next(events):
            case Saved(trial, checkpoint):
                found[trial.number] = checkpoint
            case Advanced():
                chunks -= 1
    return found


def test_a_trial_goes_on_from_its_checkpoint_and_ends_as_if_it_had_never_stopped() -> None:
    rates = (0.1, 0.02, 0.5)
    stood = interrupted(*rates, chunks=30)
    whole = ends(Toy().trainer(64, lanes=2, device="cpu"), *rates)
    trainer = Toy().trainer(64, lanes=3, device="cpu")
    again = (replace(each, checkpoint=stood.get(each.number)) for each in trials(*rates))

    events = list(search(trainer, again, GOAL))

    assert stood.keys() == {0, 1}
    assert [(each.trial.number, each.step) for each in events if isinstance(each, Resumed)] == [(0, 30), (1, 30)]
    assert {each.trial.number: each.result for each in events if isinstance(each, Ended)} == {
        number: each.result for number, each in whole.items()
    }
    trained = sum(each.steps for each in events if isinstance(each, Advanced))
    assert trained == sum(each.result.spent for each in whole.values()) - 60


def test_a_trial_whose_checkpoint_the_trainer_cannot_read_starts_again() -> None:
    (trial,) = trials(0.1)
    wrong = replace(trial, checkpoint=Checkpoint((Measurement(30, {}),), b"nonsense"))

    resumed, *events = search(stubborn(), iter([wrong]), GOAL)

    assert isinstance(resumed, Resumed)
    assert resumed.step == 0
    assert resumed.sentence == (
        "point 0 starts again: its checkpoint cannot be read "
        "(ValueError: invalid literal for int() with base 10: b'nonsense')"
    )
    (end,) = (each for each in events if isinstance(each, Ended))
    assert end.result.steps == len(end.result.curve) == steps_to(0.03, 0.1)
    assert resumed.trial.checkpoint is end.trial.checkpoint is None


def test_a_device_that_is_full_when_a_trial_goes_on_is_no_fault_of_the_checkpoint() -> None:
    (trial,) = trials(0.1)
    full = replace(trial, checkpoint=Checkpoint((), b"full"))

    with pytest.raises(OutOfMemory, match="the toy is full"):
        list(search(stubborn(), iter([full]), GOAL))


def test_a_trainer_that_cannot_save_trains_all_the_same() -> None:
    events = list(search(stubborn(saves=False), trials(0.1), GOAL, saving=lambda: True))

    assert {each.checkpoint for each in events if isinstance(each, Saved)} == {None}
    assert [each.result.steps for each in events if isinstance(each, Ended)] == [steps_to(0.03, 0.1)]


def test_the_cap_follows_the_best_trial_and_not_the_worst() -> None:
    best, worse = steps_to(0.03, 0.1), steps_to(0.03, 0.5)
    assert best < worse < 1.5 * best

    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 0.1, 0.5, 0.0001, slack=1.5)
    again = ends(Toy().trainer(64, lanes=1, device="cpu"), 0.5, 0.1, 0.0001, slack=1.5)

    assert found[2].result.limit == again[2].result.limit == -(-3 * best // 2)


def test_only_a_trial_that_reached_its_target_lowers_the_cap() -> None:
    cutoff = Cutoff(slack=2.0, incumbent=40)

    for outcome in (Outcome.CENSORED, Outcome.INFEASIBLE):
        cutoff.learn(score_of(outcome, steps=5, loss=2000.0))  # of a metric near the largest number there is
    assert cutoff.cap == 80

    cutoff.learn(score_of(Outcome.ACHIEVED, steps=30, loss=1.0))
    assert cutoff.cap == 60
    assert Cutoff(incumbent=40).cap is None
    assert Cutoff(slack=2.0).cap is None


def test_a_hopeless_trial_is_cut_long_before_its_budget() -> None:
    trainer = Toy().trainer(64, lanes=1, device="cpu")

    (end,) = [
        each for each in search(trainer, trials(1e-8), GOAL, cutoff=Cutoff(optimism=2.0)) if isinstance(each, Ended)
    ]

    assert end.result.outcome is Outcome.CENSORED
    assert end.result.steps < end.result.limit == 400
