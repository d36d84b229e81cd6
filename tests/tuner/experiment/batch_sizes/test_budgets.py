"""A budget may be given in steps, in examples or in epochs; everything else sees the steps of each batch size."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.toy import SMALL, steps_to
from tests.tuner.narrow import work
from tuner.analysis.other_goals import judged_again
from tuner.analysis.summary import results
from tuner.errors import ConfigError, TunerError
from tuner.experiment import Experiment, GoalSettings, from_table, load_any, parse, preset_text
from tuner.experiment.batch_sizes.budgets import Budget
from tuner.experiment.growth import differences
from tuner.reports.content import content
from tuner.reports.findings import findings
from tuner.stores.opening import open_store


def within(budget: str, *more: tuple[str, str]) -> Experiment:
    text = SMALL.replace("within_steps = 400", budget)
    for old, new in more:
        assert old in text
        text = text.replace(old, new)
    return parse(text, source="toy.toml")


def budgets(experiment: Experiment) -> list[int]:
    return [experiment.goal.at(each).within_steps for each in experiment.batch_sizes]


def test_examples_are_steps_of_each_batch_size_rounded_up() -> None:
    experiment = within("within_examples = 3201")

    assert budgets(experiment) == [401, 201]
    assert experiment.goal.budget == "3,201 examples"


@pytest.mark.parametrize(
    ("epochs", "steps", "phrase"),
    [
        ("3", [384, 192], "3 epochs"),
        ("1", [128, 64], "1 epoch"),
        ("0.01", [2, 1], "0.01 epochs"),
    ],
)
def test_epochs_are_passes_over_the_training_set(epochs: str, steps: list[int], phrase: str) -> None:
    experiment = within(f"within_epochs = {epochs}")  # the toy has 1,024 examples

    assert budgets(experiment) == steps
    assert experiment.goal.budget == phrase


def test_epochs_are_the_decimal_number_that_the_file_has() -> None:
    assert Budget(epochs=1.1, train_examples=50_000).at(100) == 550
    assert Budget(epochs=0.07, train_examples=100).at(1) == 7


def test_too_many_epochs_are_refused_when_the_size_of_the_training_set_is_found() -> None:
    text = preset_text("digits").replace("within_steps = 4000", "within_epochs = 1e6").replace("= [2, ", "= [1, 2, ")

    with pytest.raises(ConfigError, match=r"goal.within_epochs: 1e\+06 epochs are 1,097,000,000 steps at batch size 1"):
        parse(text, source="digits.toml")


def test_the_size_of_the_training_set_is_kept_with_the_experiment() -> None:
    experiment = within("within_epochs = 3")
    stored = from_table(experiment.to_table())

    assert experiment.goal.train_examples == 1024
    assert budgets(stored) == [384, 192]
    assert stored.digest == experiment.digest
    assert load_any(stored) == stored


def test_another_size_than_the_workload_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"goal.train_examples: is 1000, but the training set has 1024 examples"):
        within("within_epochs = 3\ntrain_examples = 1000")


def test_epochs_of_a_training_set_that_has_to_be_found_are_refused() -> None:
    text = SMALL.replace("within_steps = 400", "within_epochs = 3").replace(
        'kind = "tests.toy:Toy"', 'kind = "function"\nfunction = "tests.objectives.loops.users:decay"'
    )

    with pytest.raises(ConfigError, match=r"goal.within_epochs: needs objective.train_examples, which the file leaves"):
        parse(text, source="toy.toml")


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("", r"goal.within_steps: is missing; a goal needs it, or within_examples or within_epochs instead"),
        ("within_steps = 4\nwithin_epochs = 1", r"goal: has within_steps and within_epochs; give one of them"),
        ("within_steps = 4\ntrain_examples = 8", r"goal: train_examples does not go with within_steps; leave it out"),
        ("within_examples = 0", r"goal.within_examples: should be greater than or equal to 1"),
        ("within_epochs = 0", r"goal.within_epochs: should be greater than 0"),
        ("within_epochs = inf", r"goal.within_epochs: should be a finite number"),
        (
            "within_examples = 100_000_000_000",
            r"goal: 100,000,000,000 examples are 12,500,000,000 steps at batch size 8; at most 1,000,000,000",
        ),
    ],
)
def test_a_wrong_budget_is_named(budget: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        within(budget)


@pytest.mark.parametrize(
    ("before", "after", "adds"),
    [
        ("within_epochs = 3", "within_epochs = 4", True),
        ("within_epochs = 3", "within_epochs = 2", False),
        ("within_examples = 3000", "within_examples = 4000", True),
        ("within_steps = 400", "within_examples = 40000", False),
        ("within_steps = { 8 = 400, 16 = 400 }", "within_epochs = 100", False),
        ("within_steps = { 8 = 400, 16 = 400 }", "within_steps = 500", True),
    ],
)
def test_only_a_larger_budget_of_the_same_kind_adds_work(before: str, after: str, adds: bool) -> None:
    found = differences(within(before), within(after))

    assert found
    assert all(each.adds for each in found) == adds


def test_another_kind_of_budget_is_named_as_what_the_files_say() -> None:
    found = differences(within("within_steps = { 8 = 400, 16 = 400 }"), within("within_epochs = 100"))

    assert "goal.within_steps.8 = 400, now absent" in [each.phrase for each in found]


def test_a_run_ends_its_trials_within_their_epochs_and_says_so(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        work(store, within("within_epochs = 1"))
        record = store.record("toy")

        assert all(each.confirmed for each in results(record).studies)
        assert [each.longest_limit for each in record.studies] == [128, 64]
        assert "within 1 epoch, at 2 batch sizes" in content(findings(record)).question


def test_a_smaller_budget_in_steps_may_be_asked_of_an_experiment_in_epochs(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        work(store, within("within_epochs = 1"))
        record = store.record("toy")

        def curves(size: int, number: int) -> object:
            return store.curves("toy", size, round=number)

        asked = judged_again(record, curves, within_steps=100)  # type: ignore[arg-type]
        with pytest.raises(TunerError, match=r"must lie between 1 and the budget of the experiment, 128 steps \(1 ep"):
            judged_again(record, curves, within_steps=129)  # type: ignore[arg-type]

    goal = asked.record.experiment.goal
    assert [goal.at(each).within_steps for each in (8, 16)] == [100, 64]
    assert goal.budget == "64 to 100 steps"
    assert steps_to(0.03, 0.1) < 64


def test_a_goal_in_epochs_has_no_steps_before_its_file_is_checked() -> None:
    goal = GoalSettings("validation/error", within_epochs=3.0, below=0.1)

    with pytest.raises(ValueError, match="needs the size of the training set"):
        goal.at(8)
    assert replace(goal, train_examples=80).at(8).within_steps == 30
