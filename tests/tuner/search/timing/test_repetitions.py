"""The time of a step, by clocks that are known."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.training import checkpoint
from tests.objectives.loops.scripts import command, spec
from tests.objectives.reference import EASY
from tests.toy import Toy
from tests.tuner.synthetic import digits, experiment_record
from tuner.errors import ContractError, TunerError
from tuner.experiment import parse, preset_text
from tuner.objective import TimesSteps
from tuner.records import ExperimentRecord
from tuner.search.contract import MeasurementCheck, check_for
from tuner.search.timing import timings
from tuner.search.timing.processors import processor
from tuner.search.timing.repetitions import LONG_SECONDS, REPETITIONS, step_seconds, trial_seconds
from tuner.trial import Failure, Measurement, TrialSpec

TRIAL = TrialSpec(1, {"learning_rate": 0.1})
CHECK = check_for(Toy(), owner="toy", goal=digits().goal.at(8))


@dataclass
class Timed:
    """A trainer whose first call takes a second more than the steps that it trains."""

    step: float
    calls: list[int] = field(default_factory=list)

    def time_steps(self, steps: int) -> float:
        self.calls.append(steps)
        return steps * self.step + (len(self.calls) == 1)


@dataclass
class Looped:
    """A trainer of one lane that takes a while to begin and then `pause` seconds a step, and its clock."""

    pause: float
    fails_at: int = 10**9
    now: float = 0.0
    step: int = 0
    lanes: int = 1
    device: str = "cpu"

    def clock(self) -> float:
        return self.now

    def load(self, lane: int, trial: TrialSpec, state: bytes | None = None) -> None:
        self.now, self.step = self.now + 0.05, 0

    def save(self, lane: int) -> bytes:
        raise NotImplementedError

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:
        self.step, self.now = self.step + 1, self.now + self.pause
        if self.step == self.fails_at:
            return {0: [Failure("it ended")]}
        return {} if self.step % 2 else {0: [Measurement(self.step, {"validation/error": 0.5})]}

    def unload(self, lane: int) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


def run(trainer: Looped, steps: int, check: MeasurementCheck = CHECK) -> tuple[float, ...]:
    return trial_seconds(trainer, TRIAL, steps=steps, check=check, clock=trainer.clock)


@pytest.mark.parametrize("step", [1e-5, 0.01, 0.5])
def test_the_slow_first_step_is_not_counted(step: float) -> None:
    trainer = Timed(step)

    assert step_seconds(trainer) == pytest.approx([step] * REPETITIONS)
    assert trainer.calls[:2] == [1, 1]


def test_steps_that_take_long_are_repeated_less_often() -> None:
    trainer = Timed(10.0)

    assert step_seconds(trainer) == pytest.approx([10.0] * 3)
    assert trainer.calls == [1] * 5


def test_a_trial_is_timed_from_its_first_measurement_to_its_end_several_times() -> None:
    assert run(Looped(0.001), steps=100) == pytest.approx([0.001] * REPETITIONS)


def test_a_long_trial_is_stopped_and_a_slow_one_has_two_measurements_at_least() -> None:
    long, slow = Looped(1.0), Looped(100.0)

    assert run(long, steps=10**6) == pytest.approx([1.0] * 3)
    assert long.step <= LONG_SECONDS + 4
    assert run(slow, steps=10**6) == pytest.approx([100.0] * 3)
    assert slow.step == 4


def test_a_trial_that_ends_early_counts_as_far_as_it_went_if_it_measured_twice() -> None:
    assert run(Looped(0.01, fails_at=7), steps=100) == pytest.approx([0.01] * REPETITIONS)
    with pytest.raises(TunerError, match="its trial ended before its second measurement: it ended"):
        run(Looped(0.1, fails_at=3), steps=100)
    with pytest.raises(ContractError, match="its metrics do not name"):
        run(Looped(0.1), steps=100, check=MeasurementCheck("toy", frozenset({"test/error"}), digits().goal.at(8)))


def test_a_script_is_timed_with_its_measurements() -> None:
    workload = command("quiet", "{checkpoint}")
    check = check_for(workload, owner="command", goal=digits().goal.at(8))

    with closing(workload.trainer(8, lanes=1, device="cpu")) as trainer:
        assert not isinstance(trainer, TimesSteps)
        found = trial_seconds(trainer, spec(), steps=20, check=check, clock=time.perf_counter)

    assert min(found) > 0


def test_timed_steps_are_the_steps_of_training() -> None:
    def trained(many: Sequence[int]) -> bytes:
        workload = Classification(Digits(), Mlp((8,)), HeavyBall())
        with closing(workload.trainer(16, lanes=2, device="cpu")) as trainer:
            assert isinstance(trainer, TimesSteps)
            trainer.load(0, TrialSpec(5, EASY | {"momentum": 0.5}))
            for each in many:
                assert trainer.time_steps(each) > 0
            while not many and trainer.advance()[0][-1].step < 30:  # type: ignore[union-attr]
                """Measured at each step."""
            row, _, _ = checkpoint.read(trainer.save(0), examples=workload.train_examples)
            return row.parameters.numpy().tobytes()

    assert trained([1, 29]) == trained([])


def test_a_workload_that_computes_its_trials_is_refused() -> None:
    experiment = parse(preset_text("nqm-sgd"), source="")
    record = ExperimentRecord(experiment, ())

    with pytest.raises(TunerError, match="nqm computes what its trials measure instead of training them, so that its"):
        list(timings(record, experiment.build_objective(), device="auto"))


def test_an_experiment_without_results_has_nothing_to_time() -> None:
    with pytest.raises(TunerError, match="digits has no trial yet that reached the target; tuner run trains some"):
        list(timings(ExperimentRecord(digits(), ()), Toy(), device="auto"))


def test_what_training_code_raises_is_said_with_the_batch_size() -> None:
    record = experiment_record(digits(batch_sizes=[8, 16]))
    found = timings(record, Toy(breaks_at_batch_size=16), device="cpu")

    assert next(found).batch_size == 8
    with pytest.raises(TunerError, match="digits, batch size 16 on cpu: ZeroDivisionError: the toy is broken"):
        next(found)


def test_a_processor_is_called_by_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz\n")

    assert processor(cpuinfo) == "Intel Xeon Gold 6130 (2 threads)"
    assert processor(tmp_path / "none").endswith(" (2 threads)")
