"""A goal's budget of steps: one for every batch size, or one for each."""

from tests.toy import TOY
from tests.tuner.experiment.test_files import changed, problems
from tuner.experiment import from_table, parse


def test_one_budget_holds_at_every_batch_size() -> None:
    goal = parse(TOY, source="toy.toml").goal

    assert (goal.at(8).within_steps, goal.at(16).within_steps) == (400, 400)
    assert (goal.at(8).batch_size, goal.at(16).batch_size) == (8, 16)
    assert goal.budget == "400 steps"


def test_each_batch_size_may_have_a_budget_of_its_own() -> None:
    text = changed(("within_steps = 400", "within_steps = { 8 = 4000, 16 = 600 }"))

    goal = parse(text, source="toy.toml").goal

    assert (goal.at(8).within_steps, goal.at(16).within_steps) == (4000, 600)
    assert goal.budget == "600 to 4,000 steps"


def test_budgets_survive_being_stored() -> None:
    experiment = parse(changed(("within_steps = 400", "within_steps = { 8 = 4000, 16 = 600 }")), source="toy.toml")

    again = from_table(experiment.to_table())

    assert again.goal == experiment.goal
    assert again.digest == experiment.digest


def test_a_batch_size_without_a_budget_is_named() -> None:
    found = problems(changed(("within_steps = 400", "within_steps = { 8 = 4000 }")))

    assert found == ["toy.toml: goal.within_steps has no budget for batch size 16; give one for each of batch_sizes"]


def test_a_budget_for_a_batch_size_that_is_not_searched_is_named() -> None:
    found = problems(changed(("within_steps = 400", "within_steps = { 8 = 4000, 16 = 600, 32 = 9 }")))

    assert found == [
        "toy.toml: goal.within_steps has a budget for the unknown batch size 32; give one for each of batch_sizes"
    ]


def test_a_budget_of_no_steps_is_refused() -> None:
    assert any(
        "should be greater than or equal to 1, not 0" in each
        for each in problems(changed(("within_steps = 400", "within_steps = { 8 = 0, 16 = 600 }")))
    )
