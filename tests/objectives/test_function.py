"""A generator function trains as a workload: its parameters are the hyperparameters, and its lanes do not meet."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from objectives.function import Function
from tests.commands import ROOT
from tests.objectives.loops.users import events
from tests.toy import TOY
from tuner.errors import ConfigError, ContractError, OutOfMemory
from tuner.experiment import Experiment, from_table, parse
from tuner.objective import MeasuringPlan, Objective, PlannedObjective, Trainer
from tuner.trial import Failure, Measurement, TrialSpec, Value

USERS = "tests.objectives.loops.users"


def function(name: str) -> Function:
    """A loop whose metrics and examples are known."""
    return Function(f"{USERS}:{name}", frozenset({"validation/error"}), 1024)


def experiment(name: str, *keys: str) -> Experiment:
    """The toy's file with a function for its workload."""
    objective = "\n".join([f'kind = "function"\nfunction = "{name if ":" in name else f"{USERS}:{name}"}"', *keys])
    return parse(TOY.replace('kind = "tests.toy:Toy"', objective), source="toy.toml")


def problem(name: str, *keys: str) -> str:
    """The one problem of an experiment with a function."""
    with pytest.raises(ConfigError) as caught:
        experiment(name, *keys)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def loaded(name: str, *specs: TrialSpec, max_steps: int | None = None) -> Trainer:
    """A trainer with a trial in each of its lanes."""
    plan = MeasuringPlan(max_steps=max_steps)
    trainer = function(name).planned_trainer(8, lanes=len(specs), device="cpu", plan=plan)
    for lane, each in enumerate(specs):
        trainer.load(lane, each)
    return trainer


def spec(seed: int = 7, **hyperparameters: Value) -> TrialSpec:
    return TrialSpec(seed, hyperparameters or {"learning_rate": 0.1})


def curve(trainer: Trainer, lane: int = 0, chunks: int = 5) -> Sequence[Measurement | Failure]:
    """What a lane measures while all lanes are advanced some times."""
    return [each for _ in range(chunks) for each in trainer.advance()[lane]]


GIVEN = ('metrics = ["validation/error"]', "train_examples = 1024")


def test_it_is_an_objective_whose_parameters_are_the_hyperparameters() -> None:
    decay = function("decay")

    assert isinstance(decay, Objective)
    assert isinstance(decay, PlannedObjective)
    assert decay.hyperparameters == {"learning_rate", "width"}
    assert decay.optional == {"width"}
    assert function("wrapped").hyperparameters == {"learning_rate"}


def test_what_the_file_leaves_out_is_found_by_a_first_call_and_kept_in_the_experiment() -> None:
    found = experiment("tells_examples")
    objective = found.build_objective()

    assert objective.metrics == {"train/examples", "validation/error"}
    assert objective.train_examples == 640
    assert found.objective["train_examples"] == 640
    assert from_table(found.to_table()).digest == found.digest == experiment("tells_examples").digest


def test_a_function_whose_settings_are_given_is_not_called() -> None:
    assert experiment("breaks_at_once", *GIVEN).build_objective().metrics == {"validation/error"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train", "function: tests.objectives.loops.users has no train; it has "),
        ("decey", "function: tests.objectives.loops.users has no decey; did you mean decay?"),
        ("nothing.at_all:train", "nothing.at_all:train cannot be imported: ModuleNotFoundError: No module named"),
        ("plain:", "function: must name a function as in my_lab.train:train, not 'plain:'"),
        ("plain", "users:plain is not a generator: it has to yield (step, metrics)"),
        ("NOT_A_FUNCTION", "users:NOT_A_FUNCTION is not a generator"),
        ("by_position", "has the parameter learning_rate: float, which cannot be given by its name"),
        ("anything", "has the parameter **settings: float, which cannot be given by its name"),
        ("without_batch_size", "users:without_batch_size has no parameter batch_size"),
    ],
)
def test_a_function_that_cannot_be_called_is_a_problem_of_the_file(name: str, message: str) -> None:
    found = problem(name, *GIVEN)

    assert found.startswith("toy.toml: objective.function: ")
    assert message in found
    assert "\n" not in found


def test_the_space_is_checked_against_the_signature() -> None:
    text = TOY.replace('kind = "tests.toy:Toy"', f'kind = "function"\nfunction = "{USERS}:decay"\n' + "\n".join(GIVEN))

    parse(text.replace("[search]", "width = { value = 2 }\n[search]"), source="toy.toml")
    with pytest.raises(ConfigError) as caught:
        parse(text.replace("learning_rate =", "learning_rat ="), source="toy.toml")

    assert [str(each) for each in caught.value.problems] == [
        "space.learning_rat: is not a hyperparameter of this objective; did you mean learning_rate?",
        "space.learning_rate: is missing; the objective needs it",
    ]


def test_a_first_call_that_fails_says_where_in_the_users_code() -> None:
    first, *frames = problem("breaks_at_once").splitlines()

    assert first == (
        f"toy.toml: objective.function: {USERS}:breaks_at_once fails in a first call: FileNotFoundError: no data here; "
        "correct it, or give metrics and train_examples"
    )
    assert len(frames) == 2
    assert frames[0].startswith(f'  File "{ROOT}/{USERS.replace(".", "/")}.py", line ')


def test_a_first_call_that_yields_nothing_of_use_says_what_to_do() -> None:
    assert "users:ends yield it as the metric train/examples" in problem("ends")
    assert "users:exits fails in a first call: SystemExit: 3; correct it" in problem("exits")
    assert problem("ends", GIVEN[0]).startswith("toy.toml: objective.train_examples: is missing; give it here, or")


def test_lanes_measure_what_each_would_alone() -> None:
    for name in ("decay", "seeded_globally", "unseeded"):
        first, second = spec(1, learning_rate=0.1), spec(2, learning_rate=0.3)
        together = loaded(name, first, second)
        chunks = [together.advance() for _ in range(5)]

        for lane, each in enumerate((first, second)):
            alone = curve(loaded(name, each))
            assert [one for chunk in chunks for one in chunk[lane]] == alone
        assert curve(loaded(name, first)) != curve(loaded(name, second))


def test_the_seed_fits_into_31_bits() -> None:
    assert curve(loaded("decay", spec(seed=2**62 + 9))) == curve(loaded("decay", spec(seed=9)))


def test_a_trial_that_is_cut_runs_its_finally_blocks() -> None:
    events.clear()
    trainer = loaded("tidy", spec(learning_rate=0.1), spec(learning_rate=0.2), spec(learning_rate=0.3))
    trainer.advance()
    trainer.unload(1)
    after_unloading = list(events)
    trainer.close()

    assert after_unloading == ["closed 0.2"]
    assert sorted(events) == ["closed 0.1", "closed 0.2", "closed 0.3"]


def test_an_error_in_a_finally_block_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    trainer = loaded("untidy", spec())
    trainer.advance()
    trainer.close()

    assert "users:untidy raised as it was closed: RuntimeError: the file is gone" in caplog.text


def test_a_trial_that_raises_fails_alone() -> None:
    trainer = loaded("breaks", spec(learning_rate=3), spec(learning_rate=0.1))

    chunks = [trainer.advance() for _ in range(3)]

    (failure,) = chunks[2][0]
    assert isinstance(failure, Failure)
    assert failure.reason == "ValueError: the loss is"
    assert 'raise ValueError(f"the loss is' in failure.details
    assert failure.details.count("File") == 1
    assert chunks[2][1] == [Measurement(3, {"validation/error": 1 / 3})]
    trainer.unload(0)
    assert list(trainer.advance()) == [1]


def test_a_loop_that_ends_by_itself_has_failed() -> None:
    assert curve(loaded("ends", spec(), max_steps=1000), chunks=2)[1] == Failure(
        f"{USERS}:ends ended after step 300, before the target or the budget of 1,000 steps"
    )


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("None", "yielded None; it has to yield a whole number of steps and its metrics, as in yield 100, "),
        ("step", "yielded 3; it has to"),
        ("metrics", "yielded {'validation/error': 0.5}; it has to"),
        ("float", r"yielded \(1.5, {}\); it has to"),
        ("list", r"yielded \(1, \[0.5\]\); it has to"),
        ("four", r"yielded \(1, {}, b'', 2\); it has to"),
        ("text", r"yielded \(1, {}, 'state'\); it has to"),
        ("state", "yielded a state, but has no parameter checkpoint"),
    ],
)
def test_what_is_no_measurement_breaks_the_contract(what: str, shown: str) -> None:
    with pytest.raises(ContractError, match=shown):
        loaded("yields", spec(what=what)).advance()


@pytest.mark.parametrize("name", ["full", "full_gpu"])
def test_full_memory_means_fewer_lanes_and_with_one_lane_a_failed_trial(name: str) -> None:
    several, one = loaded(name, spec(), spec()), loaded(name, spec())
    several.advance()

    with pytest.raises(OutOfMemory, match=r"cpu cannot hold 2 lanes: .*3 GiB"):
        several.advance()
    failure = curve(one, chunks=2)[1]
    assert isinstance(failure, Failure)
    assert "cpu cannot hold even one lane" in failure.reason


def test_a_trial_goes_on_from_the_last_state_and_measures_nothing_twice(caplog: pytest.LogCaptureFixture) -> None:
    first, second = loaded("forgets", spec()), function("forgets").trainer(8, lanes=1, device="cpu")
    curve(first, chunks=4)
    second.load(0, spec(), first.save(0))

    assert curve(second, chunks=2) == curve(first, chunks=2)
    assert "a trial starts again, because it cannot go on from its checkpoint: EOFError" in caplog.text


def test_a_function_without_a_checkpoint_cannot_be_saved() -> None:
    trainer = loaded("tidy", spec())

    with pytest.raises(NotImplementedError):
        trainer.save(0)


def test_the_budget_and_the_batch_size_are_told() -> None:
    trainer = loaded("tells_examples", spec(), max_steps=2)

    assert curve(trainer, chunks=3)[2] == Failure(
        f"{USERS}:tells_examples ended after step 2, before the target or the budget of 2 steps"
    )


def test_a_loop_without_torch_loads_none() -> None:
    code = f"""
import sys
from objectives.function import Function
from tuner.trial import TrialSpec
trainer = Function("{USERS}:decay", frozenset(), 1).trainer(8, lanes=1, device="auto")
trainer.load(0, TrialSpec(1, {{"learning_rate": 0.1}}))
trainer.advance()
print(trainer.device, "torch" in sys.modules, "optuna" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["cpu", "False", "False"]
