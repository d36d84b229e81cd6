"""What a user writes: an experiment's file, its search space, its goal, and the components that it names."""

from tuner.experiment.batch_sizes.spaces import SpaceSettings, read_space
from tuner.experiment.definition import Experiment, GoalSettings, from_table, space_table
from tuner.experiment.files import check, load, load_any, parse, preset_text, presets, write_template
from tuner.experiment.search_settings import ConfirmationSettings, SearchSettings

__all__ = [
    "ConfirmationSettings",
    "Experiment",
    "GoalSettings",
    "SearchSettings",
    "SpaceSettings",
    "check",
    "from_table",
    "load",
    "load_any",
    "parse",
    "preset_text",
    "presets",
    "read_space",
    "space_table",
    "write_template",
]
