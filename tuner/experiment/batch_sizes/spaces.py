"""The space as a file has it: one for all batch sizes, in which some values follow from the batch size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tuner.errors import ConfigError, Problem
from tuner.experiment.batch_sizes.rules import Scaled
from tuner.experiment.limits.numbers import do_limits_hold
from tuner.experiment.limits.spaces import space_problems
from tuner.experiment.settings import fill, table_of
from tuner.experiment.space import Choice, Fixed, Parameter, Range, SearchSpace


@dataclass(frozen=True, slots=True)
class SpaceSettings:
    """What the table `[space]` says of every hyperparameter, by name. `at` makes the space of a study of it."""

    parameters: Mapping[str, Parameter | Scaled]

    def at(self, batch_size: int) -> SearchSpace:
        """The space in which the study of a batch size begins."""
        resolved = {
            name: each.at(batch_size) if isinstance(each, Scaled) else each for name, each in self.parameters.items()
        }
        return SearchSpace(resolved)

    @property
    def is_searched(self) -> bool:
        """Whether any hyperparameter is searched. If not, a study has one point."""
        return any(not isinstance(each, Fixed | Scaled) for each in self.parameters.values())

    @property
    def is_the_same_everywhere(self) -> bool:
        """Whether every study begins in the same space, so that what is good at one batch size may be at another."""
        return not any(isinstance(each, Scaled) for each in self.parameters.values())

    def ranges(self) -> Iterator[tuple[str, Range]]:
        """The parameters that have edges."""
        return ((name, each) for name, each in self.parameters.items() if isinstance(each, Range))

    def changed(self, parameters: Mapping[str, Parameter | Scaled]) -> "SpaceSettings":
        """The space with other settings for some parameters."""
        return replace(self, parameters={**self.parameters, **parameters})


def read_space(given: object) -> SearchSpace:
    """The space of a study, from a table of tables. Raises `ConfigError`."""
    settings = read_spaces(given)
    wrong = [name for name, each in settings.parameters.items() if isinstance(each, Scaled)]
    if wrong:
        raise ConfigError([Problem(name, "is a rule; the space of one study has its value") for name in wrong])
    return settings.at(1)


def read_spaces(given: object) -> SpaceSettings:
    """The spaces of all studies, from a table of tables. Raises `ConfigError`."""
    problems: list[Problem] = []
    parameters: dict[str, Parameter | Scaled] = {}
    for name, table in table_of(given, example="{ learning_rate = { ... } }").items():
        try:
            parameters[name] = _read_parameter(table)
        except ConfigError as error:
            problems += [each.under(name) for each in error.problems]
    if do_limits_hold():
        problems += space_problems(SpaceSettings(parameters).at(1))
    if problems:
        raise ConfigError(problems)
    return SpaceSettings(parameters)


def _read_parameter(given: object) -> Parameter | Scaled:
    """A range, a choice, a fixed value or a rule, told apart by its keys. Raises `ConfigError`."""
    table = table_of(given, example='{ low = 1e-3, high = 10, scale = "log" }')
    if "options" in table:
        return fill(Choice, table, owner="a choice")
    if "value" in table:
        return fill(Fixed, table, owner="a fixed value")
    if "rule" in table:
        return fill(Scaled, table, owner="a rule")
    return fill(Range, table, owner="a range")
