"""The `tuner` command line: parse, call one function, print.

Commands import what they call when they are called: `tuner --help` answers without loading optuna, mlflow or torch.
"""

import sys
from pathlib import Path

import typer

from tuner.cli import comparisons, experiments, results, service, views
from tuner.cli.extra import diagnose, rules
from tuner.errors import RunCutShort, TunerError, printable, shortened
from tuner.service.cores import one_thread
from tuner.service.signals import ending_in_time

GROUPS = {
    "Experiments": experiments.commands,
    "Results": results.commands,
    "Service": service.commands,
    "Views": views.commands,
}
"""The commands by group, as `tuner --help` lists them."""

app = typer.Typer(
    help="Bayesian hyperparameter search for one careful question: what does batch size do to training?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for more in (comparisons, rules, diagnose):
    results.commands.registered_commands += more.commands.registered_commands
for title, group in GROUPS.items():
    for command in group.registered_commands:
        command.rich_help_panel = title
    app.registered_commands += group.registered_commands


def main() -> None:
    """Run the command line. Errors a user can repair are one line on stderr and exit code 1."""
    one_thread()
    with ending_in_time():
        _run()


def _run() -> None:
    """Run the command that was asked for, and exit."""
    try:
        sys.path.append(str(_folder()))  # a component of the user's own, `kind = "workload:Bowl"`, may lie in it
        app()
    except TunerError as error:
        for line in shortened(printable(str(error))).split("\n"):
            print(f"error: {line}", file=sys.stderr)
        sys.exit(130 if isinstance(error, RunCutShort) else 1)
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        sys.stderr.close()
        sys.exit(1)


def _folder() -> Path:
    """The current folder. Raises `TunerError` if it has been deleted since the shell went there."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise TunerError("the current folder has been deleted; change to another, `cd ~` for example") from error
