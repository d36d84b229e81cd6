"""The workload that a file names: what is wrong with it, and between it and the rest of the file."""

from collections.abc import Mapping
from dataclasses import replace

from tuner.errors import ConfigError, Problem
from tuner.experiment.components import build
from tuner.experiment.definition import Experiment
from tuner.experiment.limits.numbers import ENDLESS
from tuner.experiment.settings import Table, nearest
from tuner.experiment.workload.members import check_hyperparameters, check_metrics, examples_of
from tuner.objective import CheckedObjective, DiscoveredObjective, Objective, OptionalHyperparameters
from tuner.trial import TrialSpec


def read_workload(table: Table) -> tuple[Objective | None, list[Problem]]:
    """The workload that a file names, if it can be made, and what is wrong with the components that the file names.

    Between them and the rest too, as far as the rest can be read.
    """
    problems: list[Problem] = []
    objective = None
    search = table.get("search")
    if isinstance(search, Mapping) and "sampler" in search:
        try:
            build("tuner.samplers", search["sampler"], object)
        except ConfigError as error:
            problems += [each.under("search.sampler") for each in error.problems]
    if "objective" in table:
        try:
            objective = build("objectives", table["objective"], Objective)
            problems += _workload_problems(table, objective)
        except ConfigError as error:
            problems += [each.under("objective") for each in error.problems]
    return objective, problems


def _workload_problems(table: Table, objective: Objective) -> list[Problem]:
    """What is wrong with a workload, and where the file asks of it what it does not offer, or the other way round.

    Raises:
        ConfigError: With paths from the objective's table.
    """
    check_hyperparameters(objective)
    problems = _space_problems(table.get("space"), objective)
    if isinstance(objective, DiscoveredObjective) and objective.undiscovered:
        return problems
    check_metrics(objective)
    problems += _goal_problems(table, objective)
    if isinstance(objective, CheckedObjective):
        objective.check()
    return problems + _size_problems(table, objective)


def _goal_problems(table: Table, objective: Objective) -> list[Problem]:
    """Where the goal asks for a metric that the workload does not measure, or that the search must not see."""
    problems: list[Problem] = []
    match table.get("goal"):
        case {"metric": str(metric)} if metric not in objective.metrics:
            owner = table["objective"]["kind"]  # type: ignore[index]
            message = f"{metric} is not a metric of {owner}; it has {', '.join(sorted(objective.metrics))}"
            problems.append(Problem("goal.metric", message))
        case {"metric": str(metric)} if metric.startswith("test/"):
            problems.append(Problem("goal.metric", f"{metric} must stay unseen by the search; use a validation metric"))
    return problems


def _size_problems(table: Table, objective: Objective) -> list[Problem]:
    """Batch sizes that are larger than the training set."""
    problems: list[Problem] = []
    match table.get("batch_sizes"):
        case [*sizes]:
            examples = examples_of(objective)
            for index, size in enumerate(sizes):
                if isinstance(size, int) and size > examples:
                    message = f"{size} is larger than the training set of {examples} examples"
                    problems.append(Problem(f"batch_sizes.{index}", message))
    return problems


def _space_problems(space: object, objective: Objective) -> list[Problem]:
    """Where the space and the hyperparameters of a workload differ."""
    if not isinstance(space, Mapping):
        return []
    names, known = {str(name) for name in space}, objective.hyperparameters
    optional = objective.optional if isinstance(objective, OptionalHyperparameters) else frozenset()
    problems = [
        Problem(f"space.{name}", f"is not a hyperparameter of this objective; {nearest(name, known)}")
        for name in sorted(names - known)
    ]
    missing = sorted(known - optional - names)
    return problems + [Problem(f"space.{name}", "is missing; the objective needs it") for name in missing]


def sized(experiment: Experiment, objective: Objective | None) -> Experiment:
    """The experiment with the size of the training set, if its budget is in epochs, so that nobody asks for it again.

    Raises:
        ConfigError: The size is not known yet, or is another than the file says.
    """
    goal = experiment.goal
    if goal.within_epochs is None or objective is None:
        return experiment
    if isinstance(objective, DiscoveredObjective) and "train_examples" in objective.undiscovered:
        message = "needs objective.train_examples, which the file leaves out; give it, or a budget in steps or examples"
        raise ConfigError([Problem("goal.within_epochs", message)])
    examples = examples_of(objective)
    if examples >= ENDLESS:
        message = (
            f"means nothing to {experiment.kind}, whose training set has no end; give within_steps or within_examples"
        )
        raise ConfigError([Problem("goal.within_epochs", message)])
    if goal.train_examples not in (None, examples):
        message = f"is {goal.train_examples}, but the training set has {examples} examples; leave it out"
        raise ConfigError([Problem("goal.train_examples", message)])
    try:
        return replace(experiment, goal=replace(goal, train_examples=examples))
    except ValueError as error:  # so many epochs are too many steps
        raise ConfigError([Problem("goal.within_epochs", str(error).removeprefix("goal: "))]) from error


def discovered(experiment: Experiment, objective: Objective | None) -> Mapping[str, object]:
    """The settings of its workload that the file leaves out and that a trial tells. Raises `ConfigError`."""
    if not (isinstance(objective, DiscoveredObjective) and objective.undiscovered):
        return {}
    size = min(experiment.batch_sizes)
    space = experiment.space.at(size)
    middle = space.at([0.5] * space.dimensions)
    budget = experiment.goal.at(size).within_steps
    return objective.discover(TrialSpec(experiment.seed, middle), size, max_steps=budget)
