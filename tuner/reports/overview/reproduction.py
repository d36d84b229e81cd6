"""How to get the same numbers again."""

import tomlkit

from tuner.analysis.summary import Results
from tuner.records import TrialRecord
from tuner.reports.findings import Findings, versions
from tuner.reports.sections.contract import Listing, Section


def reproduction(found: Findings, *, store: str = "") -> Section:
    """The commands and the settings.

    Args:
        found: The experiment.
        store: Where it is stored, without password.
    """
    name, asked = found.experiment.name, commands(found.results)
    settings = found.experiment.to_table()
    return Section(
        name="reproduction",
        question="How to reproduce this?",
        answer=f"Save the settings below as {name}.toml. The same file, width and one worker give the same trials.",
        notes=tuple(filter(None, (store and f"Stored in {store}.", f"Written with {versions()}."))),
        listings=(
            Listing("Commands", "\n".join(asked)),
            Listing("Settings", tomlkit.dumps(settings)),
        ),
        values={"commands": list(asked), "settings": settings, "versions": versions()},
    )


def commands(found: Results) -> tuple[str, ...]:
    """How to get these numbers again."""
    name = found.experiment.name
    best = next((each for each in found.studies if each.best is not None), None)
    replay = best and best.best and f"tuner replay {name} --batch-size {best.batch_size} {_trial(best.best)}"
    return (f"tuner run {name}.toml", *([replay] if replay else []), f"tuner export {name} --format csv")


def _trial(trial: TrialRecord) -> str:
    """The options that name a trial of a study."""
    return f"--trial {trial.number}" + (f" --round {trial.round}" if trial.round > 1 else "")
