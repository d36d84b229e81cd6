"""Training code that raises ends its trial, not its study; code that breaks its contract ends the study."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from tests.toy import SMALL, Toy, ToyTrainer
from tests.working import work_through
from tuner.analysis.summary import results
from tuner.cli.tables import results_table
from tuner.errors import ContractError
from tuner.experiment import Experiment, parse
from tuner.experiment.goals import ReachTarget
from tuner.objective import Target
from tuner.recorders import Event, Notice, StudyBroken
from tuner.records import Role, StudyRecord, TrialState
from tuner.search.contract import MeasurementCheck
from tuner.stores import Store
from tuner.trial import Failure, Measurement, Outcome, TrialResult, TrialSpec

EXPERIMENT = dataclasses.replace(parse(SMALL, source="toy.toml"), batch_sizes=(8,))
BAD = 0.02
"""Trials with a smaller learning rate raise an error: a quarter to a half of those of the search."""


@dataclass(frozen=True)
class Faulty(Toy):
    """The toy, whose trials of a small learning rate raise an error: when they are loaded, or at their third step.

    A trainer that `says` which trial it was goes on; one that does not is unusable.
    """

    at: str = "step"
    says: bool = True
    below: float = BAD
    loads: list[TrialSpec] = field(default_factory=list)

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        return FaultyTrainer(self, batch_size, lanes, "cpu", faulty=self)


@dataclass(slots=True)
class FaultyTrainer(ToyTrainer):
    faulty: Faulty = Faulty()
    is_unusable: bool = False

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        if self.faulty.at == "load" and float(trial.hyperparameters["learning_rate"]) < self.faulty.below:
            raise ValueError("too small")
        self.faulty.loads.append(trial)
        ToyTrainer.load(self, lane, trial, checkpoint)

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:  # type: ignore[override]
        assert not self.is_unusable
        found: dict[int, Sequence[Measurement | Failure]] = dict(ToyTrainer.advance(self))
        for lane, (trial, step) in self.running.items():
            if self.faulty.at == "step" and step >= 3 and self._is_bad(trial):
                if not self.faulty.says:
                    self.is_unusable = True
                    raise ValueError("too small")
                found[lane] = [Failure("ValueError: too small", '  File "mine.py", line 3')]
        return found

    def _is_bad(self, trial: TrialSpec) -> bool:
        return float(trial.hyperparameters["learning_rate"]) < self.faulty.below


def work(store: Store, objective: Toy, experiment: Experiment = EXPERIMENT) -> tuple[StudyRecord, list[Event]]:
    """The study after a worker has done what it can, and what the worker said."""
    events: list[Event] = []
    store.submit(experiment)
    work_through(store, emit=events.append, build=lambda _: objective)
    (study,) = store.record(experiment.name).studies
    return study, events


def ended_with_errors(study: StudyRecord) -> list[float]:
    """The learning rates of the trials that an error ended."""
    ended = [each for each in study.finished(*Role) if each.end is not None and each.end.outcome is Outcome.ERROR]
    assert {each.reason for each in ended} <= {"ValueError: too small"}
    return [float(each.plan.hyperparameters["learning_rate"]) for each in ended]


@pytest.mark.parametrize("faulty", [Faulty(), Faulty(at="load"), Faulty(says=False)])
def test_a_trial_that_raises_is_a_result_and_the_study_goes_on(store: Store, faulty: Faulty) -> None:
    study, events = work(store, faulty)

    searched = study.finished(Role.SEARCH)
    small = [rate for each in searched if (rate := float(each.plan.hyperparameters["learning_rate"])) < BAD]
    assert study.complete
    assert sorted(ended_with_errors(study)) == sorted(small)
    assert 0 < len(small) < len(searched) == 12
    assert not [each for each in events if isinstance(each, StudyBroken)]
    assert results(store.record("toy")).studies[0].errors == {"ValueError: too small": len(small)}


def test_the_frames_of_an_error_are_told_once(store: Store) -> None:
    _, events = work(store, Faulty())

    said = [each.text for each in events if isinstance(each, Notice) and "too small" in each.text]
    assert len(said) > 1
    assert ["mine.py" in each for each in said] == [True] + [False] * (len(said) - 1)


def test_the_trials_beside_one_that_broke_its_trainer_end_as_they_would_alone(store: Store) -> None:
    beside, _ = work(store, Faulty(says=False))
    told, _ = work(store, Faulty(), dataclasses.replace(EXPERIMENT, name="told"))

    outcomes = [
        {each.plan.point: each.end.outcome for each in study.finished(Role.SEARCH) if each.end is not None}
        for study in (beside, told)
    ]
    assert outcomes[0] == outcomes[1]


def test_too_many_errors_set_a_study_aside_and_repaired_code_goes_on(store: Store) -> None:
    study, events = work(store, Faulty(at="load", below=100.0))

    (broken,) = (each for each in events if isinstance(each, StudyBroken))
    assert broken.reason.startswith("6 of the last 6 trials ended with an error, the last with ValueError: too small;")
    assert study.error == broken.reason
    assert len(ended_with_errors(study)) == 6

    store.reopen("toy")
    repaired, _ = work(store, Toy())

    assert repaired.complete
    assert ended_with_errors(repaired) == []
    assert len(repaired.finished(Role.SEARCH)) == 12
    assert (
        sum(each.state is TrialState.FAILED and each.reason == "ValueError: too small" for each in repaired.trials) == 6
    )


def test_the_share_of_errors_that_is_allowed_is_a_setting(store: Store) -> None:
    search = dataclasses.replace(EXPERIMENT.search, max_error_share=1.0)

    study, _ = work(store, Faulty(at="load", below=100.0), dataclasses.replace(EXPERIMENT, search=search))

    assert study.complete
    assert len(ended_with_errors(study)) == 12


def test_an_error_is_worse_than_what_reached_the_target_or_missed_it_nearly() -> None:
    goal, curve = EXPERIMENT.goal.at(8), [Measurement(1, {"train/loss": 0.1, "validation/error": 0.06})]

    loss = goal.loss(goal.fail(curve, Failure("ValueError: too small"), cap=100))

    assert loss == math.log2(8 * 100)
    assert goal.loss(goal.fail([], Failure("ValueError: too small"))) == math.log2(8 * 400)
    missed = TrialResult(Outcome.INFEASIBLE, 1, 100, tuple(curve))
    assert loss > goal.loss(missed) > goal.loss(TrialResult(Outcome.ACHIEVED, 100, 100, tuple(curve)))


def test_errors_are_shown_with_the_results(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    study, _ = work(store, Faulty())

    Console(width=120).print(results_table(results(store.record("toy"))))
    many = len(ended_with_errors(study))
    assert f"{many} trials ended with an error of the training code: ValueError: too small" in capsys.readouterr().out


GOAL = ReachTarget("validation/error", Target(0.03), within_steps=400)
CHECK = MeasurementCheck("mine:Loop", frozenset({"train/loss", "validation/error"}), GOAL)


def test_numbers_of_libraries_are_converted() -> None:
    given = {"train/loss": torch.tensor(0.5), "validation/error": np.float32(0.25)}

    measured = CHECK(Measurement(np.int64(3), given), after=2)  # type: ignore[arg-type]

    assert measured == Measurement(3, {"train/loss": 0.5, "validation/error": 0.25})
    assert {type(each) for each in measured.metrics.values()} == {float}
    assert type(measured.step) is int
    assert CHECK(Measurement(3, {"train/loss": np.ones((1, 1))}), after=2).metrics == {"train/loss": 1.0}  # type: ignore[dict-item]


WRONG: list[tuple[object, str]] = [
    ((3, {"validation/error": 0.5}), "it must give Measurement(step, metrics) of tuner.trial"),
    (Measurement(2, {"validation/error": 0.5}), "measured at step 2 after step 2; steps count from 1 and must grow"),
    (Measurement(2.5, {"validation/error": 0.5}), "measured at step 2.5; a step is a whole number"),  # type: ignore[arg-type]
    (Measurement(True, {"validation/error": 0.5}), "measured at step True; a step is a whole number"),
    (Measurement(3, [0.5]), "measured [0.5] at step 3; it must give names and numbers"),  # type: ignore[arg-type]
    (
        Measurement(3, {"validation/eror": 0.5}),
        "validation/eror at step 3, which its metrics do not name; did you mean",
    ),
    (Measurement(3, {"validation/error": None}), "validation/error = None at step 3; a metric is a number"),  # type: ignore[dict-item]
    (Measurement(3, {"validation/error": "0.5"}), "validation/error = '0.5' at step 3; a metric is a number"),  # type: ignore[dict-item]
    (Measurement(3, {"validation/error": False}), "validation/error = False at step 3; a metric is a number"),
    (Measurement(3, {"validation/error": torch.ones(2)}), "validation/error = tensor([1., 1.]) at step 3"),  # type: ignore[dict-item]
    (Measurement(3, {"validation/error": 1j}), "validation/error = 1j at step 3; a metric is a number"),  # type: ignore[dict-item]
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_breaks_the_contract_is_named_in_one_line(given: object, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        CHECK(given, after=2)

    assert str(caught.value).startswith("mine:Loop measured ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@dataclass(frozen=True)
class Typo(Toy):
    """The toy, which measures another metric than it says."""

    measured: str = "validation/eror"
    loss: float = 0.1

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        return TypoTrainer(self, batch_size, lanes, "cpu", measured=self.measured, loss=self.loss)


@dataclass(slots=True)
class TypoTrainer(ToyTrainer):
    measured: str = ""
    loss: float = 0.1

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        found = ToyTrainer.advance(self)
        return {
            lane: [Measurement(each.step, {"train/loss": self.loss, self.measured: 0.5}) for each in curve]
            for lane, curve in found.items()
        }


def test_a_metric_that_is_measured_after_the_budget_only_breaks_the_contract() -> None:
    goal = EXPERIMENT.goal.at(8).within(40)
    early, late = (Measurement(step, {"train/loss": 0.1, "validation/error": 0.5}) for step in (40, 50))
    check = MeasurementCheck("mine", frozenset(early.metrics), goal)

    check.check_end([early, late])
    with pytest.raises(ContractError, match=r"mine measured validation/error first at step 50, after the budget of 40"):
        check.check_end([Measurement(1, {"train/loss": 0.1}), late])


def test_a_trial_that_diverged_before_the_metric_was_measured_breaks_no_contract(store: Store) -> None:
    study, _ = work(store, Typo(measured="test/error", loss=math.nan))

    assert study.error == ""
    assert {each.end.outcome for each in study.finished(*Role) if each.end is not None} == {Outcome.INFEASIBLE}
    (found,) = [each.unreached for each in results(store.record(EXPERIMENT.name)).studies]
    assert found is not None
    assert "; all of them diverged. Tried: " in found.sentence


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        ("validation/eror", "tests.toy:Toy measured validation/eror at step 1, which its metrics do not name; did you"),
        (
            "test/error",
            "tests.toy:Toy never measured validation/error in 400 steps, which the goal asks for; only ",
        ),
    ],
)
def test_a_broken_contract_sets_the_study_aside_at_once(store: Store, measured: str, message: str) -> None:
    search = dataclasses.replace(EXPERIMENT.search, optimism=float("inf"))

    study, events = work(store, Typo(measured=measured), dataclasses.replace(EXPERIMENT, search=search))

    assert study.error.startswith(message)
    assert not [each for each in events if isinstance(each, Notice)]
    assert study.finished(*Role) == ()
